"""What the settings of peft say of alpha: beside the weights, or in the metadata of diffusers."""

import json
import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from lavie.errors import CheckpointError, first_line
from lora.keys import NETWORKS, PEFT_PREFIX, Network
from lora.limits import MAX_TENSORS
from lora.refusals import ONLY_LORA, one_line

WEIGHTS, SETTINGS = "adapter_model.safetensors", "adapter_config.json"
"""What peft calls the two files of a LoRA."""

IN_METADATA = "lora_adapter_metadata"
"""Where diffusers keeps the same settings, as JSON, with the network before each name."""

MAX_SETTINGS_BYTES = 1 << 20

_USUAL_ALPHA = 8  # peft's own
_LAYER = re.compile(r"\^?(?:\w|\.\*?)+")
_CHANGE_THE_BASE = ("pissa", "olora", "corda", "loftq")
"""How some LoRAs start: with what they take from the base, so they are wrong on the base itself."""

_UNREADABLE = (ValueError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading settings ends in that are of a wrong kind, too large or too deep."""


class Alphas(NamedTuple):
    """What settings of peft say of the strength of layers.

    Args:
        alpha: Of all that are not named.
        by_layer: Of others, by name: the end of it, or all of it after a "^"; ".*" stands for
            anything in it.
        use_rslora: Whether it is divided by the root of the rank, not by the rank.
    """

    alpha: float
    by_layer: Mapping[str, float]
    use_rslora: bool

    def of(self, name: str, rank: int) -> float:
        """The alpha that a layer of this rank has by Hu et al., whose scale is alpha / rank.

        peft reads names as regular expressions. Here ".*" is the only one, as an expression that is
        made for it takes for ever.
        """
        own = (alpha for key, alpha in self.by_layer.items() if _is_meant(key, name))
        alpha = next(own, self.alpha)
        return alpha * math.sqrt(rank) if self.use_rslora else alpha


def find_alphas(
    file: Path, name: str, keys: Collection[str], metadata: Mapping[str, str]
) -> dict[Network, Alphas]:
    """The alphas that a file has not among its weights; nothing for one that needs no settings.

    Args:
        file: The weights. Those of peft have their settings in a file beside them.
        name: What sentences call it.
        keys: Names of its tensors.
        metadata: Its own.

    Raises:
        CheckpointError: There are no settings although there have to be, or they can't be read.
    """
    if found := alphas_within(name, metadata):
        return found
    is_of_peft = any(key.startswith(PEFT_PREFIX) for key in keys)
    if not is_of_peft or any(key.endswith(".alpha") for key in keys):
        return {}
    settings = file.with_name(SETTINGS)
    if not settings.is_file():
        raise CheckpointError(
            f"'{name}' was written by peft, which keeps its alpha in {SETTINGS}. Keep both in one "
            "folder, or in one zip."
        )
    alphas = _read_file(settings, name)
    return dict.fromkeys(NETWORKS, alphas)


def alphas_within(name: str, metadata: Mapping[str, str]) -> dict[Network, Alphas]:
    """Those of `find_alphas` that stand in the file itself; nothing if none do.

    Args:
        name: What sentences call it.
        metadata: Its own.

    Raises:
        CheckpointError: They can't be read.
    """
    return _read_metadata(name, metadata[IN_METADATA]) if IN_METADATA in metadata else {}


def as_metadata(alphas: Mapping[Network, Alphas]) -> str:
    """Settings as `find_alphas` finds them in metadata."""
    values: dict[str, Any] = {}
    for network, own in alphas.items():
        values[f"{network}.lora_alpha"] = own.alpha
        values[f"{network}.alpha_pattern"] = dict(own.by_layer)
        values[f"{network}.use_rslora"] = own.use_rslora
    return json.dumps(values)


def _read_file(settings: Path, name: str) -> Alphas:
    try:
        if settings.stat().st_size > MAX_SETTINGS_BYTES:
            raise ValueError("it is far too large")
        return _read(name, json.loads(settings.read_text("utf-8")))
    except (OSError, *_UNREADABLE) as error:
        raise CheckpointError(
            f"'{name}' has settings that can't be used: {SETTINGS}: {one_line(first_line(error))}. "
            "Save or download both again."
        ) from error


def _read_metadata(name: str, text: str) -> dict[Network, Alphas]:
    try:
        values: dict[str, Any] = json.loads(text)
        found: dict[Network, Alphas] = {}
        for network in NETWORKS:
            prefix = f"{network}."
            own = {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}
            if own:
                found[network] = _read(name, own)
    except _UNREADABLE as error:
        raise CheckpointError(
            f"'{name}' describes itself in a way that can't be read: {one_line(first_line(error))}."
        ) from error
    return found


def _read(name: str, values: dict[str, Any]) -> Alphas:
    """Of all settings those that decide what the weights mean."""
    if values.get("use_dora"):
        raise CheckpointError(f"'{name}' is a DoRA. {ONLY_LORA}")
    start = str(values.get("init_lora_weights")).lower()
    if start.startswith(_CHANGE_THE_BASE):
        kind = one_line(start, 40)
        raise CheckpointError(f"'{name}' is a LoRA of kind {kind}, of a changed base. {ONLY_LORA}")
    pattern: dict[Any, Any] = values.get("alpha_pattern") or {}
    if not all(isinstance(name, str) for name in pattern):
        raise TypeError("alpha_pattern names no layers")
    if len(pattern) > MAX_TENSORS:
        raise ValueError(f"alpha_pattern has {len(pattern)} layers, more than any model")
    if wrong := [name for name in pattern if not _LAYER.fullmatch(name)]:
        raise ValueError(
            f"alpha_pattern has '{wrong[0][:40]}'. Of regular expressions only .* is read here; "
            "write the names of layers in full"
        )
    by_layer = {cast(str, name): float(alpha) for name, alpha in pattern.items()}
    alpha = float(values.get("lora_alpha", _USUAL_ALPHA))
    if not all(map(math.isfinite, [alpha, *by_layer.values()])):
        raise ValueError("an alpha is not finite")
    return Alphas(alpha, by_layer, bool(values.get("use_rslora")))


def _is_meant(key: str, name: str) -> bool:
    """Whether a key means a layer, as peft asks, without an expression that could take long."""
    if ".*" not in key:
        return name == key.removeprefix("^") or name.endswith(f".{key}")
    text = f".{name}"
    first, *between, last = f".{key.removeprefix('^')}".split(".*")
    place, end = text.find(first), len(text) - len(last)
    if place < 0 or (place > 0 and key.startswith("^")):
        return False
    place += len(first)
    for piece in between:
        if (place := text.find(piece, place, end)) < 0:
            return False
        place += len(piece)
    return place <= end and text.endswith(last)
