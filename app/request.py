"""What a user may ask for, and the sentence each broken rule gets."""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Literal, cast, get_args

from app import texts
from app.films.request import FilmRequest
from app.loras.request import LoraTrainingRequest
from app.loras.use import LoraUse
from app.result import Effort, Result
from lavie.errors import InputError
from lavie.pipelines.limits import check_prompt, check_scheduler
from lavie.types import CASCADE_STAGES, Progress, SchedulerName, StageName

MAX_SEED = 2**32 - 1
STAGE_ORDER = CASCADE_STAGES
SMOOTHING_FACTOR = UPSCALING_FACTOR = 4
SCHEDULERS: tuple[SchedulerName, ...] = get_args(SchedulerName)


@dataclass(frozen=True)
class Range:
    """The numbers that one setting may take: the limits of its control and of the request.

    Args:
        minimum: Smallest value, included.
        maximum: Largest value, included.
        default: What the model was made for; None where no value is better than another.
        step: Values are multiples of it; 0 means any fraction.
    """

    minimum: float
    maximum: float
    default: float | None
    step: float = 1

    def check(self, value: object, field: str) -> float:
        """Return ``value`` as a number of this range.

        Raises:
            InputError: It is missing, no number, outside the range or between two steps.
        """
        name = field.removeprefix("num_").replace("_", " ").capitalize()
        limits = _plain(self.minimum), _plain(self.maximum)
        advice = texts.one_between(*limits) if self.default is None else _plain(self.default)
        if value is None or value == "":
            raise InputError(texts.number_is_missing(name, advice), field)
        value = _as_number(value)
        if isinstance(value, str):
            raise InputError(texts.not_a_number(name, value, advice), field)
        if not self.minimum <= value <= self.maximum:
            number = _plain(value)
            nearest = limits[value > self.minimum] if self.default is None else advice
            raise InputError(texts.out_of_range(name, number, *limits, nearest), field)
        if self.step and value % self.step:
            below = value // self.step * self.step
            nearest = _plain(below), _plain(below + self.step)
            sentence = texts.between_steps(name, _plain(value), _plain(self.step), *nearest)
            raise InputError(sentence, field)
        return int(value) if self.step else float(value)


def steps_range(usual: int) -> Range:
    """Denoising steps, of which a model's own number is always among those to choose."""
    return Range(1, max(100, usual), usual)


