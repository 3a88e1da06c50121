"""Owns the model: turns one request into the files of one video, stage by stage."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from app import texts
from app.request import Request, StageRequest, TextToVideoRequest, next_stages
from app.result import Effort, Result
from lavie.errors import Cancelled, InputError
from lavie.runtime.loading import pause_garbage_collection, silence_loading_bars
from lavie.types import CancelToken, Event, Frames, OnEvent, Progress, StageName

if TYPE_CHECKING:
    from lavie.cascade import Cascade, Generation

_VIEW_HEIGHT = 320
_MAX_REMEMBERED = 32
"""Videos kept in memory to go on from; of the published size, a smooth one takes 30 MB."""


class CascadeRunner:
    """Runs requests on a cascade, which it loads on first use.

    The latest videos stay in memory as they were made, so that a later stage gets the same frames
    as if it had been run at once.

    Args:
        model: What `lavie.Cascade.from_pretrained` takes.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._cascade: Cascade | None = None
        self._remembered: dict[Path, Generation] = {}

    def prepare(self) -> tuple[Effort, float]:
        """Load the model, once, and see how many seconds one step of a short video takes here."""
        cascade = self._load()
        config = cascade.base.config
        shape = min(config.default_num_frames, 4), config.default_height, config.default_width
        return Effort("base", 1, *shape), _time_one_step(cascade, num_frames=shape[0])

    def run(
        self, request: Request, folder: Path, on_event: OnEvent, cancel: CancelToken
    ) -> Iterator[Result]:
        """Run the stages; what a stage made is in the folder when all its files are written.

        Raises:
            Cancelled: ``cancel`` was set.
            InputError: The video to go on from is no longer in memory.
            LaVieError: The model cannot be loaded or refuses the request.
        """
        cascade = self._load()
        generation = None
        if isinstance(request, StageRequest):
            generation = self._recall(request.given[-1])
        for stage in request.new_stages:
            cancel.raise_if_cancelled()
            generation = _run_stage(cascade, stage, request, generation, on_event, cancel)
            cancel.raise_if_cancelled()
            with _all_or_nothing(folder) as unfinished:
                result = _write_files(generation, stage, unfinished, folder)
                cancel.raise_if_cancelled()
            self._remember(result, generation)
            yield result

    def _remember(self, result: Result, generation: "Generation") -> None:
        if next_stages(result.stage):  # nothing comes after the last, which is the largest
            self._remembered[result.video] = generation
        for video in list(self._remembered)[:-_MAX_REMEMBERED]:
            del self._remembered[video]

    def _recall(self, result: Result) -> "Generation":
        if result.video not in self._remembered:
            raise InputError(texts.FORGOTTEN_VIDEO, "job_id")
        return self._remembered[result.video]

    def _load(self) -> "Cascade":
        if self._cascade is None:
            with pause_garbage_collection():
                silence_loading_bars()
                from lavie.cascade import Cascade  # torch, diffusers: seconds

                self._cascade = Cascade.from_pretrained(self._model)
        return self._cascade


def _run_stage(
    cascade: "Cascade",
    stage: StageName,
    request: Request,
    given: "Generation | None",
    on_event: OnEvent,
    cancel: CancelToken,
) -> "Generation":
    steps = request.num_steps[stage]
    if given is not None:
        go_on = getattr(cascade, "interpolate" if stage == "interpolation" else "upscale")
        return go_on(given, num_inference_steps=steps, on_event=on_event, cancel=cancel)
    assert isinstance(request, TextToVideoRequest)  # noqa: S101 - only it has a first stage
    return cascade.generate(
        prompt=request.prompt,
        stages=("base",),
        seed=request.seed,
        negative_prompt=request.negative_prompt,
        num_inference_steps=steps,
        guidance_scale=request.guidance_scale,
        scheduler=request.scheduler,
        height=request.height,
        width=request.width,
        num_frames=request.num_frames,
        on_event=on_event,
        cancel=cancel,
    )


def _write_files(generation: "Generation", stage: StageName, folder: Path, home: Path) -> Result:
    """Write a video as MP4, as enlarged MP4 if it is small, as GIF, beside what it was made from.

    Args:
        generation: The video.
        stage: Its last stage, after which the files are called.
        folder: Where they are written.
        home: Where they will be found, and whose name they bear.
    """
    from app.comparison import place_side_by_side
    from lavie.media import MAX_GIF_FPS, enlarge_frames, write_gif, write_recipe, write_video

    frames, fps, metadata = generation.frames, generation.fps, generation.metadata
    name = f"lavie-{home.name}-{texts.FILE_NAMES[stage]}"
    video = view = folder / f"{name}.mp4"
    write_video(video, frames, fps, metadata)
    scale = _VIEW_HEIGHT // frames.shape[1]
    if scale > 1:
        view = folder / f"{name}-large.mp4"
        write_video(
            view, (enlarge_frames(frame[None], scale)[0] for frame in frames), fps, metadata
        )
    gif = folder / f"{name}.gif"
    write_gif(gif, _resize_for_gif(frames), min(fps, MAX_GIF_FPS))
    comparison = None
    before: Any = getattr(generation, "previous", None)
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
    from lavie.media import enlarge_frames

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


def _time_one_step(cascade: "Cascade", num_frames: int) -> float:
    """Take two steps of a short video and time the second: the first one warms up."""
    cancel = CancelToken()
    ends: list[float] = []

    def on_event(event: Event) -> None:
        if isinstance(event, Progress):
            ends.append(time.perf_counter())
            if len(ends) == 2:
                cancel.cancel()  # nobody waits for the pictures

    with suppress(Cancelled):
        cascade.generate(
            "a",
            stages=("base",),
            num_inference_steps=3,
            num_frames=num_frames,
            on_event=on_event,
            cancel=cancel,
        )
    return ends[1] - ends[0]
