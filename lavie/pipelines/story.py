"""Stories: what a long video shows, line by line, and the parts it is made in."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from lavie.errors import InputError
from lavie.pipelines import limits

MAX_LINES = 200
MAX_SECONDS = 600.0
"""Of a whole story: ten minutes."""

_MAX_TEXT = 300_000  # no story needs more characters
_MAX_DIGITS = 19  # of a seed
_SEED_STEP = 0x9E3779B9
_UNIT = re.compile(r"(?:s|secs?|seconds?)$", re.IGNORECASE)


@dataclass(frozen=True)
class StoryLine:
    """What is to be seen for a while.

    Args:
        prompt: 1 to 1,000 characters.
        seconds: How long, above 0; None: as long as one call of the network makes.
        seed: Of the noise of this line; None: from the story's.
    """

    prompt: str
    seconds: float | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Part:
    """What one call of the network adds to a film.

    Args:
        index: Which part of the film, from 0.
        line: Which line of the story it belongs to, from 0.
        prompt: What it shows.
        seed: Of its noise.
        num_new: Frames that no part before it has shown.
    """

    index: int
    line: int
    prompt: str
    seed: int
    num_new: int


StoryLike = str | Sequence[StoryLine | str | Mapping[str, Any]]
"""A text as `read_story` takes it, or lines: whole ones, prompts alone, or their values."""


def read_story(story: StoryLike) -> tuple[StoryLine, ...]:
    """Read and check a story.

    Args:
        story: A text with one line for each part: a prompt, and behind a bar how many seconds it
            lasts, as ``a panda moving left over the ocean | 4``. Without seconds a line is one
            window of the network long; ``| seed 7`` at its end gives it a seed of its own. Empty
            lines and those that begin with ``#`` do not count. Or a sequence of lines.

    Returns:
        Its lines, at least one.

    Raises:
        InputError: There is none or too many, it is too long, or a line breaks a rule; the
            sentence says which.
    """
    is_text = isinstance(story, str)
    is_too_long = is_text and len(story) > _MAX_TEXT
    if is_text:
        lines = list(_lines_of(story[:_MAX_TEXT]))
        if is_too_long and len(lines) <= MAX_LINES:
            raise InputError(
                f"The story is {len(story):,} characters long. Use at most {_MAX_TEXT:,}.", "story"
            )
    elif isinstance(story, Sequence):
        lines = [_as_line(line) for line in story[: MAX_LINES + 1]]
    else:
        raise InputError(f"A {type(story).__name__} is no story. Give its lines.", "story")
    if not lines:
        raise InputError("The story has no lines. Write at least one sentence.", "story")
    if len(lines) > MAX_LINES:
        count = f"{len(lines) if is_text else len(story):,}"
        raise InputError(
            f"The story has {'at least ' if is_too_long else ''}{count} lines. Use at most "
            f"{MAX_LINES}; go on from the end of the film for more.",
            "story",
        )
    numbered = enumerate(lines, start=1)
    checked = tuple(_check_line(line, number, is_text) for number, line in numbered)
    total = sum(line.seconds or 0 for line in checked)
    if total > MAX_SECONDS:
        raise InputError(
            f"The story lasts {total:g} seconds. Use at most {MAX_SECONDS:g}; go on from the end "
            "of the film for more.",
            "story",
        )
    return checked


def story_json(story: Sequence[StoryLine]) -> list[dict[str, Any]]:
    """A story as a recipe holds it, and as `read_story` takes it again."""
    return [asdict(line) for line in story]


def prompts_of(recipe: Mapping[str, Any]) -> list[str]:
    """What each line of a recipe's story shows; its one prompt where it has no story, if any."""
    story = recipe.get("story")
    if isinstance(story, list) and story and all(isinstance(line, Mapping) for line in story):
        return [line.get("prompt", "") for line in story]
    return [recipe["prompt"]] if "prompt" in recipe else []


def common_prompt(recipe: Mapping[str, Any]) -> str:
    """What all of a recipe's video shows; nothing where its lines show different things."""
    prompts = prompts_of(recipe)
    return prompts[0] if prompts and prompts.count(prompts[0]) == len(prompts) else ""


