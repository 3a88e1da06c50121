"""A published network brought to life: every key and shape checked before a byte is allocated."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from lavie.convert.published import (
    NETWORKS,
    SCHEDULER_CONFIG,
    UNET_CONFIG,
    PublishedNetwork,
)
from lavie.convert.reading import check_archive, read_weights
from lavie.convert.sources import Source
from lavie.errors import CheckpointError
from lavie.models import BaseUNet
from lavie.models.keys import KeyReport, compare_keys
from lavie.pipelines.model_folder import load_component
from lavie.pipelines.schedulers import make_scheduler
from lavie.pipelines.text_to_video import TextToVideoPipeline

logger = logging.getLogger(__name__)

Part = TypeVar("Part")

_ROTARY_FREQUENCIES = "rotary_emb.freqs"
_SIZES = (
    "attention_head_dim",
    "block_out_channels",
    "cross_attention_dim",
    "layers_per_block",
    "norm_num_groups",
    "sample_size",
)


class MismatchError(CheckpointError):
    """A checkpoint does not fit its network.

    Args:
        message: One sentence for the user.
        report: Every key that differs.
    """

    def __init__(self, message: str, report: KeyReport) -> None:
        super().__init__(message)
        self.report = report


def load_published(source: Source, dtype: torch.dtype = torch.float32) -> TextToVideoPipeline:
    """Make the text-to-video pipeline of published files, in memory.

    Args:
        source: The files of the base network.
        dtype: float32 leaves the weights memory-mapped; float16 is what the release computes in.

    Raises:
        CheckpointError: A file does not fit, or the network is not the base network.
    """
    check_loadable(source.network)
    components, _ = load_components(source, dtype)
    return TextToVideoPipeline(**components, **source.network.defaults)


def check_loadable(network: PublishedNetwork) -> None:
    """Raise unless a published network makes videos from text alone.

    Raises:
        CheckpointError: It doesn't.
    """
    if network.name != "base":
        raise CheckpointError(
            f"{network.file} is the {network.name} network, which makes no video "
            f"from text alone. Use {NETWORKS['base'].file}."
        )


def load_components(source: Source, dtype: torch.dtype) -> tuple[dict[str, Any], KeyReport]:
    """Load the five parts of a published model, and say how its keys were found to agree.

    Args:
        source: Its files.
        dtype: Of all weights.

    Raises:
        CheckpointError: A file is missing, broken, unsafe, or made for another network.
    """
    folder = source.stable_diffusion
    unet, report = load_unet(source, dtype)
    vae = _load_part(AutoencoderKL, folder / "vae", dtype)
    text_encoder = _load_part(CLIPTextModel, folder / "text_encoder", dtype)
    _check_size("VAE", vae.config["latent_channels"], unet.config["out_channels"])
    _check_size("text encoder", text_encoder.config.hidden_size, unet.config["cross_attention_dim"])
    tokenizer = load_component(CLIPTokenizer, folder / "tokenizer")
    _check_size("tokenizer", len(tokenizer), text_encoder.config.vocab_size)
    return {
        "vae": vae,
        "text_encoder": text_encoder,
        "tokenizer": tokenizer,
        "unet": unet,
        "scheduler": make_scheduler("dpm++", SCHEDULER_CONFIG),
    }, report


def load_unet(source: Source, dtype: torch.dtype) -> tuple[BaseUNet, KeyReport]:
    """Load the network itself.

    Raises:
        MismatchError: Keys or shapes differ; it holds the whole report.
        CheckpointError: The file is broken or unsafe, or its values are.
    """
    state_dict = read_weights(source.checkpoint)
    with torch.device("meta"):
        unet = BaseUNet.from_config(_unet_config(source))
    expected = unet.state_dict()
    state_dict = _with_rotary_frequencies(state_dict, expected)
    report = compare_keys(expected, state_dict)
    if not report.fits:
        raise MismatchError(
            f"{source.checkpoint.name} does not fit the {source.network.name} network: "
            f"{report.summary()}.{_guess(state_dict, source.network.in_channels)}",
            report,
        )
    logger.info("%s: %s", source.checkpoint.name, report.summary())
    unet.load_state_dict(_cast(state_dict, dtype, source.checkpoint.name), assign=True)
    return unet.eval(), report


def _unet_config(source: Source) -> dict[str, Any]:
    """LaVie's config, with the sizes of the Stable Diffusion it lies beside (as its code does)."""
    config = UNET_CONFIG | {"in_channels": source.network.in_channels}
    path = source.stable_diffusion / "unet" / "config.json"
    if not path.is_file():
        return config
    try:
        beside: dict[str, Any] = dict(json.loads(path.read_text(encoding="utf-8")))
        sizes = {key: beside[key] for key in _SIZES if key in beside}
        for key in ("down_block_types", "up_block_types"):
            if key in beside:
                sizes[key] = [name.replace("2D", "3D") for name in beside[key]]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is not the config of a U-Net: {error}.") from error
    return config | sizes


