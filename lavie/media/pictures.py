"""Frames to moving and still pictures: what is shown without a player, and what editors take."""

import io
import json
import math
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np

from lavie.errors import InputError
from lavie.media.outputs import check_output, replace_when_complete
from lavie.media.writing import NO_FRAMES, check_rate
from lavie.types import Frames

if TYPE_CHECKING:
    from PIL import Image

MAX_GIF_FPS = 50
"""Players slow down a GIF that is faster."""

_WEBP_QUALITY = 80


def write_gif(path: Path, frames: Iterable[Frames], fps: float) -> None:
    """Write an endless GIF.

    GIF counts in hundredths of a second, so single frames are rounded in turn up and down and the
    whole keeps its length.

    Args:
        path: Ends in ``.gif``; the folder must exist.
        frames: uint8 ``(H, W, 3)`` pictures of one size, at least one.
        fps: Frames per second, above 0 and at most `MAX_GIF_FPS`.

    Raises:
        InputError: The name, the folder or fps is not as above, or there are no frames.
    """
    check_output(path, ".gif")
    check_rate(fps)
    if fps > MAX_GIF_FPS:
        raise InputError(f"{fps} frames per second is above {MAX_GIF_FPS}, GIF's most.", "fps")
    images, hundredths = _timed(frames, fps, 100)
    with replace_when_complete(path) as temporary:
        images[0].save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=images[1:],
            duration=[each * 10 for each in hundredths],
            loop=0,
        )


def write_webp(
    path: Path, frames: Iterable[Frames], fps: float, quality: int = _WEBP_QUALITY
) -> None:
    """Write an endless WebP; a still one if there is a single frame.

    Args:
        path: Ends in ``.webp``; the folder must exist.
        frames: uint8 ``(H, W, 3)`` pictures of one size, at least one.
        fps: Frames per second, above 0.
        quality: 0 to 100, the best.

    Raises:
        InputError: The name, the folder or fps is not as above, or there are no frames.
    """
    check_output(path, ".webp")
    check_rate(fps)
    images, thousandths = _timed(frames, fps, 1000)
    with replace_when_complete(path) as temporary:
        images[0].save(
            temporary,
            format="WEBP",
            save_all=len(images) > 1,
            append_images=images[1:],
            duration=thousandths,
            loop=0,
            quality=quality,
            method=2,  # 6 takes ten times as long and saves a tenth
        )


def _timed(
    frames: Iterable[Frames], fps: float, ticks: int
) -> "tuple[list[Image.Image], list[int]]":
    """Frames as pictures, and how many ticks, of so many a second, each is to be seen."""
    from PIL import Image

    images = [Image.fromarray(frame) for frame in frames]
    if not images:
        raise InputError(NO_FRAMES, "num_frames")
    ends = np.floor(np.arange(len(images) + 1) * ticks / fps + 0.5).astype(int)
    return images, np.diff(ends).tolist()


def write_png_zip(
    path: Path, frames: Iterable[Frames], metadata: dict[str, Any] | None = None
) -> None:
    """Write the exact frames as PNG files in a zip, one after the other as they come.

    Args:
        path: Ends in ``.zip``; the folder must exist.
        frames: uint8 ``(H, W, 3)`` pictures, at least one; called ``frame_00000.png`` and so on.
        metadata: JSON-serialisable recipe, put in as ``recipe.json``.

    Raises:
        InputError: The name or the folder is not as above, or there are no frames.
    """
    from PIL import Image

    check_output(path, ".zip")
    with replace_when_complete(path) as temporary, ZipFile(temporary, "w", ZIP_STORED) as file:
        number = -1
        for number, frame in enumerate(frames):
            buffer = io.BytesIO()
            Image.fromarray(frame).save(buffer, format="PNG", compress_level=4)
            file.writestr(f"frame_{number:05}.png", buffer.getvalue())
        if number < 0:
            raise InputError(NO_FRAMES, "num_frames")
        if metadata is not None:
            file.writestr("recipe.json", json.dumps(metadata, indent=2, allow_nan=False))


def thin_out(
    frames: Iterable[Frames], fps: float, max_fps: float
) -> tuple[Iterator[Frames], float]:
    """Leave out frames, evenly, until a video is not faster than something can show.

    Args:
        frames: uint8 ``(H, W, 3)`` pictures.
        fps: Frames per second, above 0.
        max_fps: At most so many afterwards.

    Returns:
        Every n-th frame with the smallest possible n, and their frames per second.
    """
    step = max(math.ceil(fps / max_fps), 1)
    return islice(frames, 0, None, step), fps / step
