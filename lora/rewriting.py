"""LoRA files against a model that is not loaded: whether they fit, and in other programs' words."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
# (the libraries say little of their types)

from pathlib import Path
from typing import Any, cast, get_args

import torch
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

from lavie.convert.sources import is_original_folder, is_published_repository
from lavie.errors import CheckpointError, InputError
from lavie.models import BaseUNet
from lavie.pipelines.model_folder import (
    MINIATURE_FOLDER,
    STAGE_PIPELINES,
    find_model_folder,
    get_model_folder,
    read_model_index,
)
from lavie.training.model import read_architecture
from lora.formats import LoraFormat, read_lora, write_lora
from lora.header import is_made_for, model_name, read_header
from lora.refusals import one_line

_PUBLISHED_TEXT: dict[str, Any] = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
}


def check_fits(file: Path, model: str, model_hash: str = "") -> None:
    """Raise unless a LoRA file can be used with a model, whose weights are not read.

    Args:
        file: Safetensors.
        model: A model folder, a hub id, or "miniature".
        model_hash: Of its weights, if they were read anyway.

    Raises:
        CheckpointError: The file is broken, of another kind or for another model; or there is no
            such model.
    """
    about = read_lora(file, *shapes_for(file, model)).metadata
    made_for, made_on = about.get("lavie.base_model", ""), about.get("lavie.base_model_hash", "")
    if not is_made_for(made_for, made_on, model, model_hash):
        theirs, ours = one_line(model_name(made_for)), model_name(model)
        raise CheckpointError(
            f"'{one_line(file.name)}' was made for the model '{theirs}', not for '{ours}'. Choose "
            "one made for this model."
        )


def rewrite(file: Path, target: Path, style: str, model: str = "") -> Path:
    """Write a LoRA as another program names its layers.

    Args:
        file: What to rewrite.
        target: File or folder, without its ending.
        style: "kohya", "diffusers" or "peft".
        model: Which model it is for; empty: the one it fits of the bundled and the published.

    Returns:
        What was written.

    Raises:
        InputError: The style is unknown or does not fit.
        CheckpointError: The file is broken, or for another model.
    """
    if style not in get_args(LoraFormat):
        known = ", ".join(get_args(LoraFormat))
        raise InputError(f"Format '{style[:40]}' is unknown. Use one of {known}.", "format")
    unet, text_encoder = shapes_for(file, model)
    lora = read_lora(file, unet, text_encoder)
    path = target if style == "peft" else target.with_name(f"{target.name}.safetensors")
    return write_lora(lora, path, cast(LoraFormat, style))


def shapes_for(file: Path, model: str) -> tuple[BaseUNet, nn.Module]:
    """Networks that know their shapes and hold no numbers, for a file and a model as above."""
    folder = _find_configs(model) if model else None
    is_small = "lavie-base" in read_header(file).metadata.get("modelspec.architecture", "")
    if is_small and not model:
        folder = MINIATURE_FOLDER
    unet = read_architecture(folder, "unet") if folder else None
    text = read_architecture(folder, "text_encoder") if folder else None
    with torch.device("meta"):
        network: BaseUNet = BaseUNet.from_config(unet or {})
        return network, CLIPTextModel(CLIPTextConfig(**(text or _PUBLISHED_TEXT)))


def _find_configs(model: str) -> Path | None:
    """The folder that says what shapes a model has; None: those of the published one."""
    base = STAGE_PIPELINES["base"]
    folder = find_model_folder(model)
    if folder is None and not is_published_repository(model):
        folder = get_model_folder(model, base)
    if folder is None or is_original_folder(folder):
        return None
    read_model_index(folder, base)
    return folder
