"""A LoRA file in other words: from one program's naming to another's, without loading a model."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
# (the libraries say little of their types)

from pathlib import Path
from typing import Any, cast, get_args

import torch
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

from lavie.errors import InputError
from lavie.models import BaseUNet
from lavie.pipelines.model_folder import MINIATURE_FOLDER, find_model_folder
from lavie.training.model import read_architecture
from lora.formats import LoraFormat, read_lora, write_lora
from lora.header import read_header


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
    unet, text_encoder = _shapes_for(file, model)
    lora = read_lora(file, unet, text_encoder)
    path = target if style == "peft" else target.with_name(f"{target.name}.safetensors")
    return write_lora(lora, path, cast(LoraFormat, style))


def _shapes_for(file: Path, model: str) -> tuple[BaseUNet, nn.Module]:
    """Networks that know their shapes and hold no numbers."""
    folder = find_model_folder(model) if model else None
    is_small = "lavie-base" in read_header(file).metadata.get("modelspec.architecture", "")
    if folder is None and is_small:
        folder = MINIATURE_FOLDER
    with torch.device("meta"):
        if folder is None:
            published: Any = {"hidden_size": 768, "intermediate_size": 3072}
            text = CLIPTextConfig(**published, num_hidden_layers=12, num_attention_heads=12)
            return BaseUNet(), CLIPTextModel(text)
        unet: BaseUNet = BaseUNet.from_config(read_architecture(folder, "unet") or {})
        config = CLIPTextConfig(**(read_architecture(folder, "text_encoder") or {}))
        return unet, CLIPTextModel(config)
