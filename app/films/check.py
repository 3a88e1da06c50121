"""What is asked for of a film, checked against the model: a form, or what a program sends."""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from app.films.given import check_given, keep_given
from app.films.request import FilmRequest, GivenFile, Windows
from app.loras.choice import FindLora, choose_loras, find_none
from app.mistakes import Mistakes
from app.model_card import ModelCard
from app.request import MAX_SEED, SWITCHES, Range, steps_range
from app.texts import films as texts
from app.texts import no_such_stage, not_on_or_off
from lavie.errors import InputError
from lavie.pipelines.limits import MAX_SIZE_RATIO, check_choice, check_one_seed, check_prompt
from lavie.pipelines.story import StoryLine, places_in, read_story

NUMBER_FIELDS = (
    "seed",
    "overlap",
    "num_inference_steps",
    "guidance_scale",
    "smoothing_steps",
    "upscaling_steps",
)
FILM_FIELDS = (
    "story",
    "begin",
    "picture",
    "video",
    "ends",
    "end_picture",
    *SWITCHES,
    "negative_prompt",
    *NUMBER_FIELDS,
    "loras",
)
"""What a form has of a film. ``begin`` is nothing, picture or video; ``ends`` a switch."""

BEGINNINGS = ("nothing", "picture", "video")
_MAX_STORY_CHARACTERS = 2**20


def film_ranges(card: ModelCard) -> dict[str, Range]:
    """The numbers that the settings of a film may take, with the model's own defaults."""
    own = card.own_settings.get("long_video", {})
    steps = own.get("num_inference_steps") or card.ranges["num_inference_steps"].default or 1
    guidance = own.get("guidance_scale") or card.ranges["guidance_scale"].default
    last = windows_of(card).num_frames - 1
    return {
        "seed": card.ranges["seed"],
        "overlap": Range(1, last, min(own.get("num_given") or 1, last)),
        "num_inference_steps": steps_range(int(steps)),
        "guidance_scale": Range(1, 20, guidance, step=0),
        "smoothing_steps": card.ranges["smoothing_steps"],
        "upscaling_steps": card.ranges["upscaling_steps"],
    }


def windows_of(card: ModelCard) -> Windows:
    """How a model makes films."""
    own = {**card.own_settings.get("base", {}), **card.own_settings.get("long_video", {})}
    sides = (
        int(own.get(name) or card.ranges[name].default or 0)
        for name in ("num_frames", "height", "width")
    )
    return Windows(float(own.get("fps") or 8), *sides)


def window_seconds(card: ModelCard) -> tuple[float, float]:
    """How long a film's first line and every further one are if each is one window of the model."""
    windows = windows_of(card)
    overlap = film_ranges(card)["overlap"].default if card.goes_on_from_frames else 0
    num_more = windows.num_frames - int(overlap or 0)
    return windows.num_frames / windows.fps, num_more / windows.fps


def check_film(
    values: Mapping[str, object], card: ModelCard, data: Path, find: FindLora = find_none
) -> FilmRequest | list[InputError]:
    """Turn the values of a form into a film's request, or into everything wrong with them.

    Args:
        values: Of `FILM_FIELDS`, as typed; an empty seed asks for a new one. ``video`` may be a
            `GivenFile` that is there already.
        card: Of the model.
        data: The data folder, where what is given is kept.
        find: Gives a LoRA by its id.
    """
    is_at_once = not card.goes_on_from_frames
    if is_at_once and (values.get("begin") != "nothing" or values.get("ends")):
        return [InputError(texts.NO_NETWORK, "begin")]
    errors = Mistakes()
    checked = errors.checked
    seed = values.get("seed")
    typed = {**values, "seed": random.randint(0, MAX_SEED) if seed in (None, "") else seed}
    ranges = film_ranges(card)
    loras = checked(choose_loras, values.get("loras"), find, card.name, card.model_hash) or ()
    known = card.with_words(use.token for use in loras)
    story = checked(read_known_story, values.get("story"), known)
    numbers = {name: checked(ranges[name].check, typed.get(name), name) for name in NUMBER_FIELDS}
    switches = {name: checked(_check_switch, values.get(name), name, card) for name in SWITCHES}
    negative = checked(_check_text, values.get("negative_prompt"), "negative_prompt")
    start = checked(_check_start, values, data)
    end = checked(_check_end, values, data)
    if end is not None and numbers["overlap"] is not None:
        checked(_check_room, numbers["overlap"], windows_of(card).num_frames)
    if errors:
        return errors
    overlap = 0 if is_at_once else int(numbers["overlap"] or 0)
    del numbers["overlap"]
    num_before, num_at_first = _given_frames(start, overlap, windows_of(card).fps)
    request = FilmRequest(
        story=story,
        negative_prompt=negative,
        num_given=overlap,
        **numbers,
        **switches,
        windows=windows_of(card),
        start=start,
        end=end,
        num_before=num_before,
        num_at_first=num_at_first,
        loras=loras,
        model=card.name,
    )
    checked(check_story, request, card)
    return errors or request


def check_story(request: FilmRequest, card: ModelCard) -> None:
    """See that a film that is made at once is not longer than such a film can be, and has one seed.

    Raises:
        InputError: It is, or has more.
    """
    if card.goes_on_from_frames:
        return
    check_one_seed([line.seed for line in request.story])
    longest = MAX_SIZE_RATIO * request.windows.num_frames
    if request.shape[0] > longest:
        raise InputError(texts.too_long_at_once(longest / request.windows.fps), "story")


