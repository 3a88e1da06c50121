"""LoRAs for the time of a block: put on, weighted, changed for others without loading the model.

When the block ends, the pipeline does what it did before, bit for bit. The layers of what was on
stay where they are, switched off, so that the next block with the same ones begins at once.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lavie.errors import InputError
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lora.formats import read_lora
from lora.inject import (
    MAX_WEIGHT,
    attach,
    attached,
    check_words,
    detach,
    forget_words,
    set_weights,
    teach_words,
)
from lora.weights import Lora

MAX_AT_ONCE = 5

_KEPT = 8  # LoRAs that stay in memory although they are not on


@dataclass(frozen=True)
class UsedLora:
    """What a recipe says of a LoRA that took part.

    Args:
        name: Its title.
        token: The word that calls it; empty if none is known.
        weight: How much it counted.
        sha256: Of its file.
    """

    name: str
    token: str
    weight: float
    sha256: str


class _Kept(NamedTuple):
    """A LoRA in memory."""

    lora: Lora
    sha256: str


@contextmanager
def with_loras(
    pipeline: TextToVideoPipeline, loras: Sequence[tuple[Path, float]]
) -> Generator[list[UsedLora]]:
    """Work with LoRAs in a block.

    Args:
        pipeline: Text-to-video or long video.
        loras: Files, or folders of peft, and how much each counts, from -4 to 4.

    Yields:
        What a recipe should say of them, in their order.

    Raises:
        InputError: There are too many, one stands twice, or a weight is out of range.
        CheckpointError: A file is broken, or for another model.
    """
    if not loras:
        yield []
        return
    try:
        yield _put_on(pipeline, loras)
    finally:
        _rest(pipeline)


def take_off(pipeline: TextToVideoPipeline) -> None:
    """Take off what earlier blocks have left resting, and forget it: memory is free again."""
    if attached(pipeline):
        detach(pipeline)
    pipeline.__dict__.pop("_kept_loras", None)


def _put_on(pipeline: TextToVideoPipeline, loras: Sequence[tuple[Path, float]]) -> list[UsedLora]:
    _check(loras)
    kept = [_load(pipeline, path) for path, _ in loras]
    weights: dict[str, float] = {}
    for (path, weight), (_, sha256) in zip(loras, kept, strict=True):
        if f"lora-{sha256}" in weights:
            raise InputError(f"LoRA '{path.name}' stands twice. Name it once.", "loras")
        weights[f"lora-{sha256}"] = weight
    if going := [name for name in attached(pipeline) if name not in weights]:
        detach(pipeline, *going)
    try:
        for name, (lora, _) in zip(weights, kept, strict=True):
            if name in attached(pipeline):
                check_words(pipeline, lora)
                teach_words(pipeline, lora, name)
            else:
                attach(pipeline, lora, name, weights[name])
    except InputError:
        detach(pipeline)  # never half of what was asked for
        raise
    pipeline.enable_lora()
    set_weights(pipeline, weights)
    return [
        UsedLora(
            lora.metadata.get("modelspec.title") or path.stem, trigger_of(lora), weight, sha256
        )
        for (path, weight), (lora, sha256) in zip(loras, kept, strict=True)
    ]


def _rest(pipeline: TextToVideoPipeline) -> None:
    """What is on does nothing, bit for bit, and its words mean nothing, until it is used again."""
    if attached(pipeline):
        forget_words(pipeline, *attached(pipeline))
        pipeline.disable_lora()


def trigger_of(lora: Lora) -> str:
    """The word that calls what a LoRA has learnt; empty if the file does not say."""
    words = lora.metadata.get("lavie.trigger_word") or next(iter(lora.embeddings), "")
    return words or lora.metadata.get("modelspec.trigger_phrase", "")


def hash_file(path: Path) -> str:
    """SHA-256 of a LoRA: of its file, or of the weights in a folder of peft's."""
    file = path / "adapter_model.safetensors" if path.is_dir() else path
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _check(loras: Sequence[tuple[Path, float]]) -> None:
    if len(loras) > MAX_AT_ONCE:
        raise InputError(
            f"{len(loras)} LoRAs at once are too many. Use at most {MAX_AT_ONCE}.", "loras"
        )
    for path, weight in loras:
        if not -MAX_WEIGHT <= weight <= MAX_WEIGHT:  # not a number fails too
            raise InputError(
                f"Weight {weight} of '{path.name}' is not between -{MAX_WEIGHT:g} and "
                f"{MAX_WEIGHT:g}. Use 0 to 1 as a rule.",
                "loras",
            )
        if not path.exists():
            raise InputError(f"LoRA '{path}' does not exist.", "loras")


def _load(pipeline: TextToVideoPipeline, path: Path) -> _Kept:
    """A LoRA, from memory if its file is as it was; the least used leave."""
    kept: OrderedDict[tuple[Any, ...], _Kept] = pipeline.__dict__.setdefault(
        "_kept_loras", OrderedDict()
    )
    file = path / "adapter_model.safetensors" if path.is_dir() else path
    about = file.stat() if file.exists() else None
    key = (str(path.resolve()), about and about.st_mtime_ns, about and about.st_size)
    if key not in kept:
        lora = read_lora(path, pipeline.unet, pipeline.text_encoder)
        kept[key] = _Kept(lora, hash_file(path))
    kept.move_to_end(key)
    while len(kept) > _KEPT:
        kept.popitem(last=False)
    return kept[key]