def plan_parts(
    story: Sequence[StoryLine],
    seed: int,
    fps: float,
    window: int,
    num_given: int,
    num_at_first: int,
    ends_as_given: bool = False,
    num_shown: int = 0,
) -> tuple[Part, ...]:
    """Share a story out over calls of the network.

    A call makes ``window`` frames of which the first ``num_given`` are the end of what is there.
    What a line does not need of its last window is left out, so that every line lasts as long as it
    says, to a frame.

    Args:
        story: Its lines.
        seed: Of the whole; every part draws its own from it, unless its line has one.
        fps: Frames per second.
        window: F, frames of one call.
        num_given: K, how many of the last frames a call is given.
        num_at_first: How many frames the first call is given, at most K.
        ends_as_given: Whether the last frame is given too, so that nothing may be left out of the
            last window.
        num_shown: Frames of the first line that are there: 1 where it begins with a picture.

    Returns:
        The parts in their order, at least one for each line.
    """
    parts: list[Part] = []
    elapsed, shown = 0.0, num_shown
    there = num_at_first
    for number, line in enumerate(story):
        missing = window - there if line.seconds is None else 0
        if line.seconds is not None:
            elapsed += line.seconds
        else:
            elapsed += (missing + (num_shown if number == 0 else 0)) / fps
        missing = missing or max(round(elapsed * fps) - shown, 1)
        shown += missing
        first = len(parts)
        while missing > 0:
            whole = window - there
            num_new = min(missing, whole)
            if ends_as_given and number == len(story) - 1 and missing <= whole:
                num_new = whole
            own = seed if line.seed is None else line.seed
            offset = len(parts) if line.seed is None else len(parts) - first
            drawn = (own + offset * _SEED_STEP) % (limits.MAX_SEED + 1)
            parts.append(Part(len(parts), number, line.prompt, drawn, num_new))
            missing -= num_new
            there = min(there + num_new, num_given)
    return tuple(parts)


def places_in(num_frames: int, fps: float, own_fps: float, count: int | None = None) -> list[int]:
    """Which frames of a given video are shown where it goes on as a film: it keeps its speed.

    Of a faster video some frames are left out, of a slower one some are repeated.

    Args:
        num_frames: It has.
        fps: Its frames per second; below one it is taken for one.
        own_fps: Frames per second of the film.
        count: At most so many, from the end; None: all.

    Returns:
        Their places, in their order; the last frame is always the last. Of no frames none.
    """
    last, pace = num_frames - 1, max(fps, 1.0) / own_fps
    there = int(last / pace) + 1 if num_frames else 0
    wanted = there if count is None else min(there, count)
    return [last - int(back * pace + 0.5) for back in reversed(range(wanted))]  # halves one way


def rest_of(parts: Sequence[Part], num_done: int, fps: float) -> list[StoryLine]:
    """What is left of a story when its first parts are done; its noise stays what it would be.

    Args:
        parts: Of `plan_parts`.
        num_done: How many of them are done.
        fps: Frames per second.
    """
    left: dict[int, StoryLine] = {}
    for part in parts[num_done:]:
        line = left.get(part.line, StoryLine(part.prompt, 0.0, part.seed))
        left[part.line] = replace(line, seconds=(line.seconds or 0.0) + part.num_new / fps)
    return list(left.values())


def _lines_of(text: str) -> Iterator[StoryLine]:
    for line in text.splitlines():
        line = line.strip().removeprefix("\ufeff")
        if not line or line.startswith("#"):
            continue
        line, seed = _without_seed(line)
        prompt, bar, seconds = line.rpartition("|")
        if bar:
            line, seconds = prompt.strip(), _UNIT.sub("", seconds.strip()).strip()
        yield StoryLine(line, seconds if bar else None, seed)  # type: ignore[arg-type]  # checked with all others


def _without_seed(line: str) -> tuple[str, int | str | None]:
    before, bar, behind = line.rpartition("|")
    word, _, number = " ".join(behind.split()).partition(" ")
    if not bar or word.lower() != "seed":
        return line, None
    is_number = number.isdecimal() and len(number) <= _MAX_DIGITS
    return before.rstrip(), int(number) if is_number else f"{number:.40}"


def _as_line(line: StoryLine | str | Mapping[str, Any]) -> StoryLine:
    if isinstance(line, StoryLine):
        return line
    if isinstance(line, str):
        return StoryLine(line)
    if not isinstance(line, Mapping):
        raise InputError(f"A {type(line).__name__} is no line of a story. Give a text.", "story")
    for name in line:
        limits.check_choice(str(name), ("prompt", "seconds", "seed"), "story")
    return StoryLine(line.get("prompt", ""), line.get("seconds"), line.get("seed"))


def _check_line(line: StoryLine, number: int, is_text: bool) -> StoryLine:
    where = f"Line {number} of the story"
    if isinstance(line.prompt, str) and not line.prompt.strip():
        raise InputError(f"{where} is empty. Write what is to be seen, or remove it.", "story")
    try:
        limits.check_prompt(line.prompt)
        seed = None if line.seed is None else limits.check_seed(line.seed)
    except InputError as error:
        raise InputError(f"{where}: {error}", "story") from error
    if line.seconds is None:
        return StoryLine(line.prompt, None, seed)
    try:
        seconds = float(line.seconds)
    except (TypeError, ValueError, OverflowError):
        seconds = float("nan")
    if not 0 < seconds <= MAX_SECONDS:
        way_out = f"Write it as: {line.prompt:.40} | 4" if is_text else "Give it 2, for example."
        rule = f"a number above 0 and up to {MAX_SECONDS:g}"
        told = f"{line.seconds!s:.40}".strip()
        said = f"is to last '{told}' seconds, which is not" if told else "needs its seconds,"
        raise InputError(f"{where} {said} {rule}. {way_out}", "story")
    return StoryLine(line.prompt, seconds, seed)
