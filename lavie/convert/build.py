"""A published network brought to life: every key and shape checked before a byte is allocated."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers import DDPMScheduler
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from lavie import models
from lavie.convert.published import LOW_RES_SCHEDULER_CONFIG, NETWORKS, PublishedNetwork
from lavie.convert.reading import check_archive, read_weights
from lavie.convert.sources import Source
from lavie.errors import CheckpointError
from lavie.models.keys import KeyReport, compare_keys
from lavie.models.latents import vae_scale_factor
from lavie.models.video_unet import VideoUNet
from lavie.pipelines.model_folder import SHARED_PARTS, load_component
from lavie.pipelines.schedulers import make_scheduler
from lavie.pipelines.stages import PIPELINES
from lavie.pipelines.video_pipeline import VideoPipeline

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


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint file whose keys and shapes were found to be its network's.

    Attributes:
        state_dict: Its tensors, still on disk.
        config: Of the network.
        report: How they agree.
    """

    state_dict: Mapping[str, Tensor]
    config: Mapping[str, Any]
    report: KeyReport

    @property
    def num_values(self) -> int:
        """How many numbers it holds."""
        return sum(tensor.numel() for tensor in self.state_dict.values())


def load_published(
    source: Source,
    dtype: torch.dtype = torch.float32,
    shared: Mapping[str, Any] | None = None,
) -> VideoPipeline:
    """Make the pipeline of published files, in memory.

    Args:
        source: The files of a stage's network.
        dtype: float32 leaves the weights memory-mapped; float16 is what the release computes in.
        shared: Components of the base stage by name, to be used where they are the same.

    Raises:
        CheckpointError: A file does not fit.
    """
    same_parts = shared if source.network.parts == NETWORKS["base"].parts else None
    components = load_components(source, dtype, same_parts)
    return PIPELINES[source.network.name](**components, **source.network.defaults)


def check_loadable(network: PublishedNetwork) -> None:
    """Raise unless a published network makes videos from text alone.

    Raises:
        CheckpointError: It doesn't.
    """
    if network.name != "base":
        raise CheckpointError(_why_no_stage(network))


def load_components(
    source: Source, dtype: torch.dtype, shared: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Load the parts of a published model.

    Args:
        source: Its files.
        dtype: Of all weights.
        shared: Parts of its Stable Diffusion that are loaded already, by name.

    Raises:
        CheckpointError: A file is missing, broken, unsafe, or made for another network.
    """
    unet = load_unet(source, dtype)
    parts = {name: (shared or {})[name] for name in SHARED_PARTS if name in (shared or {})}
    parts = _load_parts(source, unet, dtype) if len(parts) < len(SHARED_PARTS) else parts
    schedulers: dict[str, Any] = {
        "scheduler": make_scheduler(source.network.sampler, source.network.scheduler_config)
    }
    if source.network.name == "super_resolution":
        schedulers["low_res_scheduler"] = DDPMScheduler.from_config(LOW_RES_SCHEDULER_CONFIG)
    return {**parts, "unet": unet, **schedulers}


def load_unet(source: Source, dtype: torch.dtype) -> VideoUNet:
    """Load the network itself.

    Raises:
        MismatchError: Keys or shapes differ; it holds the whole report.
        CheckpointError: The file is broken or unsafe, or its values are.
    """
    checkpoint = read_checkpoint(source)
    logger.info("%s: %s", source.checkpoint.name, checkpoint.report.summary())
    with torch.device("meta"):
        unet = _unet_class(source.network).from_config(checkpoint.config)
    unet.load_state_dict(_cast(checkpoint.state_dict, dtype, source.checkpoint.name), assign=True)
    return unet.eval()


def read_checkpoint(source: Source) -> Checkpoint:
    """Look at every key and shape of a checkpoint file, before a byte of its values is read.

    Raises:
        MismatchError: Keys or shapes differ; it holds the whole report.
        CheckpointError: The file is broken or unsafe.
    """
    config = _unet_config(source)
    with torch.device("meta"):
        expected = _unet_class(source.network).from_config(config).state_dict()
    state_dict = _with_rotary_frequencies(read_weights(source.checkpoint), expected)
    report = compare_keys(expected, state_dict)
    if not report.fits:
        raise MismatchError(
            f"{source.checkpoint.name} does not fit the {source.network.name} network: "
            f"{report.summary()}.{_guess(state_dict, source.network)}",
            report,
        )
    return Checkpoint(state_dict, config, report)


def _load_parts(source: Source, unet: VideoUNet, dtype: torch.dtype) -> dict[str, Any]:
    """Load the VAE, the text encoder and the tokenizer, and check that they are the network's."""
    folder, parts = source.stable_diffusion, source.network.parts
    vae = _load_part(AutoencoderKL, folder / "vae", dtype)
    text_encoder = _load_part(CLIPTextModel, folder / "text_encoder", dtype)
    tokenizer = load_component(CLIPTokenizer, folder / "tokenizer")
    text_width = text_encoder.config.hidden_size
    for part, size, expected in (
        ("VAE", vae.config["latent_channels"], unet.config["out_channels"]),
        ("VAE's factor", vae_scale_factor(vae), parts.vae_factor),
        ("text encoder", text_width, unet.config["cross_attention_dim"]),
        ("tokenizer", len(tokenizer), text_encoder.config.vocab_size),
    ):
        if size != expected:
            raise CheckpointError(
                f"The {part} beside the checkpoint has size {size}, but {expected} is needed. "
                f"Use the one of {parts.name}."
            )
    vae.register_to_config(scaling_factor=parts.vae_scaling_factor)
    return {"vae": vae, "text_encoder": text_encoder, "tokenizer": tokenizer}


def _why_no_stage(network: PublishedNetwork) -> str:
    return (
        f"{network.file} is the {network.name} network, which makes no video from text alone. "
        f"Use {NETWORKS['base'].file}."
    )


def _unet_class(network: PublishedNetwork) -> type[VideoUNet]:
    return getattr(models, network.unet)


def _unet_config(source: Source) -> dict[str, Any]:
    """LaVie's config, with the sizes of the Stable Diffusion it lies beside (as its code does)."""
    config = dict(source.network.unet_config)
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


def _guess(state_dict: Mapping[str, Tensor], expected: PublishedNetwork) -> str:
    """Name the other published network that a state dict looks like."""
    first = state_dict.get("conv_in.weight")
    channels = first.shape[1] if first is not None and first.ndim == 4 else None
    is_video = any("temp" in k and not k.endswith(_ROTARY_FREQUENCIES) for k in state_dict)
    named = {
        4: "an image network such as Stable Diffusion",
        7: "LaVie's super-resolution network (super_resolution)",
        8: "LaVie's interpolation network (interpolation)",
        9: "SEINE (long_video)",
    }
    if any("time_rel_pos_bias" in key for key in state_dict):
        named[4] = "LaVie's base network (base)"
    if not is_video:
        named[7] = "an image network, Stable Diffusion's x4 upscaler"
    guess = named.get(channels or 0, "")
    return f" It looks like {guess}." if guess and f"({expected.name})" not in guess else ""


def _load_part(part: type[Part], folder: Path, dtype: torch.dtype) -> Part:
    """Load a network; without safetensors from its pickle, once that has been looked through."""
    if not any(folder.glob("*.safetensors")):
        for path in folder.glob("*.bin"):
            check_archive(path)
    return load_component(part, folder, dtype)
