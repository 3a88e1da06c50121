"""LoRA files: read in every naming that is in use, written as kohya, diffusers or peft name them.

All of them hold pairs of matrices. What differs is how a layer is called, and where alpha stands::

    kohya      lora_unet_down_blocks_0_..._to_q.lora_down.weight, ....alpha
    diffusers  unet.down_blocks.0....to_q.lora_A.weight, alpha in the metadata
    peft       base_model.model.down_blocks.0....to_q.lora_A.weight, alpha in adapter_config.json

and older ones of diffusers. Layers are found by the names that the networks themselves have.
"""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
# (the libraries say little of their types)

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn, cast, get_args

import torch
from peft import LoraConfig
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from lavie.errors import CheckpointError, InputError, first_line
from lavie.models import BaseUNet
from lora.alphas import IN_METADATA, WEIGHTS, Alphas, find_alphas
from lora.keys import Network, Part, find_words, key_of_word, layer_of, split_prefix, word_of
from lora.refusals import one_line, refuse_other_base, refuse_other_kinds, refuse_unopened
from lora.weights import Lora, LoraLayer, adaptable_layers, shape_wanted

LoraFormat = Literal["kohya", "diffusers", "peft"]
MAX_RANK = 1024

_WHOLE_NUMBERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


class _Contents(NamedTuple):
    """What a file holds."""

    name: str
    tensors: dict[str, Tensor]
    metadata: dict[str, str]
    alphas: dict[Network, Alphas]


def read_lora(
    path: Path, unet: BaseUNet, text_encoder: nn.Module, allow_temporal: bool = False
) -> Lora:
    """Read a LoRA and find the layers it belongs to.

    Args:
        path: A safetensors file, or a folder that peft has written.
        unet: The video network that it is for.
        text_encoder: CLIP of the same model.
        allow_temporal: Whether it may change layers over time too, which only an ablation does.

    Raises:
        CheckpointError: The file is broken, unsafe, of another kind or for another model.
    """
    contents = _open(path, allow_temporal)
    pairs, embeddings = _pair_up(contents, text_encoder)
    shapes: dict[Network, dict[str, tuple[int, ...]]] = {
        "unet": adaptable_layers(unet),
        "text_encoder": adaptable_layers(text_encoder),
    }
    names = {owner: {_plain(name): name for name in of_one} for owner, of_one in shapes.items()}
    layers: dict[Network, dict[str, LoraLayer]] = {"unet": {}, "text_encoder": {}}
    for (network, layer), parts in pairs.items():
        plain = _plain(layer)
        fitting = [owner for owner in shapes if network in (None, owner) and plain in names[owner]]
        if not fitting:
            raise CheckpointError(
                f"'{contents.name}' is for a layer '{one_line(layer)}', which this model does not "
                "have. Choose one made for Stable Diffusion 1.x or for LaVie."
            )
        owner = cast(Network, fitting[0])
        name = names[owner][plain]
        if name in layers[owner]:
            _refuse_twice(contents.name, name)
        wanted = shapes[owner][name]
        layers[owner][name] = _make_layer(contents, owner, name, parts, wanted)
        made_for = shape_wanted(layers[owner][name])
        if made_for != wanted:
            refuse_other_base(contents.name, name, wanted, made_for)
    if not allow_temporal and any(map(unet.is_temporal, layers["unet"])):
        raise CheckpointError(
            f"'{contents.name}' changes layers in time, which stay as they are. Choose a LoRA of "
            "layers in space."
        )
    # what its settings say is in the layers now, and would be wrong in other words
    about = {key: text for key, text in contents.metadata.items() if key != IN_METADATA}
    return Lora(layers, embeddings, about)


def write_lora(lora: Lora, path: Path, style: LoraFormat = "kohya") -> Path:
    """Write a LoRA in one step: either the whole file is there, or none.

    Args:
        lora: What to write.
        path: A file that ends with ``.safetensors``; for peft a folder.
        style: How layers are named. "kohya" is what most programs read, "peft" holds the layers of
            the video network alone.

    Raises:
        InputError: The name or the style does not fit.
    """
    if style not in get_args(LoraFormat):
        raise InputError(
            f"Format '{style}' is unknown. Use one of {', '.join(get_args(LoraFormat))}.", "format"
        )
    if style == "peft":
        return _write_peft(lora, path)
    if path.suffix != ".safetensors":
        raise InputError(f"'{path.name}' should end with .safetensors.", "output")
    tensors, metadata = (_as_kohya if style == "kohya" else _as_diffusers)(lora)
    for word, vectors in lora.embeddings.items():
        tensors[key_of_word(word)] = vectors.contiguous()
    _save(tensors, {**lora.metadata, **metadata}, path)
    return path


