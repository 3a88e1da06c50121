"""What a request may ask for, checked at the door, before anything slow is imported or loaded."""

import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from lavie.errors import InputError
from lavie.types import CASCADE_STAGES, SchedulerName

MAX_PROMPT_LENGTH = 1000
MAX_INFERENCE_STEPS = 1000
MAX_GUIDANCE_SCALE = 50.0
MAX_FPS = 120
MAX_SEED = 2**63 - 1
MAX_SIZE_RATIO = 16
"""A video may hold this many times the pixels of the model's own default video."""
MIN_VIDEO_SIDE, MAX_VIDEO_SIDE = 8, 4096
MIN_PICTURE_SIDE = 16
MAX_PICTURE_RATIO = 4


def check_prompt(prompt: Any, field: str = "prompt") -> str:  # noqa: ANN401 - a page sends anything
    """Give ``prompt`` if it is a text of 1 to 1,000 characters; a negative one may be empty.

    Raises:
        InputError: The prompt breaks the rule.
    """
    name = _name(field)
    if not isinstance(prompt, str):
        raise InputError(f"{name} must be text, not {type(prompt).__name__}.", field)
    if field == "prompt" and not prompt.strip():
        raise InputError("The prompt is empty. Describe the video in a few words.", field)
    if len(prompt) > MAX_PROMPT_LENGTH:
        raise InputError(
            f"{name} has {len(prompt):,} characters. Use at most {MAX_PROMPT_LENGTH:,}.", field
        )
    if any("\ud800" <= character <= "\udfff" for character in prompt):
        raise InputError(f"{name} has bytes in it that are no text. Type it in UTF-8.", field)
    return prompt


def check_optional_prompt(prompt: Any) -> str:  # noqa: ANN401
    """Give ``prompt`` as `check_prompt` does, or an empty text where there is none.

    Raises:
        InputError: The prompt breaks the rule.
    """
    if prompt is None or (isinstance(prompt, str) and not prompt.strip()):
        return ""
    return check_prompt(prompt)


def check_whole_number(value: Any, field: str, low: int, high: int) -> int:  # noqa: ANN401
    """Give ``value`` as an int if it is a whole number in ``[low, high]``.

    Raises:
        InputError: It is not.
    """
    name = _name(field)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    try:
        number = operator.index(value)  # pyright: ignore[reportArgumentType] - that is the test
    except TypeError:
        raise InputError(f"{name} {value} is not a whole number.", field) from None
    if isinstance(value, bool) or not low <= number <= high:
        raise InputError(f"{name} {value} is not between {low} and {high}.", field)
    return number


def check_yes_or_no(value: Any, field: str) -> bool:  # noqa: ANN401
    """Give ``value`` if it is True or False.

    Raises:
        InputError: It is neither, as the text "no" is.
    """
    if not isinstance(value, bool):
        raise InputError(f"{_name(field)} {value!r} is neither True nor False. Use one.", field)
    return value


def check_guidance_scale(value: Any) -> float:  # noqa: ANN401
    """Give ``value`` as a float if it is a number in ``[0, 50]``; up to 1 means no guidance.

    Raises:
        InputError: It is not.
    """
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 <= number <= MAX_GUIDANCE_SCALE:
        raise InputError(
            f"Guidance scale {value} is not a number between 0 and {MAX_GUIDANCE_SCALE:g}.",
            "guidance_scale",
        )
    return number


def check_scheduler(name: Any) -> SchedulerName:  # noqa: ANN401
    """Give ``name`` if it is a scheduler we have.

    Raises:
        InputError: It is not.
    """
    check_choice(name, get_args(SchedulerName), "scheduler")
    return name


def check_choice(value: Any, choices: Sequence[str], field: str) -> None:  # noqa: ANN401
    """Raise unless ``value`` is one of the choices.

    Raises:
        InputError: It is not.
    """
    if value not in choices:
        raise InputError(f"{_name(field)} '{value}' is not one of {', '.join(choices)}.", field)


def check_steps(value: Any) -> int:  # noqa: ANN401
    """Give ``value`` as an int if it is a number of denoising steps, 1 to 1000.

    Raises:
        InputError: It is not.
    """
    return check_whole_number(value, "num_inference_steps", 1, MAX_INFERENCE_STEPS)


def check_slice_size(value: Any, field: str) -> int:  # noqa: ANN401
    """Give ``value`` as an int if it is a number of frames for the VAE to work on at once.

    Raises:
        InputError: It is not between 1 and 65,536.
    """
    return check_whole_number(value, field, 1, 2**16)


def check_fps(value: Any) -> int:  # noqa: ANN401
    """Give ``value`` as an int if it is a playing speed, 1 to 120 frames per second.

    Raises:
        InputError: It is not.
    """
    return check_whole_number(value, "fps", 1, MAX_FPS)


