"""Stage ``image``: text-to-image on stills, the ground that video training starts from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self, cast

import torch
from pydantic import model_validator
from torch import Tensor

from lavie.data.config import SourceConfig
from lavie.data.joint import JointBatch
from lavie.data.opening import open_mixture
from lavie.training.model import LatentVideoModel, TextEncoderConfig
from lavie.training.stages.denoising import DenoisingConfig, DenoisingStage


class ImageConfig(DenoisingConfig):
    """Settings of stage ``image``."""

    init_from: Path | None = None
    """Model folder to go on from; null starts from nothing."""
    vae: Path | None = None
    """Folder of a trained VAE, when starting from nothing."""
    unet: dict[str, Any] | None = None
    """Architecture of the network, when starting from nothing."""
    text: TextEncoderConfig = TextEncoderConfig()
    """The text encoder, when starting from nothing."""
    images: tuple[SourceConfig, ...]
    """Stills to learn from."""

    @model_validator(mode="after")
    def _starts_somewhere(self) -> Self:
        if self.init_from is None and (self.vae is None or self.unet is None):
            raise ValueError("Give init_from, or vae and unet to start from nothing.")
        return self


class ImageStage(DenoisingStage):
    """Denoise stills, each a row of its own; nothing temporal takes part."""

    name = "image"
    num_preview_captions = 12
    num_preview_frames = 1

    def __init__(self, config: ImageConfig) -> None:
        torch.manual_seed(config.seed)
        super().__init__(config, _start(config))
        self.config: ImageConfig = config
        unet = self.model.unet
        for name, parameter in unet.named_parameters():
            parameter.requires_grad_(not unet.is_temporal(name))

    def batches(self, start: int, rank: int, world_size: int) -> Iterator[JointBatch]:
        """Rows of one still."""
        config, video = self.config, self.config.video
        per_step = config.batch_size * config.gradient_accumulation_steps
        source = open_mixture(config.images, 1, video.height, video.width, video.fps, per_step)
        return self.load(
            None,
            source,
            1,
            (start, rank, world_size),
        )

    def forward(self, batch: JointBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """The denoising loss of a batch of stills."""
        return {"loss": self.denoising_loss(batch, generator).mean()}


def _start(config: ImageConfig) -> LatentVideoModel:
    if config.init_from is not None:
        return LatentVideoModel.from_folder(config.init_from, config.unet)
    vae, unet = cast(Path, config.vae), cast(dict[str, Any], config.unet)  # the settings say so
    return LatentVideoModel.from_scratch(vae, unet, config.text)
