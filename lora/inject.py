"""LoRA on a pipeline: put on, weighted, mixed, merged and taken off again without a trace."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
# (the libraries say little of their types)

import warnings
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, get_args

from diffusers.utils.peft_utils import delete_adapter_layers, recurse_remove_peft_layers
from peft import set_peft_model_state_dict
from torch import Tensor, nn
from transformers.utils import logging as transformers_logging

from lavie.errors import InputError
from lavie.models import BaseUNet
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lora.formats import make_peft_config
from lora.keys import Network, tokens_needed, tokens_of
from lora.limits import check_weight
from lora.weights import Lora, LoraLayer, adaptable_layers

OF_BLOCK = "block:"
"""What the names of LoRAs begin with that `with_loras` puts on; `attach` takes no such name."""

SpatialPart = Literal["attention", "feed_forward", "projections", "convolutions", "conditioning"]

_NAMES: dict[SpatialPart, tuple[str, ...]] = {
    "attention": (".attn1.", ".attn2."),
    "feed_forward": (".ff.",),
    "projections": (".proj_in", ".proj_out"),
    "convolutions": (".conv1", ".conv2", ".conv_shortcut", "samplers.0.conv"),
    "conditioning": (".time_emb_proj", "text_embedding."),
}


def spatial_modules(
    unet: BaseUNet, parts: Sequence[SpatialPart] = ("attention",), also_temporal: bool = False
) -> list[str]:
    """Names of the layers that a LoRA learns on, none of which works over time.

    Args:
        unet: The video network.
        parts: Which of them: attention within a frame and to the text, as in the paper's
            personalised videos; what follows it; what stands around both; the residual blocks; how
            noise level and prompt as a whole reach those.
        also_temporal: Whether the attention over time is among them: the ablation.

    Raises:
        InputError: A part is unknown, or there is none.

    Source: LaVie (arXiv:2309.15103), section 5.6: the temporal layers stay as they are.
    """
    if unknown := [part for part in parts if part not in get_args(SpatialPart)]:
        known = ", ".join(get_args(SpatialPart))
        raise InputError(f"Part '{unknown[0]}' is unknown. Use some of {known}.", "parts")
    wanted = [name for part in parts for name in _NAMES[part]]
    names = [
        name
        for name in adaptable_layers(unet)
        if (also_temporal if unet.is_temporal(name) else any(part in name for part in wanted))
    ]
    if not names:
        raise InputError("A LoRA of no layers changes nothing. Name at least one part.", "parts")
    return names


def attach(pipeline: TextToVideoPipeline, lora: Lora, name: str, weight: float = 1.0) -> None:
    """Put a LoRA on a pipeline, beside those that are on it.

    Args:
        pipeline: Text-to-video or long video. Its weights stay; what is added is a layer around.
        lora: Read for this model.
        name: To weight it or take it off by: letters, digits, ``_`` and ``-``.
        weight: As for `set_weights`.

    Raises:
        InputError: The name is taken or no name, the weight is out of range, a trigger word
            already means something, or a block of `with_loras` is at work.
    """
    if not name.replace("_", "").replace("-", "").isalnum() or not name.isascii():
        raise InputError(f"'{name[:80]}' is no name. Use letters, digits, _ and -.", "name")
    if name in attached(pipeline):
        raise InputError(f"A LoRA '{name}' is on already. Take it off first.", "name")
    check_weight(weight, name, "weight")
    check_words(pipeline, lora)
    check_outside_blocks(pipeline)
    networks: dict[Network, nn.Module] = {
        "unet": pipeline.unet,
        "text_encoder": pipeline.text_encoder,
    }
    before = dict(_weights(pipeline))
    try:
        for kind, layers in lora.layers.items():
            if layers:
                add_layers(networks[kind], layers, name)
        _words_of(pipeline)[name] = tuple(teach_words(pipeline, lora))
        set_weights(pipeline, {**before, name: weight})
    except BaseException:
        if name in attached(pipeline):
            detach(pipeline, name)
        if before:
            set_weights(pipeline, before)
        raise


def check_outside_blocks(pipeline: TextToVideoPipeline) -> None:
    """Raise if a block of `with_loras` is at work on a pipeline.

    Raises:
        InputError: One is.
    """
    if any(map(names_of_blocks, (pipeline.unet, pipeline.text_encoder))):
        raise InputError("A block of with_loras is at work. Wait for its end.", "name")


def check_words(pipeline: TextToVideoPipeline, lora: Lora) -> None:
    """Raise if a trigger word of a LoRA already means something.

    Raises:
        InputError: It does.
    """
    tokenizer: Any = pipeline.tokenizer
    known, added = tokenizer.get_vocab(), tokenizer.added_tokens_encoder
    for word, vectors in lora.embeddings.items():
        taken = [token for token in tokens_needed(word, len(vectors)) if token in known]
        first, _, number = word.rpartition("_")
        if number.isdigit() and first in added:  # this word would be one more vector of that one
            taken.append(word)
        if taken:
            raise InputError(
                f"The word '{taken[0][:80]}' already means something to the model. Take the other "
                "LoRA off first.",
                "name",
            )


def teach_words(pipeline: TextToVideoPipeline, lora: Lora) -> list[str]:
    """Let the model know the trigger words of a LoRA, all of them or none.

    Returns:
        The tokens that are new, for `forget_words`.
    """
    taught: list[str] = []
    try:
        for word, vectors in lora.embeddings.items():
            with _quiet():
                pipeline.load_textual_inversion({word: vectors})
            taught += tokens_of(word, len(vectors))
    except BaseException:
        forget_words(pipeline, taught)
        raise
    return taught


def forget_words(pipeline: TextToVideoPipeline, words: Sequence[str]) -> None:
    """Make what `teach_words` gave mean nothing, as before."""
    if words:
        with _quiet():
            pipeline.unload_textual_inversion(list(words))
        encoder: Any = pipeline.text_encoder  # diffusers takes rows away, and still counts them
        encoder.config.vocab_size = encoder.get_input_embeddings().num_embeddings


def attached(pipeline: TextToVideoPipeline) -> list[str]:
    """Names of the LoRAs on a pipeline, without those of `with_loras`."""
    names = [name for of_one in pipeline.get_list_adapters().values() for name in of_one]
    own = [name for name in names if not name.startswith(OF_BLOCK)]
    return list(dict.fromkeys([*own, *_words_of(pipeline)]))


def set_weights(pipeline: TextToVideoPipeline, weights: Mapping[str, float]) -> None:
    """Say how much each LoRA counts, at once and without loading anything.

    Args:
        pipeline: With these on it.
        weights: 0 is as without it, 1 as trained; those not named count 0.

    Raises:
        InputError: A name is not on it, or a weight is not within -4 and 4.
    """
    names = attached(pipeline)
    for name, weight in weights.items():
        if name not in names:
            raise InputError(f"No LoRA '{name[:80]}' is on. Attach it first.", "name")
        check_weight(weight, name, "weight")
    if counted := weights or dict.fromkeys(names, 0.0):  # peft cannot be told that none counts
        pipeline.set_adapters(list(counted), list(counted.values()))
    _weights(pipeline).clear()
    _weights(pipeline).update(weights)


def detach(pipeline: TextToVideoPipeline, *names: str) -> None:
    """Take LoRAs off; when none is left, the pipeline is what it was, bit for bit.

    Those that stay count as before.

    Args:
        pipeline: With these on it.
        *names: Which; none means all.

    Raises:
        InputError: A name is not on it.
    """
    on = attached(pipeline)
    if unknown := [name for name in names if name not in on]:
        raise InputError(f"No LoRA '{unknown[0][:80]}' is on.", "name")
    going = names or tuple(on)
    if not going:
        return
    weights = _weights(pipeline)
    left = {name: weights.get(name, 0.0) for name in on if name not in going}
    for name in going:
        forget_words(pipeline, _words_of(pipeline).pop(name, ()))
    if left:
        set_weights(pipeline, left)  # first, as peft chooses another if what counts is deleted
        pipeline.delete_adapters(list(going))
    else:
        pipeline.unload_lora_weights()
        _weights(pipeline).clear()


def merge(pipeline: TextToVideoPipeline) -> None:
    """Add what is on to the weights themselves, for good: as fast as without any.

    What counts 0 is left out. Trigger words stay. Nothing can be taken off or weighted afterwards.

    Args:
        pipeline: With at least one LoRA on it.

    Raises:
        InputError: None is on it.
    """
    if not attached(pipeline):
        raise InputError("No LoRA is on, so there is nothing to merge. Attach one first.", "name")
    if counted := [name for name, weight in _weights(pipeline).items() if weight]:
        pipeline.fuse_lora(adapter_names=counted)
    pipeline.unload_lora_weights()
    _weights(pipeline).clear()
    _words_of(pipeline).clear()


def add_layers(network: nn.Module, layers: Mapping[str, LoraLayer], name: str) -> None:
    """Put layers of a LoRA on one network, beside those that are on it; all of them or none.

    Args:
        network: U-Net or text encoder.
        layers: By name of the module; at least one.
        name: To switch them by.
    """
    adaptable: Any = network
    weights: dict[str, Tensor] = {}
    for module, layer in layers.items():
        weights[f"{module}.lora_A.weight"] = layer.down
        weights[f"{module}.lora_B.weight"] = layer.up
    try:
        with warnings.catch_warnings():  # peft warns of a second one, which is what we want
            warnings.filterwarnings("ignore", "Already found a `peft_config`", UserWarning)
            adaptable.add_adapter(make_peft_config(layers), name)
        set_peft_model_state_dict(network, weights, adapter_name=name)
    except BaseException:  # until its weights are in, a layer holds random numbers
        take_off(network, [name])
        raise
    for key, parameter in network.named_parameters():
        if f".{name}." in key:
            parameter.requires_grad_(False)


def take_off(network: nn.Module, names: Collection[str]) -> None:
    """Take layers of LoRAs off one network; without the last, it is what it was, bit for bit.

    Args:
        network: With these on it, also in part; which of the others count may change.
        names: Of `add_layers`; none changes nothing.
    """
    if not names:
        return
    adapted: Any = network
    on: dict[str, Any] = getattr(network, "peft_config", {})
    if set(on) <= set(names):
        recurse_remove_peft_layers(network)
        adapted.__dict__.pop("peft_config", None)
        adapted._hf_peft_config_loaded = None
        return
    with warnings.catch_warnings():  # peft warns that it lets another count instead
        warnings.filterwarnings("ignore", "Adapter .* was active which is now", UserWarning)
        for name in names:
            delete_adapter_layers(network, name)
            on.pop(name, None)


def names_of_blocks(network: nn.Module) -> list[str]:
    """Names of the LoRAs on one network that `with_loras` has put there."""
    return [name for name in getattr(network, "peft_config", {}) if name.startswith(OF_BLOCK)]


@contextmanager
def _quiet() -> Generator[None]:
    """Without the warnings of a library that rows are added to its embeddings, as is meant here."""
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(before)


def _weights(pipeline: TextToVideoPipeline) -> dict[str, float]:
    return _record(pipeline)[0]


def _words_of(pipeline: TextToVideoPipeline) -> dict[str, tuple[str, ...]]:
    return _record(pipeline)[1]


def _record(
    pipeline: TextToVideoPipeline,
) -> tuple[dict[str, float], dict[str, tuple[str, ...]]]:
    """What is on a pipeline, kept on it: weights by name, and trigger words by name."""
    return pipeline.__dict__.setdefault("_attached_loras", ({}, {}))
