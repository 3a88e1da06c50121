"""Owns the model: turns one request into the files of one video, stage by stage."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from app import texts
from app.request import Request, StageRequest, TextToVideoRequest, next_stages
from app.result import Effort, Result
from lavie.errors import Cancelled, InputError
from lavie.runtime.loading import pause_garbage_collection, silence_loading_bars
from lavie.types import CancelToken, Event, OnEvent, Progress, StageName

if TYPE_CHECKING:
    from lavie.cascade import Cascade, Generation

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
        from app.files import write_files

        cascade = self._load()
        generation = None
        if isinstance(request, StageRequest):
            generation = self._recall(request.given[-1])
        for stage in request.new_stages:
            cancel.raise_if_cancelled()
            generation = _run_stage(cascade, stage, request, generation, on_event, cancel)
            cancel.raise_if_cancelled()
            result = write_files(generation, stage, folder, cancel)
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
        go_on = cascade.interpolate if stage == "interpolation" else cascade.upscale
        return go_on(given, num_inference_steps=steps, on_event=on_event, cancel=cancel)
    request = cast(TextToVideoRequest, request)  # only it has a first stage
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
