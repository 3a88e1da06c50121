"""A held-out clip with numbers and pictures, the means of many, and what is kept of them."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from lavie.types import Frames, OnEvent, Progress

T = TypeVar("T")
Item = TypeVar("Item")


@dataclass(frozen=True)
class MeasuredClip:
    """What a stage made of one clip of the world.

    Args:
        caption: What it shows.
        numbers: Measures by name; some are taken of a few clips only.
        pictures: Videos to look at side by side by name, uint8 ``(F, H, W, 3)`` of one size.
    """

    caption: str
    numbers: Mapping[str, float]
    pictures: Mapping[str, Frames] = field(default_factory=dict)


def write_json(path: Path, summary: Mapping[str, Any]) -> None:
    """Write the numbers of a report; its folder is made if it is not there.

    Raises:
        ValueError: One is not finite, which JSON cannot say.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(summary, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def means(clips: Sequence[MeasuredClip]) -> dict[str, float]:
    """Mean of every measure over the clips that have it."""
    names = dict.fromkeys(name for clip in clips for name in clip.numbers)
    return {name: _mean([c.numbers[name] for c in clips if name in c.numbers]) for name in names}


def for_each(
    items: Sequence[Item], work: Callable[[int, Item], T], stage: str, on_event: OnEvent | None
) -> list[T]:
    """Do something for every item, telling of progress after each."""
    results = []
    started = time.perf_counter()
    for index, item in enumerate(items):
        results.append(work(index, item))
        if on_event is not None:
            done = index + 1
            left = (time.perf_counter() - started) / done * (len(items) - done)
            on_event(Progress(stage, done, len(items), left))
    return results


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
