"""Owns the model: turns one request into the files of one video, stage by stage."""

import gc
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from app import texts
from app.films.making import make_film
from app.films.request import FilmRequest
from app.jobs.wire import Setup
from app.jobs.worker import Task
from app.long_results import enhance, open_result
from app.loras.attaching import loras_on
from app.loras.making import make_lora
from app.loras.request import LoraTrainingRequest
from app.request import Request, TextToVideoRequest
from app.result import Effort, Result
from app.safety import Checker, check_frames, load_checker
from lavie.errors import Cancelled, ConfigError
from lavie.runtime.loading import pause_garbage_collection, silence_loading_bars
from lavie.runtime.profiles import AUTO, ProfileName, next_smaller
from lavie.types import CancelToken, Event, FrameSequence, OnEvent, Preview, Progress, StageName
from lora.recipe import recipe_of

if TYPE_CHECKING:
    import torch

    from lavie.cascade import Cascade, Generation

_FEW_FRAMES = 4
_SECONDS_OF_A_QUICK_STEP = 1.0
_SAMPLE_STEPS = 5
_SAMPLE_SECONDS = 1.0
"""After so long no more steps of a sample are taken, beyond the second."""


class CascadeRunner:
    """Runs requests on a cascade, which it loads on first use.

    Args:
        model: What `lavie.Cascade.from_pretrained` takes.
        safety: Name of a checker that every video has to pass: see `app.safety`.
        profile: What to do about memory in jobs that do not say.
        stages: Models that later stages are loaded from instead.
    """

    def __init__(
        self,
        model: str,
        safety: str | None = None,
        profile: ProfileName = AUTO,
        stages: Mapping[StageName, str] | None = None,
    ) -> None:
        self.setup: Setup | None = None
        self._model = model
        self._stages = stages
        self._safety = safety
        self._profile: ProfileName = profile
        self._asked: ProfileName = profile
        self._smaller: ProfileName | None = None
        self._checker: Checker | None = None
        self._cascade: Cascade | None = None

    def prepare(self) -> tuple[Effort, float]:
        """Load the model, once, and see how many seconds one step of a video takes here.

        Of a short one first; where that is quick, of a whole one: what a step takes anyway weighs
        more in a short one, so that much larger work would be judged by it.
        """
        cascade = self._load()
        config = cascade.base.config
        usual = config.default_num_frames
        num_frames = min(usual, _FEW_FRAMES)
        seconds = _time_one_step(cascade, num_frames)
        if num_frames < usual and seconds * usual / num_frames < _SECONDS_OF_A_QUICK_STEP:
            num_frames, seconds = usual, _time_one_step(cascade, usual)
        shape = num_frames, config.default_height, config.default_width
        return Effort("base", 1, *shape), seconds

    def load_all(self) -> None:
        """Load every stage, as a process must that is to be forked for each job."""
        cascade = self._load()
        for stage in cascade.loaded.names:
            cascade.pipeline(stage)

    def run(self, task: Task, on_event: OnEvent, cancel: CancelToken) -> Iterator[Result]:
        """Run the stages; what a stage made is in the folder when all its files are written.

        Raises:
            Cancelled: ``cancel`` was set.
            InputError: The frames of the video to go on from are gone.
            ConfigError: The server wants videos checked, or has a stage, and the runner cannot.
            LaVieError: The model cannot be loaded or refuses the request, or the safety checker
                refuses the video.
        """
        from app.files import write_files

        if task.is_checked and self._safety is None:
            raise ConfigError(texts.NOT_CHECKED)
        if isinstance(task.request, LoraTrainingRequest):
            yield from self._train(task.request, task, on_event, cancel)
            return
        cascade = self._load(task.profile or self._profile, task.is_memory_short)
        _check_stages(cascade, task)
        if self._checker is not None:
            on_event = _without_previews(on_event)  # nobody has looked at those
        clock = _Clock(on_event)
        given, generation = task.results[-1] if task.results else None, None
        with ExitStack() as files:
            for stage in task.request.stages[len(task.results) :]:
                cancel.raise_if_cancelled()
                if isinstance(task.request, FilmRequest) and stage == "long_video":
                    film = task.request, task.folder, clock.hear, cancel, self._check
                    with loras_on(cascade, task.request.loras, stage):
                        for given in make_film(cascade, *film):
                            yield given
                    continue
                if generation is None and given is not None:
                    generation = open_result(given, files)
                work = _Work(cascade, stage, task.request, clock.hear, cancel)
                generation = _run_stage(work, generation, task.folder, files)
                made = time.perf_counter()
                cancel.raise_if_cancelled()
                self._check(generation.frames)
                result = write_files(generation, stage, task.folder, cancel)
                now = time.perf_counter()
                seconds, seconds_after = result.seconds + now - made, now - clock.last_step
                yield replace(result, seconds=seconds, seconds_after=seconds_after)

    def _train(
        self,
        request: LoraTrainingRequest,
        task: Task,
        on_event: OnEvent,
        cancel: CancelToken,
    ) -> Iterator[Result]:
        """Train a LoRA; where memory ran short, with no other model in it meanwhile."""
        if task.results:
            return
        self._load_checker()
        if self._checker is not None:
            on_event = _without_previews(on_event)
        if task.is_memory_short:
            self._cascade = None
            gc.collect()

        def load() -> "Cascade":
            return self._load(task.profile or self._profile, task.is_memory_short)

        yield from make_lora(request, task, self._model, load, self._check, on_event, cancel)

    def _load_checker(self) -> None:
        if self._safety is not None and self._checker is None:
            self._checker = load_checker(self._safety)

    def _check(self, frames: FrameSequence) -> None:
        if self._checker is not None:
            check_frames(self._checker, frames)

    def _load(self, profile: ProfileName | None = None, is_memory_short: bool = False) -> "Cascade":
        """The cascade; once memory ran short, it gets along with less until told otherwise."""
        self._load_checker()
        profile = profile or self._asked
        if profile != self._asked:
            self._asked, self._smaller, self._cascade = profile, None, None
        elif is_memory_short and self._cascade is not None and self._smaller is None:
            smaller = next_smaller(self._cascade.profile)
            if smaller is not None:
                self._smaller, self._cascade = cast(ProfileName, smaller.name), None
        if self._cascade is None:
            gc.collect()  # an earlier one is not to be counted as memory in use
            with pause_garbage_collection():
                silence_loading_bars()
                from lavie.cascade import Cascade, choose_device  # torch, diffusers: seconds
                from lavie.runtime.memory import free_memory

                device = choose_device()
                free_bytes = free_memory(device)
                self._cascade = Cascade.from_pretrained(
                    self._model, profile=self._smaller or self._asked, stages=self._stages
                )
            self.setup = Setup(
                device=_name_of(device),
                profile=self._cascade.profile.name,
                asked=self._asked,
                free_bytes=free_bytes,
                ran_short=self._smaller is not None,
                model_hash=self._cascade.model_hash,
            )
        return self._cascade