def check_speed(value: Any) -> float:  # noqa: ANN401
    """Give ``value`` as a float if a given video can play at so many frames per second.

    Raises:
        InputError: It is not above 0 and finite.
    """
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 < number < math.inf:
        raise InputError(f"{value} frames per second is not a number above 0.", "fps")
    return number


def check_seed(seed: Any) -> int:  # noqa: ANN401
    """Give ``seed`` as an int if it is a whole number in ``[0, 2**63)``.

    Raises:
        InputError: It is not.
    """
    return check_whole_number(seed, "seed", 0, MAX_SEED)


def check_given(settings: Mapping[str, Any]) -> None:
    """Check what can be checked without knowing the model; None stands for the model's own value.

    Raises:
        InputError: A value breaks its rule.
    """
    checks = {
        "num_inference_steps": check_steps,
        "guidance_scale": check_guidance_scale,
        "scheduler": check_scheduler,
        "fps": check_fps,
    }
    for name, check in checks.items():
        if settings.get(name) is not None:
            check(settings[name])
    for stage in settings.get("stages") or ():
        check_choice(stage, CASCADE_STAGES, "stages")


def check_size(
    height: Any,  # noqa: ANN401
    width: Any,  # noqa: ANN401
    num_frames: Any,  # noqa: ANN401
    factor: int,
    default_size: tuple[int, int, int],
) -> tuple[int, int, int]:
    """Give height, width and number of frames if a model can make such a video.

    Args:
        height: Pixels, a multiple of ``factor``, at least ``4 * factor``.
        width: As ``height``.
        num_frames: At least 1.
        factor: How much smaller latents are than pixels: the VAE's factor.
        default_size: Height, width and frames the model was made for; a request may hold at most
            16 times as many pixels.

    Raises:
        InputError: One of them breaks its rule.
    """
    largest = MAX_SIZE_RATIO * math.prod(default_size)
    frames = check_whole_number(num_frames, "num_frames", 1, largest // (4 * factor) ** 2)
    sides = []
    for field, value in (("height", height), ("width", width)):
        side = check_whole_number(value, field, 4 * factor, largest // (4 * factor))
        if side % factor:
            below = max(side // factor, 4) * factor
            raise InputError(
                f"{field.capitalize()} {side} is not a multiple of {factor}. "
                f"Use {below} or {below + factor}.",
                field,
            )
        sides.append(side)
    if sides[0] * sides[1] * frames > largest:
        rows, columns, usual = default_size
        raise InputError(
            f"A video of {sides[1]}x{sides[0]} with {frames} frames is more than {MAX_SIZE_RATIO} "
            f"times this model's own {columns}x{rows} with {usual}. Make it smaller or shorter.",
            "width",
        )
    return sides[0], sides[1], frames


def check_picture_shape(width: int, height: int, field: str, name: str = "That picture") -> None:
    """Raise unless a film can begin or end with such a picture: of a thin one little would be left.

    Args:
        width: Pixels, at least 16.
        height: As ``width``; neither side is more than 4 times the other.
        field: Of the request.
        name: How the sentence is to call the picture.

    Raises:
        InputError: A film can't.
    """
    shortest, longest = sorted((width, height))
    if shortest < MIN_PICTURE_SIDE:
        way_out = f"Give one of at least {MIN_PICTURE_SIDE} on each side."
        raise InputError(f"{name} is {width}x{height} pixels. {way_out}", field)
    if longest > MAX_PICTURE_RATIO * shortest:
        raise InputError(
            f"{name} is {width}x{height} pixels, of which most would be cut off. Give one "
            f"whose longer side is at most {MAX_PICTURE_RATIO} times the shorter.",
            field,
        )


def check_one_seed(seeds: Sequence[int | None]) -> None:
    """Raise if a later line of a story has a seed of its own, where the film is made at once.

    Args:
        seeds: Of the lines.

    Raises:
        InputError: One has.
    """
    for number, seed in enumerate(seeds[1:], start=2):
        if seed is not None:
            raise InputError(
                f"Line {number} of the story has a seed of its own, but this model makes a film at "
                "once, from one seed. Leave it out.",
                "story",
            )


def check_video_size(width: int, height: int) -> None:
    """Raise unless a stage can be given a video of that size, or a film go on from one.

    Args:
        width: Pixels, `MIN_VIDEO_SIDE` to `MAX_VIDEO_SIDE`.
        height: As ``width``.

    Raises:
        InputError: It can't.
    """
    if min(height, width) < MIN_VIDEO_SIDE or max(height, width) > MAX_VIDEO_SIDE:
        raise InputError(
            f"The video is {width}x{height}; height and width must be between {MIN_VIDEO_SIDE} "
            f"and {MAX_VIDEO_SIDE}. Resize it.",
            "video",
        )


def _name(field: str) -> str:
    """A field as it begins a sentence."""
    if field == "num_given":
        return "Number of given frames"
    return field.removeprefix("num_").replace("_", " ").capitalize()
