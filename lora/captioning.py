"""Captions by a model that describes pictures, where one is on this machine."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
# (the libraries say little of their types)

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from lavie.data.captions import clean_caption
from lavie.errors import MissingDependencyError, first_line
from lora.opening import open_picture

_MAX_TOKENS = 40


@torch.no_grad()
def caption_pictures(images: Sequence[Path], folder: Path) -> list[str]:
    """What a model says of pictures, one line each.

    Args:
        images: The pictures.
        folder: A model of transformers that turns pictures into text, such as BLIP, with its
            weights as safetensors. Nothing is downloaded.

    Raises:
        MissingDependencyError: There is no such model; the text says how to get one.
        BadPicture: A picture can't be used.
    """
    processor, model = _load(folder)
    captions: list[str] = []
    for image in images:
        picture = Image.fromarray(open_picture(image)).convert("RGB")
        inputs = processor(images=picture, return_tensors="pt")
        tokens = model.generate(**inputs, max_new_tokens=_MAX_TOKENS, do_sample=False)
        text = processor.batch_decode(tokens, skip_special_tokens=True)[0]
        captions.append(clean_caption(text) if text.strip() else "")
    return captions


def _load(folder: Path) -> tuple[Any, Any]:
    way_out = (
        "Get one with: hf download Salesforce/blip-image-captioning-base --local-dir FOLDER, or "
        "write captions in .txt files beside the pictures."
    )
    if not (folder / "config.json").is_file():
        raise MissingDependencyError(f"'{folder}' has no model that describes pictures. {way_out}")
    from transformers import AutoModelForImageTextToText, AutoProcessor

    try:
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        processor: Any = AutoProcessor.from_pretrained(folder, **options)
        model: Any = AutoModelForImageTextToText.from_pretrained(
            folder, use_safetensors=True, **options
        )
    except Exception as error:  # each kind of model fails in its own way
        raise MissingDependencyError(
            f"The model in '{folder}' can't describe pictures: {first_line(error)}. {way_out}"
        ) from error
    return processor, model.eval()
