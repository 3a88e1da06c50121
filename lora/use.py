"""LoRAs for the time of a block: put on, weighted, changed for others without loading the model.

When the block ends, the pipeline is what it was, bit for bit. The files stay in memory, as reading
one takes longer than putting its layers on.
"""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
# (the libraries say little of their types)

import logging
from collections import OrderedDict
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers.utils.peft_utils import set_weights_and_activate_adapters
from torch import nn

from lavie.errors import InputError
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lora.alphas import SETTINGS, WEIGHTS
from lora.formats import read_lora
from lora.header import hash_file, is_of_other_weights
from lora.inject import (
    OF_BLOCK,
    add_layers,
    attached,
    check_outside_blocks,
    check_words,
    forget_words,
    names_of_blocks,
    take_off,
    teach_words,
)
from lora.keys import Network
from lora.limits import MAX_LORAS, check_weight
from lora.recipe import recipe_of
from lora.refusals import one_line
from lora.weights import Lora

logger = logging.getLogger(__name__)

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


_Found = tuple[Path, float, Lora, str]


@contextmanager
def with_loras(
    pipelines: TextToVideoPipeline | Sequence[TextToVideoPipeline],
    loras: Sequence[tuple[Path, float]],
    model_hash: str = "",
) -> Generator[list[UsedLora]]:
    """Work with LoRAs in a block.

    Args:
        pipelines: One, or several that work in the block, such as text-to-video and the long video
            that goes on from it; they may share their text encoder.
        loras: Files, or folders of peft, and how much each counts, from -4 to 4.
        model_hash: Of the weights of the model, as `Cascade.model_hash`; empty: not compared.

    Yields:
        What a recipe should say of them, in their order.

    Raises:
        InputError: There are too many, one stands twice, a weight is out of range, a trigger word
            already means something, or there are others on a pipeline.
        CheckpointError: A file is broken, or for another model.
    """
    pipelines = pipelines if isinstance(pipelines, Sequence) else [pipelines]
    if not loras:
        yield []
        return
    _check(loras)
    for pipeline in pipelines:
        _check_free(pipeline)
    found: list[_Found] = []
    for path, weight in loras:
        lora, sha256 = _load(pipelines[0], path)
        _tell_of_other_weights(lora, path, pipelines[0], model_hash)
        found.append((path, weight, lora, sha256))
    if len({sha256 for *_, sha256 in found}) < len(found):
        raise InputError("One of the LoRAs stands twice. Name it once.", "loras")
    with ExitStack() as stack:
        for encoder, pipeline in _each_once(pipelines, "text_encoder").items():
            stack.enter_context(_words(pipeline, found))
            stack.enter_context(_layers(encoder, "text_encoder", found))
        for unet in _each_once(pipelines, "unet"):
            stack.enter_context(_layers(unet, "unet", found))
        yield [
            UsedLora(
                lora.metadata.get("modelspec.title") or path.stem, trigger_of(lora), weight, sha
            )
            for path, weight, lora, sha in found
        ]


@contextmanager
def noted_loras(
    pipelines: TextToVideoPipeline | Sequence[TextToVideoPipeline],
    loras: Sequence[tuple[Path, float]],
    model_hash: str = "",
) -> Generator[dict[str, Any]]:
    """As `with_loras`, giving the part of the recipe that names them; nothing without any."""
    with with_loras(pipelines, loras, model_hash) as used:
        yield recipe_of(used)


def _each_once(
    pipelines: Sequence[TextToVideoPipeline], part: str
) -> dict[nn.Module, TextToVideoPipeline]:
    """The networks of some pipelines, each with the first that has it."""
    found: dict[nn.Module, TextToVideoPipeline] = {}
    for pipeline in pipelines:
        found.setdefault(getattr(pipeline, part), pipeline)
    return found


@contextmanager
def _words(pipeline: TextToVideoPipeline, found: list[_Found]) -> Generator[None]:
    """The trigger words of LoRAs, which mean nothing when the block ends."""
    words: list[str] = []
    try:
        for _, _, lora, _ in found:
            check_words(pipeline, lora)
            words += teach_words(pipeline, lora)
        yield
    finally:
        forget_words(pipeline, words)


@contextmanager
def _layers(network: nn.Module, kind: Network, found: list[_Found]) -> Generator[None]:
    """The layers of LoRAs on a network, gone without a trace when the block ends."""
    weights: dict[str, float] = {}
    try:
        for _, weight, lora, sha256 in found:
            if layers := lora.layers.get(kind):
                add_layers(network, layers, name := f"{OF_BLOCK}{sha256}")
                weights[name] = weight
        if weights:
            set_weights_and_activate_adapters(network, list(weights), list(weights.values()))
        yield
    finally:
        take_off(network, names_of_blocks(network))


def trigger_of(lora: Lora) -> str:
    """The word that calls what a LoRA has learnt; empty if the file does not say."""
    words = lora.metadata.get("lavie.trigger_word") or next(iter(lora.embeddings), "")
    return words or lora.metadata.get("modelspec.trigger_phrase", "")


def _state_of(file: Path) -> tuple[int, int] | None:
    """What changes when a file does."""
    about = file.stat() if file.exists() else None
    return about and (about.st_mtime_ns, about.st_size)


def _check(loras: Sequence[tuple[Path, float]]) -> None:
    if len(loras) > MAX_LORAS:
        raise InputError(
            f"{len(loras)} LoRAs at once are too many. Use at most {MAX_LORAS}.", "loras"
        )
    for path, weight in loras:
        check_weight(weight, path.name, "loras")
        if not path.exists():
            raise InputError(f"LoRA '{path}' does not exist.", "loras")


def _tell_of_other_weights(
    lora: Lora, path: Path, pipeline: TextToVideoPipeline, model_hash: str
) -> None:
    """Say so if a LoRA was made on other weights: it fits, as does a model trained further."""
    if pipeline.unet.dtype == torch.bfloat16:  # rounded so far that their hash is another
        return
    if is_of_other_weights(lora.metadata.get("lavie.base_model_hash", ""), model_hash):
        name = one_line(path.name)
        logger.warning(
            "'%s' was made for other weights than this model's. It may look different.", name
        )


def _check_free(pipeline: TextToVideoPipeline) -> None:
    """Raise if LoRAs are on a pipeline, which would not be as before after a block."""
    check_outside_blocks(pipeline)
    if on := attached(pipeline):
        raise InputError(
            f"The LoRA '{on[0][:80]}' is attached. Detach it first, and name it for the block.",
            "loras",
        )


def _load(pipeline: TextToVideoPipeline, path: Path) -> _Kept:
    """A LoRA, from memory if its file is as it was; the least used leave."""
    kept: OrderedDict[tuple[Any, ...], _Kept] = pipeline.__dict__.setdefault(
        "_kept_loras", OrderedDict()
    )
    file = path / WEIGHTS if path.is_dir() else path
    key = (path.resolve(), *map(_state_of, (file, file.with_name(SETTINGS))))
    if key not in kept:
        lora = read_lora(path, pipeline.unet, pipeline.text_encoder)
        kept[key] = _Kept(lora, hash_file(file))
    kept.move_to_end(key)
    while len(kept) > _KEPT:
        kept.popitem(last=False)
    return kept[key]