def _with_rotary_frequencies(
    state_dict: dict[str, Tensor], expected: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Fill in the rotary frequencies where a file lacks them: constants that some versions save."""
    absent = [k for k in expected if k.endswith(_ROTARY_FREQUENCIES) and k not in state_dict]
    return state_dict | {
        key: 10000 ** -(torch.arange(expected[key].numel()) / expected[key].numel())
        for key in absent
    }


def _cast(
    state_dict: Mapping[str, Tensor], dtype: torch.dtype, file_name: str
) -> dict[str, Tensor]:
    """Bring tensors to one type, each with memory of its own, and check that they stay finite."""
    cast, storages = {}, set[int]()
    for name, tensor in state_dict.items():
        if not tensor.is_floating_point():
            raise CheckpointError(f"{file_name}: {name} holds {tensor.dtype}, not real numbers.")
        value = tensor.to(dtype).contiguous()
        if not value.isfinite().all():
            raise CheckpointError(_why_not_finite(tensor, name, dtype, file_name))
        # The release shares one tensor among all rotary embeddings; safetensors refuses that.
        address = value.untyped_storage().data_ptr()
        cast[name] = value.clone() if address in storages else value
        storages.add(address)
    return cast


def _why_not_finite(tensor: Tensor, name: str, dtype: torch.dtype, file_name: str) -> str:
    if tensor.isfinite().all():
        return (
            f"{file_name}: {name} has values up to {tensor.abs().max():.3g}, too large for "
            f"{dtype}. Use float32 (--dtype fp32)."
        )
    return f"{file_name} is damaged: {name} has infinite or undefined values. Download it again."


def _guess(state_dict: Mapping[str, Tensor], expected_channels: int) -> str:
    """Name the other published network that a state dict looks like."""
    first = state_dict.get("conv_in.weight")
    channels = first.shape[1] if first is not None and first.ndim == 4 else None
    is_rotary = any("time_rel_pos_bias" in key for key in state_dict)
    if is_rotary:
        named = {4: "LaVie's base network (base)", 9: "SEINE (long_video)"}
    else:
        named = {
            4: "an image network such as Stable Diffusion",
            7: "LaVie's super-resolution network",
            8: "LaVie's interpolation network",
        }
    if channels not in named or (is_rotary and channels == expected_channels):
        return ""
    return f" It looks like {named[channels]}."


def _load_part(part: type[Part], folder: Path, dtype: torch.dtype) -> Part:
    """Load a network; without safetensors from its pickle, once that has been looked through."""
    if not any(folder.glob("*.safetensors")):
        for path in folder.glob("*.bin"):
            check_archive(path)
    return load_component(part, folder, dtype)


def _check_size(part: str, size: int, expected: int) -> None:
    if size != expected:
        raise CheckpointError(
            f"The {part} beside the checkpoint has size {size}, but {expected} is needed. "
            "Use the one of Stable Diffusion 1.4."
        )
