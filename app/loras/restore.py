"""The LoRAs that a recipe names, back into the field of a form."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from app.loras.choice import finite, picks_text
from app.texts import lora_rules as texts
from lora.limits import MAX_LORAS, MAX_WEIGHT

if TYPE_CHECKING:
    from lora.registry import Entry

Found = list[tuple["Entry", float]]
"""LoRAs, and how much of each."""


def find_loras(recipe: Mapping[str, Any], entries: "Sequence[Entry]") -> tuple[Found, list[str]]:
    """The LoRAs of a recipe that are here, and a sentence for each that is not.

    A LoRA is known by its content, so that it may be called something else by now.

    Args:
        recipe: As `app.restore.read_recipe` gives it.
        entries: Those that whoever asks may use.
    """
    told = recipe.get("loras")
    found: Found = []
    notes: list[str] = []
    for use in told[:MAX_LORAS] if isinstance(told, list) else ():
        if not isinstance(use, dict):
            continue
        entry = next((entry for entry in entries if entry.sha256 == use.get("sha256")), None)
        if entry is None:
            notes.append(texts.not_restored(str(use.get("name", "?"))))
        elif entry not in (other for other, _ in found):
            found.append((entry, _weight(use.get("weight"))))
    return found, notes


def field_value(found: Found) -> str:
    """LoRAs as a form holds them; empty for none."""
    return picks_text((entry.id, weight) for entry, weight in found)


def _weight(value: object) -> float:
    """As it was, if that can be."""
    weight = finite(value)
    return 1.0 if weight is None else min(max(weight, -MAX_WEIGHT), MAX_WEIGHT)
