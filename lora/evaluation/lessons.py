"""What is to be learnt, with its pictures; and the learning itself, timed and kept."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from lavie.config import load_config
from lavie.data.world import NEWCOMERS
from lavie.data.world.drawing import sprite
from lavie.types import OnEvent
from lora.evaluation.looks import NEW_LOOKS
from lora.evaluation.pictures import GROUNDS, Picture, draw_pictures, draw_scenes
from lora.settings import PersonalConfig
from lora.train import train_lora

TOKEN = "zog"
"""The trigger word of all that is learnt here."""


@dataclass(frozen=True)
class Lesson:
    """Something to be learnt.

    Args:
        name: A key of ``NEWCOMERS`` or of `NEW_LOOKS`.
        kind: Which of both.
        pictures: What it is learnt from.
    """

    name: str
    kind: Literal["thing", "style"]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Learnt:
    """What came of it.

    Args:
        file: The LoRA.
        seconds: That the training took, loading and samples included; None if it was broken off
            and gone on with.
    """

    file: Path
    seconds: float | None


def make_lesson(
    name: str, folder: Path, num_pictures: int, seed: int = 0, grounds: Sequence[str] = GROUNDS
) -> Lesson:
    """Draw the pictures of a lesson.

    Args:
        name: A key of ``NEWCOMERS`` or of `NEW_LOOKS`.
        folder: Where the pictures are written.
        num_pictures: How many.
        seed: Decides how they differ.
        grounds: What is behind a thing, in turn.
    """
    if name in NEW_LOOKS:
        pictures = draw_scenes(NEW_LOOKS[name], folder, num_pictures, seed)
        return Lesson(name, "style", tuple(pictures))
    number = list(NEWCOMERS).index(name)
    draw = partial(sprite, name)
    pictures = draw_pictures(draw, folder, num_pictures, seed + number, grounds)
    return Lesson(name, "thing", tuple(pictures))


def make_config(
    lesson: Lesson, model: str, folder: Path, seed: int, overrides: Sequence[str]
) -> PersonalConfig:
    """The settings of a training.

    Args:
        lesson: What is to be learnt.
        model: As for ``Cascade.from_pretrained``.
        folder: Of the run.
        seed: Of the run.
        overrides: ``"key=value"`` each, which win.

    Raises:
        ConfigError: One of them is unknown or breaks a rule.
    """
    values: dict[str, Any] = {
        "model": model,
        "output": str(folder),
        "images": [str(picture.path) for picture in lesson.pictures],
        "captions": [picture.caption for picture in lesson.pictures],
        "name": lesson.name.capitalize(),
        "token": TOKEN,
        "kind": lesson.kind,
        "seed": seed,
    }
    own = [f"{name}={json.dumps(value)}" for name, value in values.items()]
    return load_config(PersonalConfig, overrides=(*own, *overrides))


def learn(config: PersonalConfig, on_event: OnEvent | None = None) -> Learnt:
    """Train, unless that was done before.

    Args:
        config: What, and where it is kept.
        on_event: Told of progress.
    """
    record = config.output / "training.json"
    if record.is_file():
        kept = json.loads(record.read_text(encoding="utf-8"))
        return Learnt(Path(config.output / kept["file"]), kept["seconds"])
    goes_on = (config.output / "personal.yaml").exists()
    started = time.perf_counter()
    file = train_lora(config, on_event)
    seconds = None if goes_on else round(time.perf_counter() - started, 2)
    text = json.dumps({"file": file.name, "seconds": seconds})
    record.write_text(f"{text}\n", encoding="utf-8")
    return Learnt(file, seconds)
