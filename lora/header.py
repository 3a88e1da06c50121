"""What the first bytes of a LoRA file say, without reading its weights."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, cast

from lavie.errors import CheckpointError
from lora.alphas import Alphas, find_alphas
from lora.keys import Network, find_words, layer_of, split_prefix
from lora.refusals import one_line, refuse_other_kinds, refuse_unopened

RESULT = "lora.safetensors"
"""What a LoRA is called where it was trained, and where it is kept."""

MAX_HEADER_BYTES = 16 << 20
"""The names of all tensors, and a picture or two."""


@dataclass(frozen=True)
class Header:
    """What a file says of itself.

    Args:
        keys: Names of its tensors.
        rank: Largest rank of its layers; 0 if it has none.
        word: Trigger word that it has an embedding for; empty if none.
        metadata: Text by name.
        alphas: What the settings of peft say of its networks, in it or beside it.
    """

    keys: tuple[str, ...]
    rank: int
    word: str
    metadata: Mapping[str, str]
    alphas: Mapping[Network, Alphas]

    @property
    def is_of_unet(self) -> bool:
        """Whether it changes nothing but the U-Net, which is all that a folder of peft's holds."""
        layers = [layer for key in self.keys if (layer := layer_of(key)) is not None]
        is_of_text = any(split_prefix(layer.layer)[0] == "text_encoder" for layer in layers)
        return not self.word and not is_of_text

    @property
    def is_kohya(self) -> bool:
        """Whether its layers are named as kohya names them."""
        return any(key.startswith(("lora_unet_", "lora_te_")) for key in self.keys)


def read_header(path: Path) -> Header:
    """Read the header of a safetensors file, and refuse what is no plain LoRA.

    Args:
        path: The file. One of peft's has its settings beside it.

    Raises:
        CheckpointError: It is none; the text says what it is, as far as that can be told.
    """
    name = one_line(path.name)
    try:
        refuse_unopened(path, name)
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(MAX_HEADER_BYTES, path.stat().st_size - 8):
                raise CheckpointError(_no_safetensors(name))
            values: Any = json.loads(file.read(length))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(_no_safetensors(name)) from error
    if not isinstance(values, dict):
        raise CheckpointError(_no_safetensors(name))
    tensors = cast(dict[str, Any], values)
    metadata = tensors.pop("__metadata__", {})
    if not _is_text_by_name(metadata) or not all(map(_is_tensor, tensors.values())):
        raise CheckpointError(_no_safetensors(name))
    about = cast(dict[str, str], metadata)
    refuse_other_kinds(name, list(tensors), about)
    shapes: dict[str, list[int]] = {key: tensor["shape"] for key, tensor in tensors.items()}
    words = find_words(name, shapes)
    ranks = [shape[0] for key, shape in shapes.items() if shape and _is_down(key)]
    return Header(
        keys=tuple(tensors),
        rank=max(ranks, default=0),
        word=words[0] if words else "",
        metadata=about,
        alphas=find_alphas(path, name, tensors, about),
    )


def hash_file(file: Path) -> str:
    """The SHA-256 of a file, by which a LoRA is the same wherever it is."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def model_name(model: str) -> str:
    """A model by its own name, wherever it lies: the last part of a path, or of a hub id."""
    return PurePosixPath(PureWindowsPath(model).as_posix()).name


def is_made_for(made_for: str, made_on: str, model: str, model_hash: str = "") -> bool:
    """Whether a LoRA is for a model: of the same weights, by whatever name, or of the same name.

    A model of its name may have other weights by now, as a better VAE: `is_of_other_weights`.

    Args:
        made_for: Name of the model that it was made for; empty if unknown, which may be any.
        made_on: Hash of that model's weights; empty if it was not trained here: then its name may
            be anything, and says nothing.
        model: A model folder, a hub id, or "miniature".
        model_hash: Of its weights, as `lavie.models.fingerprint` names them; empty if they were not
            read yet.
    """
    if made_on in ("", model_hash) or not made_for:
        return True
    return model_name(made_for) == model_name(model)


def is_of_other_weights(made_on: str, model_hash: str) -> bool:
    """Whether a LoRA was made on other weights than a model's, as far as both hashes are known."""
    return "" not in (made_on, model_hash) and made_on != model_hash


def _is_down(key: str) -> bool:
    layer = layer_of(key)
    return layer is not None and layer.part == "down"


def _is_text_by_name(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    return all(isinstance(text, str) for text in cast(dict[str, object], value).values())


def _is_tensor(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    shape: Any = cast(dict[str, Any], value).get("shape")
    return isinstance(shape, list) and all(
        isinstance(side, int) for side in cast(list[object], shape)
    )


def _no_safetensors(name: str) -> str:
    return f"'{name}' is no safetensors file that can be read. Save or download it again."