def _as_number(value: object) -> float | str:
    """Read a number as people type it; what is none comes back as text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = str(value).strip()
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def _plain(number: float) -> str:
    """A number as people write it: no ``.0``, no exponent for ordinary sizes."""
    if abs(number) > sys.float_info.max:
        return f"{Decimal(number):.0e}"  # also a whole number that no float could hold
    if not math.isfinite(number) or abs(number) >= 1e15:
        return f"{number:g}"
    return str(int(number)) if number == int(number) else f"{number:g}"


@dataclass(frozen=True)
class TextToVideoRequest:
    """One video to make. Every value has been checked; see `check_request`.

    Of what no field of the model says, ``loras`` are the LoRAs that it is made with.
    """

    prompt: str
    negative_prompt: str
    seed: int
    num_inference_steps: int
    guidance_scale: float
    scheduler: SchedulerName
    width: int
    height: int
    num_frames: int
    smooth: bool
    upscale: bool
    smoothing_steps: int
    upscaling_steps: int
    loras: tuple[LoraUse, ...] = ()
    kind: Literal["text_to_video"] = "text_to_video"

    @property
    def given(self) -> tuple[Result, ...]:
        """It starts from nothing."""
        return ()

    @property
    def stages(self) -> tuple[StageName, ...]:
        """The stages that it takes, in their order."""
        chosen = (True, self.smooth, self.upscale)
        return tuple(stage for stage, is_on in zip(STAGE_ORDER, chosen, strict=True) if is_on)

    @property
    def num_steps(self) -> dict[StageName, int]:
        """The denoising steps of each stage."""
        steps = self.num_inference_steps, self.smoothing_steps, self.upscaling_steps
        return dict(zip(STAGE_ORDER, steps, strict=True))


@dataclass(frozen=True)
class StageRequest:
    """One more stage for a video that is there.

    Args:
        given: The results up to the one to go on from, which is the last.
        stage: What to do with it.
        num_inference_steps: Denoising steps.
    """

    given: tuple[Result, ...]
    stage: StageName
    num_inference_steps: int
    kind: Literal["stage"] = "stage"

    @property
    def stages(self) -> tuple[StageName, ...]:
        """The stages of the video, the new one last."""
        return (*(result.stage for result in self.given), self.stage)

    @property
    def num_steps(self) -> dict[StageName, int]:
        """The denoising steps of the new stage."""
        return {self.stage: self.num_inference_steps}

    @property
    def seed(self) -> int:
        """All stages share it."""
        return self.given[-1].seed

    @property
    def prompt(self) -> str:
        """That of the video; empty if it was made without one."""
        return str(self.given[-1].metadata.get("prompt") or "")


Request = TextToVideoRequest | StageRequest | FilmRequest | LoraTrainingRequest
FIELDS = tuple(field.name for field in fields(TextToVideoRequest) if field.name != "kind")
LORAS = "loras"
"""The field of the LoRAs that a video or a film is made with."""

SWITCHES: dict[str, StageName] = {"smooth": "interpolation", "upscale": "super_resolution"}
STEP_FIELDS: dict[StageName, str] = {
    "base": "num_inference_steps",
    "interpolation": "smoothing_steps",
    "super_resolution": "upscaling_steps",
}


def check_request(
    values: Mapping[str, object],
    ranges: Mapping[str, Range],
    loras: tuple[LoraUse, ...] = (),
) -> TextToVideoRequest | list[InputError]:
    """Turn the values of a form into a request, or into everything that is wrong with them.

    Args:
        values: One value for each of `FIELDS`, as typed, but ``loras``.
        ranges: The `Range` of each number, from the model.
        loras: What it is to be made with, which was checked already.

    Returns:
        The request, or one error for each broken field, so that a form can show all at once.
    """
    errors: list[InputError] = []
    checked: dict[str, object] = {}
    for field in FIELDS:
        if field == LORAS:
            continue
        try:
            checked[field] = _check_field(field, values.get(field), ranges)
        except InputError as error:
            errors.append(error)
    return errors or TextToVideoRequest(**checked, loras=loras)  # type: ignore[arg-type]  # each was checked


def _check_field(field: str, value: object, ranges: Mapping[str, Range]) -> object:
    if field in ranges:
        return ranges[field].check(value, field)
    if field == "scheduler":
        return check_scheduler(value)
    if field in SWITCHES:
        return _check_switch(value, field)
    text = " ".join(value.split()) if isinstance(value, str) else value
    check_prompt(text, field)
    return text


def _check_switch(value: object, field: str) -> bool:
    if not isinstance(value, bool):
        raise InputError(texts.not_on_or_off(field, value), field)
    return value


def next_stages(stage: StageName) -> tuple[StageName, ...]:
    """What makes sense to do with a video whose last stage was this one: only what comes later."""
    later = STAGE_ORDER[1:]
    return later[later.index(stage) + 1 :] if stage in later else later


def effort_of(stage: StageName, num_steps: int, num_frames: int, height: int, width: int) -> Effort:
    """What a stage is asked to do with a video of this length and size.

    Of the first stage, length and size are those that it is to make.
    """
    if stage == "interpolation":
        num_frames = count_smooth_frames(num_frames)
    if stage == "super_resolution":
        height, width = UPSCALING_FACTOR * height, UPSCALING_FACTOR * width
    return Effort(stage, num_steps, num_frames, height, width)


def count_smooth_frames(num_frames: int) -> int:
    """Frames of a video that was smoothed: three new ones between every two."""
    return SMOOTHING_FACTOR * (num_frames - 1) + 1


def efforts_left(
    request: Request, results: Sequence[Result], progress: Progress | None
) -> list[Effort]:
    """Of `efforts_of` those that are not over: what comes before the one at hand has no result."""
    efforts = list(efforts_of(request, results))
    stages = [effort.stage for effort in efforts]
    at_hand = progress.stage if progress is not None else None
    return efforts[stages.index(at_hand) :] if at_hand in stages else efforts


def efforts_of(request: Request, results: Sequence[Result]) -> Iterator[Effort]:
    """What each stage of a request is asked to do that is still to come.

    Args:
        request: What to make.
        results: What is done of it, or was there before.
    """
    num_done = len(results)
    if isinstance(request, LoraTrainingRequest):
        yield from () if results else request.efforts
        return
    if results:
        latest = results[-1].effort
        shape = latest.num_frames, latest.height, latest.width
    elif isinstance(request, FilmRequest):
        yield request.effort
        num_done, shape = 1, request.shape
    else:
        request = cast(TextToVideoRequest, request)  # the other kind goes on from a result
        shape = request.num_frames, request.height, request.width
    for stage in request.stages[num_done:]:
        effort = effort_of(stage, request.num_steps[stage], *shape)
        shape = effort.num_frames, effort.height, effort.width
        yield effort