def _open(path: Path, allow_temporal: bool) -> _Contents:
    file = path / WEIGHTS if path.is_dir() else path
    name = one_line(path.name)
    try:
        refuse_unopened(file, name)
        with safe_open(file, "pt") as archive:
            opened: Any = archive
            keys: list[str] = list(opened.keys())
            metadata: dict[str, str] = dict(opened.metadata() or {})
            # what is something else is told by its names, before anything of it is read
            refuse_other_kinds(name, keys, metadata, allow_temporal)
            find_words(name, {key: opened.get_slice(key).get_shape() for key in keys})
            alphas = find_alphas(file, name, keys, metadata)
            tensors: dict[str, Tensor] = {key: opened.get_tensor(key) for key in keys}
    except (SafetensorError, OSError, ValueError, TypeError, RuntimeError) as error:
        raise CheckpointError(
            f"'{name}' is no safetensors file that can be read: {first_line(error)}. Save or "
            "download it again."
        ) from error
    for key, tensor in tensors.items():
        is_alpha = key.endswith(".alpha") and tensor.dtype in _WHOLE_NUMBERS
        if not tensor.is_floating_point() and not is_alpha:
            raise CheckpointError(
                f"'{name}' holds whole numbers in '{one_line(key)}', not weights. Save it again."
            )
        if not tensor.float().isfinite().all():
            raise CheckpointError(f"'{name}' holds numbers that are not finite. Save it again.")
    return _Contents(name, tensors, metadata, alphas)


def _pair_up(
    contents: _Contents, text_encoder: nn.Module
) -> tuple[dict[tuple[Network | None, str], dict[Part, Tensor]], dict[str, Tensor]]:
    """What belongs to each layer, still as the file calls it; and what trigger words mean."""
    pairs: dict[tuple[Network | None, str], dict[Part, Tensor]] = {}
    embeddings: dict[str, Tensor] = {}
    for key, tensor in contents.tensors.items():
        if (word := word_of(key)) is not None:
            embeddings[word] = _check_embedding(contents.name, tensor, text_encoder)
            continue
        layer = layer_of(key)
        if layer is None:
            raise CheckpointError(
                f"'{contents.name}' holds '{one_line(key)}', which is no part of a plain LoRA. "
                "Choose another file."
            )
        parts = pairs.setdefault(split_prefix(layer.layer), {})
        if layer.part in parts:
            _refuse_twice(contents.name, layer.layer)
        parts[layer.part] = tensor
    return pairs, embeddings


def _refuse_twice(name: str, layer: str) -> NoReturn:
    raise CheckpointError(
        f"'{name}' holds the layer '{one_line(layer)}' twice. Save or download it again."
    )


def _plain(name: str) -> str:
    """A layer's name without what differs between formats and versions."""
    name = name.replace(".processor.", ".").replace(".", "_").removeprefix("text_model_")
    name = re.sub(r"_self_attn_to_(q|k|v|out)$", r"_self_attn_\1_proj", name)
    return f"{name}_0" if name.endswith("_to_out") else name


