"""What a run would do, found out without doing it: ``train --dry-run``.

Networks are built on the meta device, which knows shapes but holds no numbers, so the largest ones
take a moment and no memory. Folders of data and of models that are not there yet are told, not
refused: a plan may come before its downloads.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import nn

from lavie.data.config import SourceConfig
from lavie.data.mixing import check_schedule
from lavie.data.opening import open_source
from lavie.models import BaseUNet, InterpolationUNet, SuperResolutionUNet
from lavie.models.latents import vae_scale_factor
from lavie.pipelines.between import num_result_frames
from lavie.pipelines.model_folder import STAGE_PIPELINES, find_part, find_stage_folder
from lavie.training.config import RunConfig
from lavie.training.model import Network, check_parts, check_size, read_architecture, way_to
from lavie.training.record import check_record
from lavie.training.stages.base import BaseConfig
from lavie.training.stages.image import ImageConfig
from lavie.training.stages.interpolation import InterpolationConfig
from lavie.training.stages.super_resolution import SuperResolutionConfig
from lavie.training.stages.vae import VAEConfig, check_normalisable

_BYTES_PER_WEIGHT = 20
"""float32: the weight, its gradient, AdamW's two means and the running average."""


@dataclass(frozen=True)
class Plan:
    """What a dry run found.

    Args:
        facts: One sentence or number each.
        missing: What has to be there before the run can start, one sentence each.
    """

    facts: tuple[str, ...]
    missing: tuple[str, ...]


def plan_run(stage: str, config: RunConfig) -> Plan:
    """Check the settings of a run as far as that is possible without running it.

    Args:
        stage: Name of the stage.
        config: Its settings.

    Raises:
        ConfigError: Settings don't fit together, or the run's folder holds another run.
        InputError: A data folder is there, but nothing in it can be used.
    """
    check_record(stage, config)
    facts, missing = [_steps(config)], []
    networks = _plan_vae(config) if isinstance(config, VAEConfig) else _plan_unet(config)
    for found in (networks, _plan_data(config)):
        facts += found.facts
        missing += found.missing
    return Plan(tuple(facts), tuple(missing))


def _steps(config: RunConfig) -> str:
    num_processes = int(os.environ.get("WORLD_SIZE", "1"))
    per_step = config.batch_size * config.gradient_accumulation_steps * num_processes
    return (
        f"{config.num_steps} steps of {per_step} samples "
        f"({config.batch_size} in a batch x {config.gradient_accumulation_steps} batches x "
        f"{num_processes} processes): {config.num_steps * per_step} samples"
    )


def _plan_vae(config: VAEConfig) -> Plan:
    architecture, missing = config.vae, []
    if config.init_from is not None:
        architecture = read_architecture(config.init_from, "vae")
        missing += _missing_parts(config.init_from, ("vae",))
    if architecture is None:
        return Plan((), tuple(missing))
    with torch.device("meta"):
        vae: Any = AutoencoderKL.from_config(architecture)
        check_size(vae, config.height, config.width)
        latents = vae.encode(torch.empty(1, 3, config.height, config.width)).latent_dist.mean
    if config.train_encoder:
        check_normalisable(vae)
    return Plan((_weights_of(vae, "vae"), _shape("latents", latents)), tuple(missing))


