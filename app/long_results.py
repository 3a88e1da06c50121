"""Results of any length: read as they are needed, and written as they come."""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from app import texts
from app.result import Result
from lavie.errors import InputError
from lavie.types import Frames

if TYPE_CHECKING:
    from lavie.cascade import Generation

MANY_FRAMES = 64  # enlarged to 2048x1280 they take half a gigabyte
"""A result of a longer video is not held in memory."""


def open_result(result: Result, files: ExitStack) -> "Generation":
    """A video as it was made: the same frames, whenever a later stage gets them.

    Args:
        result: What an earlier stage has left.
        files: Holds the file open.

    Raises:
        InputError: The frames are gone.
    """
    from lavie.cascade import Generation
    from lavie.media import open_video, read_video

    if result.frames is None or not result.frames.is_file():
        raise InputError(texts.FORGOTTEN_VIDEO, "job_id")
    if result.effort.num_frames > MANY_FRAMES:
        video = files.enter_context(open_video(result.frames))
        frames, fps = cast(Frames, video), video.fps
    else:
        frames, fps = read_video(result.frames)[:2]
    return Generation(frames, fps, result.seed, dict(result.metadata))


def enhance(
    run: Callable[..., "Generation"],
    given: "Generation",
    folder: Path,
    files: ExitStack,
    options: dict[str, Any],
) -> "Generation":
    """Smooth or enlarge a video, a long one into a file that loses nothing.

    Args:
        run: `Cascade.interpolate` or `Cascade.upscale`.
        given: The video.
        folder: Of the job; the file lies beside it, and is gone with ``files``.
        files: Holds the file open.
        options: What else the method is told.
    """
    if len(given.frames) <= MANY_FRAMES:
        return run(given, **options)
    from lavie.media import LOSSLESS, VideoWriter, open_video

    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = tempfile.mkdtemp(suffix=".part", prefix=f"{folder.name}.", dir=folder.parent)
    files.callback(shutil.rmtree, unfinished, ignore_errors=True)
    path = Path(unfinished) / f"frames{LOSSLESS.suffix}"
    with VideoWriter(path, given.fps, format=LOSSLESS) as writer:
        made = run(given, on_frames=writer.write, **options)
    video = files.enter_context(open_video(path))
    return replace(made, frames=cast(Frames, video))
