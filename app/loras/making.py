"""Trains a LoRA and makes a video with it; the server puts it on the shelf when that is done."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app.jobs.worker import Task
from app.loras.attaching import loras_on
from app.loras.files import sample_file, training_folder
from app.loras.request import LoraTrainingRequest
from app.loras.use import LoraUse
from app.result import Result
from lavie.errors import InputError
from lavie.types import CancelToken, Event, Frames, OnEvent, Preview, Progress
from lora.header import hash_file
from lora.recipe import recipe_of

if TYPE_CHECKING:
    from lavie.cascade import Cascade
    from lora.settings import PersonalConfig

CheckFrames = Callable[[Frames], None]
_SAMPLE_FPS = 8


def make_lora(
    request: LoraTrainingRequest,
    task: Task,
    model: str,
    load: Callable[[], "Cascade"],
    check: CheckFrames,
    on_event: OnEvent,
    cancel: CancelToken,
) -> Iterator[Result]:
    """Train a LoRA, from where it stopped if it did, and show it in a video.

    Args:
        request: What to learn.
        task: Says where, and whether to end early.
        model: What `lavie.Cascade.from_pretrained` takes.
        load: Gives the same model, to make the video.
        check: Raises unless frames may be shown.
        on_event: Hears of every step.
        cancel: Looked at once per step; what was learnt is kept, to be gone on with.

    Yields:
        The video.

    Raises:
        Cancelled: ``cancel`` was set.
        LaVieError: The model or the pictures cannot be used, or the video may not be shown.
    """
    from lora.train import train_lora

    watch = _Watch(task.folder, on_event)
    config = _config(request, model, training_folder(task.folder))
    finish = task.finish or CancelToken()
    if task.is_finishing:
        finish.cancel()
    file = train_lora(config, watch.hear, cancel, finish, partial(_may_show, check))
    seconds, num_steps = watch.took()
    cancel.raise_if_cancelled()
    result = _show(load(), request, file, task.folder, check, on_event, cancel)
    worked = replace(request.training, num_steps=num_steps)
    yield replace(result, seconds=seconds, worked=worked)


class _Watch:
    """Passes events on, keeps the sample videos, and counts steps and seconds."""

    def __init__(self, folder: Path, on_event: OnEvent) -> None:
        self._folder = folder
        self._on_event = on_event
        self._begun = time.perf_counter()
        self._num_steps = 0

    def hear(self, event: Event) -> None:
        if isinstance(event, Progress) and event.stage == "lora":
            self._num_steps += 1
        elif isinstance(event, Preview):
            self._keep(event)
        self._on_event(event)

    def took(self) -> tuple[float, int]:
        """Seconds so far, and the steps that were taken in them."""
        return time.perf_counter() - self._begun, self._num_steps

    def _keep(self, sample: Preview) -> None:
        from app.files import make_small
        from lavie.media import write_webp

        file = sample_file(self._folder, sample.step)
        write_webp(file, make_small(sample.frames), _SAMPLE_FPS)


def _may_show(check: CheckFrames, frames: Frames) -> bool:
    """Whether anybody gets to see a sample, on the page or as the picture of the file."""
    try:
        check(frames)
    except InputError:
        return False
    return True


def _config(request: LoraTrainingRequest, model: str, output: Path) -> "PersonalConfig":
    from lora.settings import PersonalConfig

    return PersonalConfig(
        model=model,
        output=output,
        images=tuple(picture.file for picture in request.pictures),
        captions=request.captions,
        tells_captions=request.keeps_pictures,
        name=request.name,
        token=request.token,
        class_word=request.class_word,
        kind=request.lora_kind,
        effort=request.effort,
        num_steps=request.num_steps_asked,
        sample_prompts=(request.sample_prompt,),
        seed=request.seed,
    )


def _show(
    cascade: "Cascade",
    request: LoraTrainingRequest,
    file: Path,
    folder: Path,
    check: CheckFrames,
    on_event: OnEvent,
    cancel: CancelToken,
) -> Result:
    """The files of a video that is made with the LoRA."""
    from app.files import write_files

    use = LoraUse("", 1.0, request.name, request.token, hash_file(file), file)
    with loras_on(cascade, (use,), "base"):
        generation = cascade.generate(
            request.sample_prompt, seed=request.seed, on_event=on_event, cancel=cancel
        )
    check(generation.frames)
    metadata = generation.metadata | recipe_of((use,))
    return write_files(replace(generation, metadata=metadata), "base", folder, cancel)