def read_form_story(story: object) -> tuple[StoryLine, ...]:
    """Read a story as the page holds it, or as programs send it.

    Args:
        story: JSON of a list of lines, a text with one line for each part, or a list.

    Raises:
        InputError: It breaks a rule.
    """
    if isinstance(story, str) and story.lstrip().startswith("["):
        try:
            if len(story) > _MAX_STORY_CHARACTERS:
                raise ValueError("too long")
            story = json.loads(story)
        except (ValueError, RecursionError) as error:
            raise InputError(texts.STORY_UNREADABLE, "story") from error
    if isinstance(story, list):
        story = [_clean_line(line) for line in story]
    return read_story(story or "")  # type: ignore[arg-type]  # which it checks


def read_known_story(story: object, card: ModelCard) -> tuple[StoryLine, ...]:
    """`read_form_story`, of which the model has to understand something of every line.

    Raises:
        InputError: A line breaks a rule, or the model knows none of its words.
    """
    lines = read_form_story(story)
    for number, line in enumerate(lines, start=1):
        if card.knows_nothing_of(line.prompt):
            raise InputError(texts.line_is_unknown(number), "story")
    return lines


def without_seeds(story: object) -> object:
    """A story as the page holds it, with only those seeds that somebody has typed."""
    try:
        rows = json.loads(story) if isinstance(story, str) else None
    except (ValueError, RecursionError):
        return story  # which is refused when it is read
    if not isinstance(rows, list):
        return story
    for row in rows:
        if isinstance(row, dict) and not row.get("typed"):
            row.pop("seed", None)
    return json.dumps(rows, ensure_ascii=False)


def written_rows(story: object) -> list[tuple[int, dict[str, Any]]]:
    """The rows of an editor in which something is written, with their numbers from 1.

    For hints while somebody writes: nothing is refused here.
    """
    try:
        rows = json.loads(story) if isinstance(story, str) else story
    except (ValueError, RecursionError):
        return []
    return [
        (number, row)
        for number, row in enumerate(rows if isinstance(rows, list) else [], start=1)
        if isinstance(row, dict) and isinstance(row.get("prompt"), str) and row["prompt"].strip()
    ]


def check_kept_video(file: Path) -> GivenFile:
    """A video that was made here, to go on from.

    Raises:
        InputError: It is gone.
    """
    if not file.is_file():
        raise InputError(texts.NOT_A_FILM, "video")
    return GivenFile(file, "video", file.name)


def _clean_line(line: object) -> object:
    """A line of a form: one space between words; the seed a number, as a browser holds text."""
    if isinstance(line, str):
        return " ".join(line.split())
    if not isinstance(line, dict):
        return line
    cleaned = {name: value for name, value in line.items() if name != "typed"}
    if isinstance(cleaned.get("prompt"), str):
        cleaned["prompt"] = " ".join(cleaned["prompt"].split())
    seed = cleaned.get("seed")
    if isinstance(seed, str) and seed.isdecimal() and len(seed) < 20:
        cleaned["seed"] = int(seed)
    return cleaned


def _check_switch(value: object, field: str, card: ModelCard) -> bool:
    if not isinstance(value, bool):
        raise InputError(not_on_or_off(field, value), field)
    if value and SWITCHES[field] not in card.stages:
        raise InputError(no_such_stage(SWITCHES[field]), field)
    return value


def _check_text(value: object, field: str) -> str:
    return check_prompt(" ".join(value.split()) if isinstance(value, str) else value, field)


def _check_start(values: Mapping[str, object], data: Path) -> GivenFile | None:
    begin = values.get("begin")
    check_choice(begin, BEGINNINGS, "begin")
    if begin == "picture":
        picture = values.get("picture")
        return _check_file(picture, "picture", "picture", texts.NO_PICTURE, data)
    if begin == "video":
        return _check_file(values.get("video"), "video", "video", texts.NO_VIDEO, data)
    return None


def _check_end(values: Mapping[str, object], data: Path) -> GivenFile | None:
    if not values.get("ends"):
        return None
    given = values.get("end_picture")
    return _check_file(given, "picture", "end_picture", texts.NO_END_PICTURE, data)


def _check_room(overlap: int, window: int) -> None:
    """See that a window has a new frame between those given and the picture at its end."""
    if overlap > window - 2:
        raise InputError(texts.no_room_before_end(overlap, window - 2), "overlap")


def _check_file(
    given: object, kind: Literal["picture", "video"], field: str, missing: str, data: Path
) -> GivenFile:
    if isinstance(given, GivenFile):
        return given
    if not isinstance(given, str | Path) or not str(given):
        raise InputError(missing, field)
    check_given(Path(given), kind, field)
    try:
        return keep_given(Path(given), kind, data)
    except InputError as error:
        raise InputError(str(error), field) from error


def _given_frames(start: GivenFile | None, num_given: int, fps: float) -> tuple[int, int]:
    """How many frames stand before a film, and how many its first part is given."""
    if start is None:
        return 0, 0
    if start.kind == "picture":
        return 0, 1
    from lavie.media import open_video

    with open_video(start.file) as video:
        num_before = len(places_in(len(video), video.fps, fps))
    return num_before, min(num_before, num_given)
