"""The LoRAs that a form names, turned into what a video is made with."""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from app.loras.use import LoraUse
from app.texts import lora_rules as texts
from lavie.errors import InputError
from lora import header
from lora.limits import MAX_LORAS, MAX_WEIGHT, is_weight

if TYPE_CHECKING:
    from lora.registry import Entry

_MAX_TEXT = 10_000

FindLora = Callable[[object], "Entry"]
"""Gives the LoRA of an id, if whoever asks may use it; else it raises."""


def find_none(lora_id: object) -> "Entry":
    """Where there are no LoRAs.

    Raises:
        InputError: Always.
    """
    raise InputError(texts.no_such_lora(lora_id), "loras")


def choose_loras(
    value: object, find: FindLora, model: str, model_hash: str = ""
) -> tuple[LoraUse, ...]:
    """Check what a form says of LoRAs.

    Args:
        value: A list of ``{"id": ..., "weight": ...}``, or the same as JSON; nothing: none.
        find: Gives an entry by its id.
        model: The base model that they have to be for.
        model_hash: Of its weights; empty before they are loaded.

    Raises:
        InputError: It is no such list, one is not there or for another model, is named twice, or a
            weight is out of range; or two have the same trigger word.
    """
    picks = _read(value)
    if len(picks) > MAX_LORAS:
        raise InputError(texts.too_many_loras(MAX_LORAS), "loras")
    uses = [_use(pick, find, model, model_hash) for pick in picks]
    for first, second in combinations(uses, 2):
        if first.id == second.id:
            raise InputError(texts.named_twice(first.name), "loras")
        if first.token and first.token == second.token:
            raise InputError(texts.same_trigger((first.name, second.name), first.token), "loras")
    return tuple(uses)


def is_made_for(entry: "Entry", model: str, model_hash: str = "") -> bool:
    """Whether a LoRA is for a model, as `lora.header` says it.

    Args:
        entry: The LoRA.
        model: The model's name.
        model_hash: Of its weights; empty before they are loaded, when names have to do.
    """
    return header.is_made_for(entry.base_model, entry.base_hash, model, model_hash)


def form_text(loras: Sequence[LoraUse]) -> str:
    """LoRAs as the control of a form holds them; empty for none."""
    return picks_text((use.id, use.weight) for use in loras)


def picks_text(picks: Iterable[tuple[str, float]]) -> str:
    """As `form_text`, of ids and how much of each."""
    named = _named(picks)
    return json.dumps(named) if named else ""


def told(loras: Sequence[LoraUse]) -> list[dict[str, Any]]:
    """LoRAs as programs name them."""
    return _named((use.id, use.weight) for use in loras)


def _named(picks: Iterable[tuple[str, float]]) -> list[dict[str, Any]]:
    return [{"id": lora_id, "weight": weight} for lora_id, weight in picks]


def _read(value: object) -> list[Mapping[str, object]]:
    if isinstance(value, str) and value.strip():
        try:
            if len(value) > _MAX_TEXT:
                raise ValueError("too long")
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise InputError(texts.NOT_A_LIST, "loras") from error
    if value is None or value == "" or (isinstance(value, str) and not value.strip()):
        return []
    if not isinstance(value, list) or not all(isinstance(pick, dict) for pick in value):
        raise InputError(texts.NOT_A_LIST, "loras")
    return value


def _use(pick: Mapping[str, object], find: FindLora, model: str, model_hash: str) -> LoraUse:
    entry = find(pick.get("id"))
    if not is_made_for(entry, model, model_hash):
        raise InputError(texts.other_base(entry.name), "loras")
    weight = _check_weight(pick.get("weight", 1.0))
    return LoraUse(entry.id, weight, entry.name, entry.token, entry.sha256, entry.file)


def _check_weight(value: object) -> float:
    weight = finite(value)
    if weight is None or not is_weight(weight):
        raise InputError(texts.wrong_weight(value, MAX_WEIGHT), "loras")
    return weight


def finite(value: object) -> float | None:
    """A number of anybody's, if it is one that can be reckoned with."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
