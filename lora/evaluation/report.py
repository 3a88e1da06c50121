"""The report on what was learnt: a file, a table and a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from lavie.evaluation.measured import write_json
from lavie.evaluation.rates import Rate, difference, ratio_of_sums
from lavie.evaluation.rows import Row, mean_rows, rate_rows, rows_table, with_target
from lavie.types import Frames
from lora.evaluation.measuring import MeasuredLesson, Video

MOST_SECONDS = 180.0
LEAST_RECOGNISED = 0.85
LEAST_OF_BASE = 0.9

_TITLES = {
    "things": "new things",
    "styles": "new styles",
    "all_layers": "new things, layers over time taught too",
    "ablation": "layers in space alone, less all layers",
}
_ATTRIBUTES = {
    "motion": "motion",
    "judge_motion": "motion, by the bundled judge",
    "place": "place",
}
_ZOOM, _GAP, _LABEL = 2, 6, 14
_SHOWN_BEFORE, _SHOWN_AFTER = (1, 8, 14), (1, 4, 8, 11, 14)


@dataclass(frozen=True)
class MeasuredLessons:
    """All that was measured; nothing of a part that was left out.

    Args:
        base: The model before, with ordinary subjects.
        things: Newcomers, by layers in space alone.
        styles: Looks, likewise.
        all_layers: Newcomers again, the layers over time being taught too.
    """

    base: Sequence[Video]
    things: Sequence[MeasuredLesson] = ()
    styles: Sequence[MeasuredLesson] = ()
    all_layers: Sequence[MeasuredLesson] = ()

    @property
    def parts(self) -> dict[str, Sequence[MeasuredLesson]]:
        """By name, those that there are."""
        parts = {"things": self.things, "styles": self.styles, "all_layers": self.all_layers}
        return {name: lessons for name, lessons in parts.items() if lessons}


def rows_of(measured: MeasuredLessons) -> dict[str, list[Row]]:
    """All numbers, by what was measured."""
    rows = {
        part: lesson_rows(lessons, measured.base, part != "all_layers")
        for part, lessons in measured.parts.items()
    }
    if measured.things and measured.all_layers:
        rows["ablation"] = ablation_rows(measured.things, measured.all_layers)
    return rows


def lesson_rows(
    lessons: Sequence[MeasuredLesson], base: Sequence[Video], has_targets: bool = True
) -> list[Row]:
    """What has become of a model.

    Args:
        lessons: At least one, all asked for the same scenes.
        base: The same scenes with ordinary subjects, before.
        has_targets: Whether there are any.
    """
    rows = [
        with_target(row, most=MOST_SECONDS)
        for row in mean_rows(
            "seconds of training", [each.seconds for each in lessons if each.seconds is not None]
        )
    ]
    recognised = _recognised(lessons)
    rows += [
        with_target(row, least=LEAST_RECOGNISED)
        for row in rate_rows("recognised as what was learnt", recognised)
    ]
    for each in lessons:
        own = [each.is_recognised(video) for video in each.videos]
        rows += rate_rows(f"  {each.lesson.name}", own)
    if all(each.lesson.kind == "thing" for each in lessons):
        clear = [
            video.reading.likeness.name == each.lesson.name
            for each in lessons
            for video in each.videos
        ]
        rows += rate_rows("clearly so, among strangers too", clear)
    else:
        rows += rate_rows("subject as asked, in the style", _right(lessons, "subject"))
    for attribute, title in _ATTRIBUTES.items():
        rows += _compared(lessons, base, attribute, title)
    rows += _unchanged(lessons, base)
    return rows if has_targets else [with_target(row) for row in rows]


def ablation_rows(
    in_space: Sequence[MeasuredLesson], all_layers: Sequence[MeasuredLesson]
) -> list[Row]:
    """What it is worth to leave the layers over time alone.

    Args:
        in_space: Lessons of layers in space alone.
        all_layers: The same lessons of all layers.
    """
    pairs = {"recognised": (_recognised(in_space), _recognised(all_layers))}
    for attribute in ("motion", "place"):
        pairs[attribute] = (_right(in_space, attribute), _right(all_layers, attribute))
    rows: list[Row] = []
    for title, outcomes in pairs.items():
        first, second = map(Rate.of, outcomes)
        gap, low, high = difference(first, second)
        measure = f"{title}: {first.share:.3f} less {second.share:.3f}"
        rows.append(Row(measure, gap, first.total, low, high))
    return rows


def write_report(
    folder: Path, settings: Mapping[str, Any], measured: MeasuredLessons
) -> dict[str, Any]:
    """Write ``report.json`` and ``sheet.png``.

    Args:
        folder: Made if it is not there; reports in it are replaced.
        settings: How it was learnt and asked for, kept in the report.
        measured: At least one lesson.

    Returns:
        What the JSON file holds.
    """
    rows = rows_of(measured)
    summary = {
        "settings": dict(settings),
        "rows": {part: [row.as_json() for row in rows[part]] for part in rows},
        "base": [_video_json(video) for video in measured.base],
        "lessons": {
            part: [_lesson_json(each) for each in lessons]
            for part, lessons in measured.parts.items()
        },
    }
    write_json(folder / "report.json", summary)
    sheet([*measured.things, *measured.styles] or measured.all_layers).save(folder / "sheet.png")
    return summary


def table(summary: Mapping[str, Any]) -> list[str]:
    """The numbers of a summary beside their targets, in lines of text."""
    return rows_table(summary["rows"], _TITLES)


def sheet(lessons: Sequence[MeasuredLesson], num_pictures: int = 3) -> Image.Image:
    """A row for each lesson: some pictures, the first prompt before, and the same after.

    Args:
        lessons: At least one.
        num_pictures: Of each.
    """
    height, width = (side * _ZOOM for side in lessons[0].untaught.shape[1:3])
    left = num_pictures * (height + _GAP)
    middle = left + len(_SHOWN_BEFORE) * width + 2 * _GAP
    total = middle + len(_SHOWN_AFTER) * width
    picture = Image.new("RGB", (total, len(lessons) * (height + _LABEL + _GAP)), "white")
    draw = ImageDraw.Draw(picture)
    for number, each in enumerate(lessons):
        y = number * (height + _LABEL + _GAP)
        video = each.videos[0]
        draw.text((2, y), f"{each.lesson.name}: {len(each.lesson.pictures)} pictures", "black")
        draw.text((left, y), f"before: {video.prompt}", "black")
        draw.text((middle, y), "after", "black")
        for index, given in enumerate(each.lesson.pictures[:num_pictures]):
            place = (index * (height + _GAP), y + _LABEL)
            picture.paste(_thumbnail(given.path, height), place)
        for x, frames, shown in (
            (left, each.untaught, _SHOWN_BEFORE),
            (middle, video.frames, _SHOWN_AFTER),
        ):
            for index, frame in enumerate(_enlarged(frames, shown)):
                picture.paste(frame, (x + index * width, y + _LABEL))
    return picture


def _recognised(lessons: Sequence[MeasuredLesson]) -> list[bool]:
    return [each.is_recognised(video) for each in lessons for video in each.videos]


def _right(lessons: Sequence[MeasuredLesson], attribute: str) -> list[bool]:
    return [video.is_right(attribute) for each in lessons for video in each.videos]


def _compared(
    lessons: Sequence[MeasuredLesson], base: Sequence[Video], attribute: str, title: str
) -> list[Row]:
    pairs = [
        (float(new.is_right(attribute)), float(old.is_right(attribute)))
        for each in lessons
        for new, old in zip(each.videos, base, strict=True)
    ]
    rows = rate_rows(f"{title}, as asked", [bool(new) for new, _ in pairs])
    rows += rate_rows("  the model before", [video.is_right(attribute) for video in base])
    value, low, high = ratio_of_sums(pairs)
    least = None if attribute == "judge_motion" else LEAST_OF_BASE
    return [*rows, Row("  of the model's before", value, len(pairs), low, high, least)]


def _unchanged(lessons: Sequence[MeasuredLesson], base: Sequence[Video]) -> list[Row]:
    rows = mean_rows(
        "without the trigger word: PSNR to before, dB",
        [value for each in lessons for value in each.psnrs],
    )
    for attribute in ("subject", "motion", "place"):
        now = [video.is_right(attribute) for each in lessons for video in each.unchanged]
        then = [
            video.is_right(attribute)
            for each in lessons
            for video, _ in zip(base, each.unchanged, strict=False)
        ]
        if now:
            rows += rate_rows(f"without the trigger word: {attribute}", now)
            loss, low, high = difference(Rate.of(then), Rate.of(now))
            rows.append(Row("  lost", loss, len(now), low, high))
    return rows


def _thumbnail(path: Path, side: int) -> Image.Image:
    ground = Image.new("RGB", (side, side), (236, 236, 236))
    with Image.open(path) as opened:
        given = opened.convert("RGBA")
    given.thumbnail((side, side))
    corner = ((side - given.width) // 2, (side - given.height) // 2)
    ground.paste(given, corner, given)
    return ground


def _enlarged(frames: Frames, shown: Sequence[int]) -> list[Image.Image]:
    picks = np.minimum(shown, len(frames) - 1)
    size = (frames.shape[2] * _ZOOM, frames.shape[1] * _ZOOM)
    return [Image.fromarray(frames[i]).resize(size, Image.Resampling.NEAREST) for i in picks]


def _video_json(video: Video) -> dict[str, Any]:
    reading = asdict(video.reading)
    for name in ("explained", "margin", "stray"):
        reading["likeness"][name] = round(reading["likeness"][name], 3)
    return {"prompt": video.prompt, "asked": asdict(video.asked), "reading": reading}


def _lesson_json(each: MeasuredLesson) -> dict[str, Any]:
    return {
        "name": each.lesson.name,
        "kind": each.lesson.kind,
        "seconds": each.seconds,
        "num_pictures": len(each.lesson.pictures),
        "videos": [_video_json(video) for video in each.videos],
        "unchanged": [_video_json(video) for video in each.unchanged],
        "psnrs": [round(value, 2) for value in each.psnrs],
    }