def _make_layer(
    contents: _Contents,
    network: Network,
    name: str,
    parts: Mapping[Part, Tensor],
    wanted: tuple[int, ...],
) -> LoraLayer:
    if not {"down", "up"} <= parts.keys():
        raise CheckpointError(f"'{contents.name}' holds half of layer '{name}'. Save it again.")
    down, up = parts["down"], parts["up"]
    fits = down.ndim == up.ndim and down.ndim in (2, 4) and down.shape[0] == up.shape[1]
    fits = fits and up.shape[2:].numel() == 1
    if not fits or not 0 < down.shape[0] <= MAX_RANK:
        shapes = [list(part.shape) for part in (down, up)]
        raise CheckpointError(
            f"'{contents.name}' has matrices {shapes[0]} and {shapes[1]} for '{name}', which no "
            f"LoRA of a rank from 1 to {MAX_RANK} has."
        )
    if down.shape[2:].numel() == math.prod(wanted[2:]) == 1:
        # a linear layer and a convolution of one pixel are the same matrix
        down, up = (part.reshape(*part.shape[:2], *wanted[2:]) for part in (down, up))
    if "alpha" in parts:
        if parts["alpha"].numel() != 1:
            raise CheckpointError(f"'{contents.name}' has more than one alpha for '{name}'.")
        alpha = float(parts["alpha"])
    elif network in contents.alphas:
        alpha = contents.alphas[network].of(name, down.shape[0])
    else:
        alpha = float(down.shape[0])
    return LoraLayer(down, up, alpha)


def _check_embedding(name: str, vectors: Tensor, text_encoder: nn.Module) -> Tensor:
    embedding = cast(Any, text_encoder).get_input_embeddings()
    width = embedding.weight.shape[1]
    if vectors.shape[1] != width:
        raise CheckpointError(
            f"'{name}' has a trigger word that is {vectors.shape[1]} wide, this model's words are "
            f"{width}. Choose one made for this model."
        )
    return vectors


def _as_kohya(lora: Lora) -> tuple[dict[str, Tensor], dict[str, str]]:
    tensors: dict[str, Tensor] = {}
    for network, layers in lora.layers.items():
        prefix = "lora_unet_" if network == "unet" else "lora_te_text_model_"
        for name, layer in layers.items():
            key = prefix + _plain(name)
            tensors[f"{key}.lora_down.weight"] = layer.down.contiguous()
            tensors[f"{key}.lora_up.weight"] = layer.up.contiguous()
            tensors[f"{key}.alpha"] = torch.tensor(layer.alpha, dtype=layer.down.dtype)
    return tensors, {}


def _as_diffusers(lora: Lora) -> tuple[dict[str, Tensor], dict[str, str]]:
    tensors: dict[str, Tensor] = {}
    described: dict[str, Any] = {}
    for network, layers in lora.layers.items():
        for name, layer in layers.items():
            tensors[f"{network}.{name}.lora_A.weight"] = layer.down.contiguous()
            tensors[f"{network}.{name}.lora_B.weight"] = layer.up.contiguous()
        if layers:
            values: dict[str, Any] = make_peft_config(layers).to_dict()
            described |= {f"{network}.{key}": value for key, value in values.items()}
    text = json.dumps(described, indent=2, sort_keys=True, default=sorted)
    return tensors, {"format": "pt", IN_METADATA: text}


def make_peft_config(layers: Mapping[str, LoraLayer]) -> LoraConfig:
    """The adapter settings of peft that these layers need.

    Args:
        layers: At least one, by name of the module.
    """
    ranks = {name: layer.rank for name, layer in layers.items()}
    alphas = {name: layer.alpha for name, layer in layers.items()}
    rank, alpha = next(iter(ranks.values())), next(iter(alphas.values()))
    return LoraConfig(
        r=rank,
        lora_alpha=cast(int, alpha),
        target_modules=list(layers),
        rank_pattern={name: r for name, r in ranks.items() if r != rank},
        alpha_pattern=cast(Any, {name: a for name, a in alphas.items() if a != alpha}),
        init_lora_weights=False,
    )


def _write_peft(lora: Lora, folder: Path) -> Path:
    if lora.layers.get("text_encoder") or lora.embeddings:
        raise InputError(
            "peft's folders hold one network; this LoRA changes the text encoder too. Write it as "
            "kohya or diffusers.",
            "format",
        )
    layers = lora.layers["unet"]
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for name, layer in layers.items():
        tensors[f"base_model.model.{name}.lora_A.weight"] = layer.down.contiguous()
        tensors[f"base_model.model.{name}.lora_B.weight"] = layer.up.contiguous()
    config: Any = make_peft_config(layers)
    config.save_pretrained(str(folder))
    _save(tensors, dict(lora.metadata), folder / WEIGHTS)
    return folder


def _save(tensors: dict[str, Tensor], metadata: dict[str, str], path: Path) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        save_file(tensors, str(temporary), metadata)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
