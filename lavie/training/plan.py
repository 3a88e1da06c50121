"""What a run would do, found out without doing it: ``train --dry-run``.

Networks are built on the meta device, which knows shapes but holds no numbers, so the largest ones
take a moment and no memory. Folders of data and of models that are not there yet are told, not
refused: a plan may come before its downloads.
"""

import json
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
from lavie.errors import CheckpointError
from lavie.models import BaseUNet
from lavie.training.config import RunConfig
from lavie.training.model import check_parts, check_size
from lavie.training.record import check_record
from lavie.training.stages.base import BaseConfig
from lavie.training.stages.image import ImageConfig
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
        architecture = _read_architecture(config.init_from, "vae")
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


def _plan_unet(config: Any) -> Plan:  # noqa: ANN401 - settings of stage image or base
    source: Path | None = config.init_from
    if source is not None:
        missing = _missing_parts(source, ("vae", "text_encoder", "tokenizer", "unet"))
        vae_config = _read_architecture(source, "vae")
        text_config = _read_architecture(source, "text_encoder")
        text_width = text_config["hidden_size"] if text_config else None
        unet_config = config.unet or _read_architecture(source, "unet")
    else:
        missing = _missing_parts(config.vae.parent, (config.vae.name,))
        vae_config = _read_architecture(config.vae.parent, config.vae.name)
        text_width, unet_config = config.text.width, config.unet
    if unet_config is None:
        return Plan((), tuple(missing))

    with torch.device("meta"):
        unet: Any = BaseUNet.from_config(unet_config)
        factor = 8  # Stable Diffusion's, until the VAE is there
        if vae_config is not None:
            vae: Any = AutoencoderKL.from_config(vae_config)
            check_size(vae, config.video.height, config.video.width)
            factor = 2 ** (len(vae.config.block_out_channels) - 1)
            check_parts(vae.config.latent_channels, text_width, unet)
        num_frames, num_images = _row(config)
        slots = num_images + (num_frames > 0)
        size = (config.video.height // factor, config.video.width // factor)
        latents = torch.empty(1, unet.config.in_channels, num_frames + num_images, *size)
        text = torch.empty(1, slots, 77, unet.config.cross_attention_dim)
        with torch.no_grad():
            unet(latents, torch.zeros(1), text, num_images=num_images)
    return Plan((_weights_of(unet, "unet"), _shape("latents of a row", latents)), tuple(missing))


def _row(config: Any) -> tuple[int, int]:  # noqa: ANN401 - settings of stage image or base
    """Frames of a clip and stills in a row."""
    if isinstance(config, ImageConfig):
        return 0, 1
    num_frames = min(config.frames_per_clip or config.video.num_frames, config.video.num_frames)
    return num_frames, config.num_images if config.scheme == "joint" else 0


def _plan_data(config: Any) -> Plan:  # noqa: ANN401 - settings of any stage
    facts, missing = [], []
    is_vae = isinstance(config, VAEConfig)
    video: Any = config if is_vae else config.video
    size = (video.height, video.width, 1 if is_vae else video.fps)
    for name, sources in _data_of(config):
        check_schedule(sources)
        num_frames = video.num_frames if name == "videos" else 1
        for source in sources:
            if absent := _absent_files(source):
                missing.append(f"{name}: {absent} does not exist yet")
                continue
            num_clips = open_source(source, num_frames, *size).num_clips
            amount = "endless or unknown" if num_clips is None else f"{num_clips} files"
            facts.append(f"{name}: {source}, {amount}, from step {source.from_step}")
    return Plan(tuple(facts), tuple(missing))


def _data_of(config: Any) -> Iterator[tuple[str, Sequence[SourceConfig]]]:  # noqa: ANN401
    if isinstance(config, BaseConfig):
        yield "videos", config.videos
        if config.scheme != "joint":
            return
    yield "images", config.images


def _absent_files(source: SourceConfig) -> str | None:
    paths = [source.path] if source.path is not None else []
    if not paths and source.urls and "://" not in source.urls[0]:
        paths = [Path(source.urls[0]).parent]
    return next((str(path) for path in paths if not path.exists()), None)


def _missing_parts(folder: Path, parts: Sequence[str]) -> list[str]:
    return [f"{folder / part} does not exist yet" for part in parts if not (folder / part).is_dir()]


def _read_architecture(folder: Path, part: str) -> dict[str, Any] | None:
    path = folder / part / "config.json"
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise CheckpointError(f"{path} is no JSON ({error}). Copy the folder again.") from error


def _weights_of(network: nn.Module, name: str) -> str:
    number = sum(parameter.numel() for parameter in network.parameters())
    gigabytes = number * _BYTES_PER_WEIGHT / 1e9
    return (
        f"{name}: {number / 1e6:.1f} million weights; if all learn, {gigabytes:.1f} GB "
        "for them, their gradients, AdamW and the average"
    )


def _shape(name: str, tensor: torch.Tensor) -> str:
    return f"{name}: {' x '.join(str(size) for size in tensor.shape[1:])}"
