"""The files of a finished stage: to be watched, downloaded, and made again from."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from app import texts
from app.comparison import place_side_by_side
from app.request import next_stages
from app.result import VIEW_HEIGHT, Effort, Result
from app.whole_sizes import resize
from lavie.media import (
    LOSSLESS,
    thin_out,
    write_recipe,
    write_video,
    write_webp,
)
from lavie.types import CancelToken, Frames, StageName

if TYPE_CHECKING:
    from lavie.cascade import Generation

_THUMBNAIL_WIDTH = 320
_THUMBNAIL_FPS = 16
_THUMBNAIL_FRAMES = 128
"""Of a longer video the beginning, as a picture of all of it would be large."""


def write_files(
    generation: "Generation",
    stage: StageName,
    home: Path,
    cancel: CancelToken,
    name: str | None = None,
) -> Result:
    """Write a video to be watched, enlarged if it is small, beside what it was made from.

    What else there can be of it is made when somebody asks: see `app.exports`.

    Args:
        generation: The video.
        stage: Its last stage, after which the files are called.
        home: Where they appear when all are written, and whose name they bear.
        cancel: Looked at between the files.
        name: What the files are called instead of after the stage.

    Raises:
        Cancelled: ``cancel`` was set; then there are none.
    """
    with all_or_nothing(home) as folder:
        result = _write(generation, stage, folder, home, cancel, name)
        cancel.raise_if_cancelled()
    return result


def enlarge_to_view(frames: Iterable[Frames]) -> Iterator[Frames]:
    """Make small pictures as large as the page shows them, by a whole number; others stay."""
    for frame in frames:
        yield resize(frame, max(VIEW_HEIGHT // frame.shape[0], 1), 1)


def _write(
    generation: "Generation",
    stage: StageName,
    folder: Path,
    home: Path,
    cancel: CancelToken,
    name: str | None,
) -> Result:
    frames, fps, metadata = generation.frames, generation.fps, generation.metadata
    name = f"lavie-{home.name}-{name or texts.FILE_NAMES[stage]}"
    video = view = folder / f"{name}.mp4"
    write_video(video, frames, fps, metadata)
    if 2 * frames.shape[1] <= VIEW_HEIGHT:
        view = folder / f"{name}-large.mp4"
        write_video(view, enlarge_to_view(frames), fps, metadata)
    cancel.raise_if_cancelled()
    exact = folder / f"{name}-frames.mkv" if next_stages(stage) else None
    if exact is not None:
        write_video(exact, frames, fps, metadata, format=LOSSLESS)
    poster, thumbnail = folder / f"{name}-poster.webp", folder / f"{name}-thumbnail.webp"
    few, few_fps = thin_out(frames, fps, _THUMBNAIL_FPS)
    write_webp(poster, make_small(frames[:1]), fps)
    write_webp(thumbnail, make_small(islice(few, _THUMBNAIL_FRAMES)), few_fps)
    cancel.raise_if_cancelled()
    comparison = None
    before = generation.previous
    if before is not None:
        comparison = folder / f"{name}-before-after.mp4"
        pictures = place_side_by_side(before.frames, before.fps, frames, fps, VIEW_HEIGHT)
        write_video(comparison, pictures, fps, metadata)
    recipe = write_recipe(video, metadata)
    num_steps = metadata["settings"][stage]["num_inference_steps"]
    return Result(
        stage=stage,
        video=home / video.name,
        view=home / view.name,
        poster=home / poster.name,
        thumbnail=home / thumbnail.name,
        recipe=home / recipe.name,
        comparison=comparison and home / comparison.name,
        frames=exact and home / exact.name,
        metadata=metadata,
        seed=generation.seed,
        effort=Effort(stage, num_steps, *frames.shape[:3]),
        seconds=generation.seconds[stage],
    )


def make_small(frames: Iterable[Frames]) -> Iterator[Frames]:
    """Bring pictures to the width of a thumbnail, or below it, by a whole number."""
    for frame in frames:
        width = frame.shape[1]
        larger, smaller = max(_THUMBNAIL_WIDTH // width, 1), -(-width // _THUMBNAIL_WIDTH)
        yield resize(frame, larger, smaller)


@contextmanager
def all_or_nothing(folder: Path) -> Iterator[Path]:
    """A folder for files that move into ``folder`` when all are written, or else vanish.

    They move in the order of their names.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(suffix=".part", prefix=f"{folder.name}.", dir=folder.parent))
    try:
        yield unfinished
        folder.mkdir(exist_ok=True)
        for file in sorted(unfinished.iterdir()):
            file.rename(folder / file.name)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
