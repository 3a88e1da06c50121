"""Owns the model: turns one request into the files of one video."""

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from app.jobs import Result
from app.request import TextToVideoRequest
from lavie.runtime.loading import pause_garbage_collection, silence_loading_bars
from lavie.types import CancelToken, OnEvent

if TYPE_CHECKING:
    from lavie.cascade import Cascade, Generation

_VIEW_HEIGHT = 320


class CascadeRunner:
    """Runs requests on a cascade, which it loads on first use.

    Args:
        model: What `lavie.Cascade.from_pretrained` takes.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._cascade: Cascade | None = None

    def prepare(self) -> None:
        """Load the model, once."""
        if self._cascade is None:
            with pause_garbage_collection():
                silence_loading_bars()
                from lavie.cascade import Cascade  # torch, diffusers: seconds

                self._cascade = Cascade.from_pretrained(self._model)

    def run(
        self, request: TextToVideoRequest, folder: Path, on_event: OnEvent, cancel: CancelToken
    ) -> Result:
        """Make the video; its folder appears when all files are written.

        Raises:
            Cancelled: ``cancel`` was set.
            LaVieError: The model cannot be loaded or refuses the request.
        """
        self.prepare()
        cancel.raise_if_cancelled()
        assert self._cascade is not None  # noqa: S101 - for the type checker
        generation = self._cascade.generate(**asdict(request), on_event=on_event, cancel=cancel)
        cancel.raise_if_cancelled()
        unfinished = folder.with_name(f"{folder.name}.part")
        unfinished.mkdir(parents=True)
        try:
            files = _write_files(generation, unfinished, name=f"lavie-{folder.name}")
            cancel.raise_if_cancelled()
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)  # what was not finished is not kept
        video, view, gif, recipe = (folder / file.name for file in files)
        return Result(video, view, gif, recipe, generation.metadata, generation.seed)


def _write_files(generation: "Generation", folder: Path, name: str) -> tuple[Path, ...]:
    """Write a video as MP4, as enlarged MP4 if it is small, as GIF, and its recipe."""
    from lavie.media import MAX_GIF_FPS, enlarge_frames, write_gif, write_recipe, write_video

    fps, metadata = generation.fps, generation.metadata
    video = view = folder / f"{name}.mp4"
    write_video(video, generation.frames, fps, metadata)
    scale = _VIEW_HEIGHT // generation.frames.shape[1]
    if scale > 1:
        view = folder / f"{name}-large.mp4"
        write_video(view, enlarge_frames(generation.frames, scale), fps, metadata)
    gif = folder / f"{name}.gif"
    frames = enlarge_frames(generation.frames, max(scale // 2, 1))  # GIFs are slow
    write_gif(gif, frames, min(fps, MAX_GIF_FPS))
    return video, view, gif, write_recipe(video, metadata)
