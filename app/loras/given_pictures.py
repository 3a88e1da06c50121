"""The pictures that somebody has given so far, what is said of each, and the sets to try."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from app.gallery import as_text
from app.loras.small_pictures import picture_of
from app.texts import loras as texts
from lavie.pipelines.limits import MAX_PROMPT_LENGTH

if TYPE_CHECKING:
    from lora.pictures import PictureCheck

EXAMPLES = Path(__file__).parents[2] / "assets" / "lora-examples"
_NUM_SHOWN = 4


@dataclass(frozen=True)
class ExampleSet:
    """Pictures to try it with, and what to call what is on them."""

    folder: str
    name: str
    token: str
    class_word: str
    kind: str
    pictures: tuple[Path, ...]


def example_sets(folder: Path = EXAMPLES) -> list[ExampleSet]:
    """The sets that come with the studio."""
    return [_read_set(file) for file in sorted(folder.glob("*/set.json"))]


def _read_set(file: Path) -> ExampleSet:
    told = json.loads(file.read_text(encoding="utf-8"))
    fields = {name: str(told.get(name, "")) for name in ("name", "token", "class_word", "kind")}
    pictures = tuple(sorted(file.parent.glob("*.png")))
    return ExampleSet(file.parent.name, **fields, pictures=pictures)


def key_of(path: Path) -> str:
    """What a picture is called on the page, where no path stands."""
    return hashlib.sha256(str(path).encode()).hexdigest()[:12]


def examples(sets: Sequence[ExampleSet]) -> str:
    """A button for each set, with some of its pictures."""
    if not sets:
        return ""
    return f'<p class="lora-heading">{escape(texts.EXAMPLES_LABEL)}</p>' + (
        f'<div class="lora-sets">{"".join(map(_set, sets))}</div>'
    )


def _set(example: ExampleSet) -> str:
    pictures = "".join(
        f'<img src="{picture_of(path)}" alt="">' for path in example.pictures[:_NUM_SHOWN]
    )
    return (
        f'<button type="button" class="lora-set" data-action="example" '
        f'data-subject="{escape(example.folder)}"><span class="lora-set-pictures">{pictures}</span>'
        f"<span>{as_text(example.name)}</span></button>"
    )


def table(checks: "Sequence[PictureCheck]", problem: str | None, advice: str | None = None) -> str:
    """The pictures, each with what was found and a field for what it shows.

    Args:
        checks: One for each picture.
        problem: What is wrong with all of them together, if anything is.
        advice: What would make them teach more, if anything is known.
    """
    if not checks:
        return ""
    num_used = sum(check.problem is None for check in checks)
    note = _note("refusal", problem) if problem else _note("progress-text", advice)
    in_order = sorted(checks, key=lambda check: (check.problem is None, check.warning is None))
    items = "".join(f"<li>{_row(check)}</li>" for check in in_order)
    return (
        f'<p class="lora-heading">{escape(texts.PICTURES_LABEL)}<span class="lora-count">'
        f"{escape(texts.num_pictures(num_used, len(checks)))}</span></p>{note}"
        f'<ul class="lora-pictures" aria-label="{escape(texts.PICTURES_LABEL)}">{items}</ul>'
    )


def _note(kind: str, sentence: str | None) -> str:
    """What is said of all of them together; nothing if there is nothing to say."""
    return f'<p class="{kind}" role="status">{escape(sentence)}</p>' if sentence else ""


def _row(check: "PictureCheck") -> str:
    name, key = as_text(check.name), key_of(check.path)
    address = "" if check.problem and not check.width else picture_of(check.path)
    picture = f'<img src="{address}" alt="">' if address else '<span aria-hidden="true">?</span>'
    state, word = _verdict(check)
    size = f" · {texts.size_of(check.width, check.height)}" if check.width else ""
    reason = check.problem or check.warning or ""
    field = ""
    if check.problem is None:
        field = (
            f'<input type="text" data-key="{key}" maxlength="{MAX_PROMPT_LENGTH}" '
            f'aria-label="{as_text(texts.CAPTION_LABEL.format(name=check.name))}" '
            f'placeholder="{escape(texts.CAPTION_PLACEHOLDER)}">'
        )
    return (
        f'<div class="lora-picture {state}"><span class="lora-thumbnail">{picture}</span>'
        f'<div class="lora-picture-text"><p class="lora-picture-name">{name}</p>'
        f'<p class="lora-verdict"><strong>{escape(word)}</strong>{escape(size)}</p>'
        f'<p class="lora-reason">{as_text(reason)}</p>{field}</div>'
        f'<button type="button" data-action="remove" data-subject="{key}" '
        f'title="{as_text(texts.REMOVE_PICTURE.format(name=check.name))}" '
        f'aria-label="{as_text(texts.REMOVE_PICTURE.format(name=check.name))}">✕</button></div>'
    )


def _verdict(check: "PictureCheck") -> tuple[str, str]:
    if check.problem:
        return "problem", f"✕ {texts.PROBLEM}"
    return ("warning", f"! {texts.WARNING}") if check.warning else ("fine", f"✓ {texts.FINE}")


def captions_of(typed: object, paths: Sequence[Path]) -> list[str]:
    """The description of each picture, out of what the page sends.

    Args:
        typed: JSON of an object whose keys are those of pictures.
        paths: Of the pictures.
    """
    try:
        found = json.loads(typed) if isinstance(typed, str) and typed else {}
    except (ValueError, RecursionError):
        found = {}
    told: Mapping[str, object] = found if isinstance(found, dict) else {}
    captions = (told.get(key_of(path), "") for path in paths)
    return [caption if isinstance(caption, str) else "" for caption in captions]