def _plan_unet(config: Any) -> Plan:  # noqa: ANN401 - settings of a stage with a denoising network
    source: Path | None = config.init_from
    if source is not None:
        source = _stage_folder(config, source)
        missing = _missing_parts(source, ("vae", "text_encoder", "tokenizer", "unet"))
        vae_config = read_architecture(find_part(source, "vae").parent, "vae")
        text_config = read_architecture(find_part(source, "text_encoder").parent, "text_encoder")
    else:
        missing = _missing_parts(config.vae.parent, (config.vae.name,))
        vae_config = read_architecture(config.vae.parent, config.vae.name)
        if isinstance(config, ImageConfig):
            text_config = {"hidden_size": config.text.width}
        else:
            missing += _missing_parts(config.text_from, ("text_encoder", "tokenizer"))
            text_config = read_architecture(config.text_from, "text_encoder")
    text_width = text_config["hidden_size"] if text_config else None
    kind, unet_config = _network_of(config)
    if unet_config is None:
        return Plan((), tuple(missing))

    with torch.device("meta"):
        unet: Any = kind.from_config(unet_config)
        channels, factor = unet.config.out_channels, 8  # Stable Diffusion's, until the VAE is there
        if vae_config is not None:
            vae: Any = AutoencoderKL.from_config(vae_config)
            check_size(vae, config.video.height, config.video.width)
            channels = vae.config.latent_channels
            factor = vae_scale_factor(vae)
            check_parts(channels, text_width, unet)
        num_frames, height, width = _row(config)
        latents = torch.empty(1, channels, num_frames, height // factor, width // factor)
    return Plan((_weights_of(unet, "unet"), _shape("latents of a row", latents)), tuple(missing))


def _stage_folder(config: Any, source: Path) -> Path:  # noqa: ANN401
    """Where a run starts: in a model of all stages, from super-resolution's own sub-folder."""
    if isinstance(config, SuperResolutionConfig):
        return find_stage_folder(source, STAGE_PIPELINES["super_resolution"])
    return source


def _network_of(config: Any) -> tuple[type[Network], dict[str, Any] | None]:  # noqa: ANN401
    """Class and architecture of the network that a stage trains; None if that is not there yet."""
    source: Path | None = config.init_from
    found = source and read_architecture(_stage_folder(config, source), "unet")
    if isinstance(config, SuperResolutionConfig):
        return SuperResolutionUNet, config.unet or found
    if not isinstance(config, InterpolationConfig):
        return BaseUNet, config.unet or found
    if found and found["_class_name"] != InterpolationUNet.__name__:
        choices = InterpolationUNet.input_channels(found["out_channels"])
        found = found | {"in_channels": choices[config.sees_both_neighbours]}
        del found["_class_name"]
    return InterpolationUNet, found


def _row(config: Any) -> tuple[int, int, int]:  # noqa: ANN401
    """Frames, stills included, height and width of a row as the network sees it."""
    video = config.video
    size = (video.height, video.width)
    if isinstance(config, ImageConfig):
        return 1, *size
    if isinstance(config, BaseConfig):
        num_frames = min(config.frames_per_clip or video.num_frames, video.num_frames)
        return num_frames + (config.num_images if config.scheme == "joint" else 0), *size
    if config.patch_size is not None:
        size = (config.patch_size, config.patch_size)
    if isinstance(config, InterpolationConfig):
        return num_result_frames(config.frames_given or video.num_frames), *size
    return video.num_frames if config.mode == "video" else 1, *size


def _plan_data(config: Any) -> Plan:  # noqa: ANN401 - settings of any stage
    facts, missing = [], []
    is_vae = isinstance(config, VAEConfig)
    video: Any = config if is_vae else config.video
    size = (video.height, video.width, 1 if is_vae else video.fps)
    clip_frames = 1 if is_vae else video.num_frames
    if isinstance(config, InterpolationConfig):
        clip_frames = num_result_frames(clip_frames)
    for name, sources in _data_of(config):
        check_schedule(sources)
        num_frames = clip_frames if name == "videos" else 1
        for source in sources:
            if absent := _absent_files(source):
                missing.append(f"{name}: {absent} does not exist yet")
                continue
            num_clips = open_source(source, num_frames, *size).num_clips
            amount = "endless or unknown" if num_clips is None else f"{num_clips} files"
            facts.append(f"{name}: {source}, {amount}, from step {source.from_step}")
    return Plan(tuple(facts), tuple(missing))


def _data_of(config: Any) -> Iterator[tuple[str, Sequence[SourceConfig]]]:  # noqa: ANN401
    match config:
        case BaseConfig(scheme="joint"):
            yield "videos", config.videos
            yield "images", config.images
        case BaseConfig() | InterpolationConfig() | SuperResolutionConfig(mode="video"):
            yield "videos", config.videos
        case _:
            yield "images", config.images


def _absent_files(source: SourceConfig) -> str | None:
    paths = [source.path] if source.path is not None else []
    if not paths and source.urls and "://" not in source.urls[0]:
        paths = [Path(source.urls[0]).parent]
    return next((str(path) for path in paths if not path.exists()), None)


def _missing_parts(folder: Path, parts: Sequence[str]) -> list[str]:
    absent = [part for part in parts if not find_part(folder, part).is_dir()]
    way_out = "" if folder.is_dir() else f". {way_to(folder)}"
    return [f"{folder / part} does not exist yet{way_out}" for part in absent]


def _weights_of(network: nn.Module, name: str) -> str:
    number = sum(parameter.numel() for parameter in network.parameters())
    gigabytes = number * _BYTES_PER_WEIGHT / 1e9
    return (
        f"{name}: {number / 1e6:.1f} million weights; if all learn, {gigabytes:.1f} GB "
        "for them, their gradients, AdamW and the average"
    )


def _shape(name: str, tensor: torch.Tensor) -> str:
    return f"{name}: {' x '.join(str(size) for size in tensor.shape[1:])}"
