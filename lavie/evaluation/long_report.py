"""The report on long films: a file, a table and a picture."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from lavie.data.world import contact_sheet
from lavie.evaluation.long_films import MeasuredStory, PartReading
from lavie.evaluation.long_rows import (
    film_rows,
    picture_rows,
    story_rows,
    transition_rows,
)
from lavie.evaluation.measured import write_json
from lavie.evaluation.rows import Row, rows_table
from lavie.evaluation.still_films import MeasuredStill
from lavie.types import Frames

CHECKED = 5
"""Recursions after which the targets ask what is left."""

_TITLES = {
    "films": "one line, window after window",
    "stories": "a second line",
    "pictures": "from a picture",
    "transitions": "between two pictures",
    "free_noise": "FreeNoise, without training",
}
_SHOWN = 11  # frames in a row of the sheet


@dataclass(frozen=True)
class MeasuredFilms:
    """All that was measured; nothing of a part that was left out.

    Args:
        films: Of stories, window after window.
        pictures: From a picture.
        transitions: Between two pictures.
        free_noise: Made at once, without training.
    """

    films: Sequence[MeasuredStory] = ()
    pictures: Sequence[MeasuredStill] = ()
    transitions: Sequence[MeasuredStill] = ()
    free_noise: Sequence[MeasuredStory] = ()


def rows_of(measured: MeasuredFilms) -> dict[str, list[Row]]:
    """All numbers, by what was measured."""
    films, free_noise = measured.films, measured.free_noise
    rows: dict[str, list[Row]] = {}
    if films:
        rows["films"] = film_rows(films, min(CHECKED, len(films[0].parts) - 1))
        rows["stories"] = story_rows(films)
    if measured.pictures:
        rows["pictures"] = picture_rows(measured.pictures)
    if measured.transitions:
        rows["transitions"] = transition_rows(measured.transitions)
    if free_noise:
        rows["free_noise"] = film_rows(
            free_noise, len(free_noise[0].parts) - 1, has_targets=False, unit="lengths"
        )
    return rows


def write_report(
    folder: Path, settings: Mapping[str, Any], measured: MeasuredFilms
) -> dict[str, Any]:
    """Write ``report.json`` and ``sheet.png``.

    Args:
        folder: Made if it is not there; reports in it are replaced.
        settings: How the films were made, kept in the report.
        measured: At least one film.

    Returns:
        What the JSON file holds.
    """
    rows = rows_of(measured)
    summary = {
        "settings": dict(settings),
        "rows": {part: [row.as_json() for row in rows[part]] for part in rows},
        "films": [_film_json(film) for film in measured.films],
        "pictures": [_still_json(each) for each in measured.pictures],
        "transitions": [_still_json(each) for each in measured.transitions],
        "free_noise": [_film_json(film) for film in measured.free_noise],
    }
    write_json(folder / "report.json", summary)
    sheet(measured).save(folder / "sheet.png")
    return summary


def table(summary: Mapping[str, Any]) -> list[str]:
    """The numbers of a summary beside their targets, in lines of text."""
    return rows_table(summary["rows"], _TITLES)


def sheet(measured: MeasuredFilms, count: int = 8) -> Image:
    """The first films of each kind, under what was asked for and what was seen.

    Of a long film it shows the last frame of each part, of the others moments of all.

    Args:
        measured: At least one film.
        count: Of each kind.
    """
    rows: list[tuple[str, Frames]] = []
    for film in measured.films[:count]:
        rows += _film_captions(film)
    for each in (*measured.pictures[:count], *measured.transitions[:count]):
        rows.append((_still_caption(each), each.frames))
    for film in measured.free_noise[:count]:
        rows.append((f"FreeNoise: {_parts_caption(film)}", film.film.frames))
    return contact_sheet(rows, _SHOWN, 1, zoom=2)


def _film_captions(film: MeasuredStory) -> Iterator[tuple[str, Frames]]:
    ends = [part.stop - 1 for part in film.film.parts]
    yield _parts_caption(film), film.film.frames[ends]
    if film.changed is not None and film.film.changed is not None:
        asked = film.film.story.new_words | {"subject": film.film.story.subject}
        verdict = _verdict(film.changed, asked)
        yield f"then: {film.film.story.prompts[1]} | {verdict}", film.film.changed


def _parts_caption(film: MeasuredStory) -> str:
    story = film.film.story
    asked = {"subject": story.subject} | story.first._asdict()
    last = len(film.parts) - 1
    seen = [
        f"{part}: {_verdict(film.parts[part], asked)}"
        for part in dict.fromkeys((0, min(CHECKED, last), last))
    ]
    breaks = [str(part) for part, border in enumerate(film.borders, 1) if border.goes_on is False]
    broken = f" | breaks before {', '.join(breaks)}" if breaks else ""
    return f"{story.prompts[0]} | {' | '.join(seen)}{broken}"


def _still_caption(each: MeasuredStill) -> str:
    if each.last_psnr is None:
        asked = {"subject": each.story.subject, "motion": str(each.story.motion)}
        verdict = f"{each.first_psnr:.1f} dB, {_verdict(each.reading, asked)}"
    else:
        verdict = f"last {each.last_psnr:.1f} dB, largest change {each.largest_change:.2f}"
    return f"{each.story.kind}: {each.story.prompt} | {verdict}"


def _verdict(reading: PartReading, asked: Mapping[str, str]) -> str:
    wrong = [name for name in asked if reading.can_say(name) and reading.says(name) != asked[name]]
    hidden = [name for name in asked if not reading.can_say(name)]
    texts = [f"{name} {reading.says(name) or 'unclear'}" for name in wrong]
    texts += [f"{name} out of view" for name in hidden]
    return ", ".join(texts) or "right"


def _film_json(film: MeasuredStory) -> dict[str, Any]:
    story = film.film.story
    return {
        "prompts": story.prompts,
        "seed": story.seed,
        "change": story.change,
        "seam": [round(value, 4) for value in film.seam],
        "borders": [asdict(border) for border in film.borders],
        "parts": [asdict(part) for part in film.parts],
        "drifts": [_rounded(asdict(drift)) for drift in film.drifts],
        "changed": None if film.changed is None else asdict(film.changed),
    }


def _still_json(each: MeasuredStill) -> dict[str, Any]:
    story = each.story
    asked = {"subject": story.subject, "motion": story.motion}
    numbers = {name: getattr(each, name) for name in ("first_psnr", "last_psnr", "largest_change")}
    reading = {"asked": asked, "reading": asdict(each.reading)}
    return (
        {"prompt": story.prompt, "kind": story.kind, "seed": story.seed}
        | _rounded(numbers)
        | reading
    )


def _rounded(numbers: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: None if value is None else np.round(value, 4).tolist()
        for name, value in numbers.items()
    }
