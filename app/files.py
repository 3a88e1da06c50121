"""The files of a finished stage: to be watched, downloaded, and made again from."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from app import texts
from app.comparison import place_side_by_side
from app.result import Effort, Result
from lavie.cascade import Generation
from lavie.media import MAX_GIF_FPS, enlarge_frames, write_gif, write_recipe, write_video
from lavie.types import CancelToken, Frames, StageName

_VIEW_HEIGHT = 320


def write_files(
    generation: Generation, stage: StageName, home: Path, cancel: CancelToken
) -> Result:
    """Write a video as MP4, as enlarged MP4 if it is small, as GIF, beside what it was made from.

    Args:
        generation: The video.
        stage: Its last stage, after which the files are called.
        home: Where they appear when all are written, and whose name they bear.
        cancel: Looked at between the files.

    Raises:
        Cancelled: ``cancel`` was set; then there are none.
    """
    with _all_or_nothing(home) as folder:
        result = _write(generation, stage, folder, home, cancel)
        cancel.raise_if_cancelled()
    return result


def _write(
    generation: Generation, stage: StageName, folder: Path, home: Path, cancel: CancelToken
) -> Result:
    frames, fps, metadata = generation.frames, generation.fps, generation.metadata
    name = f"lavie-{home.name}-{texts.FILE_NAMES[stage]}"
    video = view = folder / f"{name}.mp4"
    write_video(video, frames, fps, metadata)
    scale = _VIEW_HEIGHT // frames.shape[1]
    if scale > 1:
        view = folder / f"{name}-large.mp4"
        pictures = (enlarge_frames(frame[None], scale)[0] for frame in frames)
        write_video(view, pictures, fps, metadata)
    cancel.raise_if_cancelled()
    gif = folder / f"{name}.gif"
    write_gif(gif, _resize_for_gif(frames), min(fps, MAX_GIF_FPS))
    cancel.raise_if_cancelled()
    comparison = None
    before = generation.previous
    if before is not None:
        comparison = folder / f"{name}-before-after.mp4"
        pictures = place_side_by_side(before.frames, before.fps, frames, fps, _VIEW_HEIGHT)
        write_video(comparison, pictures, fps, metadata)
    recipe = write_recipe(video, metadata)
    num_steps = metadata["settings"][stage]["num_inference_steps"]
    return Result(
        stage=stage,
        video=home / video.name,
        view=home / view.name,
        gif=home / gif.name,
        recipe=home / recipe.name,
        comparison=comparison and home / comparison.name,
        metadata=metadata,
        seed=generation.seed,
        effort=Effort(stage, num_steps, *frames.shape[:3]),
        seconds=generation.seconds[stage],
    )


def _resize_for_gif(frames: Frames) -> Iterator[Frames]:
    """GIFs are large and slow, so a large video becomes smaller in one."""
    height = frames.shape[1]
    larger, smaller = max(_VIEW_HEIGHT // height // 2, 1), max(height // _VIEW_HEIGHT, 1)
    for frame in frames:
        image = Image.fromarray(enlarge_frames(frame[None], larger)[0])
        yield np.asarray(image.reduce(smaller))


@contextmanager
def _all_or_nothing(folder: Path) -> Iterator[Path]:
    """A folder for files that move into ``folder`` when all are written, or else vanish."""
    unfinished = folder.with_name(f"{folder.name}.part")
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        folder.mkdir(exist_ok=True)
        for file in unfinished.iterdir():
            file.rename(folder / file.name)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