def _check_stages(cascade: "Cascade", task: Task) -> None:
    """See that a worker that was started by hand was told of the same stages as the server.

    Without those for films it would make one in another way, and not say so.
    """
    for stage in task.request.stages:
        if stage in task.stages and stage not in cascade.loaded.names:
            raise ConfigError(texts.stage_is_missing(stage))


def _name_of(device: "torch.device") -> str:
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return texts.DEVICE_NAMES[device.type]


class _Clock:
    """Passes events on, and notes when the latest step ended."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self.last_step = time.perf_counter()

    def hear(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.last_step = time.perf_counter()
        self._on_event(event)


def _without_previews(on_event: OnEvent) -> OnEvent:
    def hear(event: Event) -> None:
        if not isinstance(event, Preview):
            on_event(event)

    return hear


class _Work(NamedTuple):
    """A stage that is to run."""

    cascade: "Cascade"
    stage: StageName
    request: Request
    on_event: OnEvent
    cancel: CancelToken


def _run_stage(
    work: _Work, given: "Generation | None", folder: Path, files: ExitStack
) -> "Generation":
    cascade, stage, request, on_event, cancel = work
    steps = request.num_steps[stage]
    options = {"num_inference_steps": steps, "on_event": on_event, "cancel": cancel}
    if given is not None:
        run = cascade.interpolate if stage == "interpolation" else cascade.upscale
        return enhance(run, given, folder, files, options)
    request = cast(TextToVideoRequest, request)  # only it has a first stage
    with loras_on(cascade, request.loras, stage):
        generation = cascade.generate(
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
    return replace(generation, metadata=generation.metadata | recipe_of(request.loras))


def _time_one_step(cascade: "Cascade", num_frames: int) -> float:
    """Take a few steps of a video and give the quickest: the others warm up, or had to wait."""
    cancel = CancelToken()
    ends: list[float] = []

    def on_event(event: Event) -> None:
        if isinstance(event, Progress):
            ends.append(time.perf_counter())
            if len(ends) == _SAMPLE_STEPS or ends[-1] - ends[0] > _SAMPLE_SECONDS:
                cancel.cancel()  # nobody waits for the pictures

    with suppress(Cancelled):
        cascade.generate(
            "a",
            stages=("base",),
            num_inference_steps=_SAMPLE_STEPS + 1,
            num_frames=num_frames,
            on_event=on_event,
            cancel=cancel,
        )
    return min(end - begin for begin, end in pairwise(ends))
