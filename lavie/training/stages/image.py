"""Stage ``image``: text-to-image on stills, the ground that video training starts from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from lavie.data.config import SourceConfig
from lavie.data.joint import JointBatch, load_batches
from lavie.data.opening import open_mixture
from lavie.models.base_unet import TEMPORAL_NAMES
from lavie.training.config import RunConfig
from lavie.training.diffusion import DiffusionConfig, DiffusionObjective
from lavie.training.model import TextEncoderConfig, TextToVideoModel, VideoConfig, check_size
from lavie.training.preview import preview_sheet, take_captions
from lavie.training.stage import Stage


class ImageConfig(RunConfig):
    """Settings of stage ``image``."""

    init_from: Path | None = None
    """Model folder to go on from; null starts from nothing."""
    vae: Path | None = None
    """Folder of a trained VAE, when starting from nothing."""
    unet: dict[str, Any] | None = None
    """Architecture of the network, when starting from nothing."""
    text: TextEncoderConfig = TextEncoderConfig()
    """The text encoder, when starting from nothing."""
    train_text_encoder: bool = False
    """Whether the text encoder learns too."""
    images: tuple[SourceConfig, ...]
    """Stills to learn from."""
    video: VideoConfig = VideoConfig()
    """Size of the stills; the rest is for the exported model."""
    diffusion: DiffusionConfig = DiffusionConfig()
    """The noise process."""
    caption_dropout: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of captions replaced by the empty text, for guidance."""
    focus_weight: Annotated[float, Field(ge=0)] = 0.0
    """How much more the latent cells in focus count."""

    @model_validator(mode="after")
    def _starts_somewhere(self) -> Self:
        if self.init_from is None and (self.vae is None or self.unet is None):
            raise ValueError("Give init_from, or vae and unet to start from nothing.")
        return self


class ImageStage(Stage):
    """Denoise stills, each a row of its own; nothing temporal takes part."""

    name = "image"

    def __init__(self, config: ImageConfig) -> None:
        super().__init__(config)
        self.config: ImageConfig = config
        torch.manual_seed(config.seed)
        if config.init_from is not None:
            self.model = TextToVideoModel.from_folder(config.init_from, config.unet)
        elif config.vae is not None and config.unet is not None:
            self.model = TextToVideoModel.from_scratch(config.vae, config.unet, config.text)
        check_size(self.model.vae, config.video.height, config.video.width)
        self.objective = DiffusionObjective(config.diffusion)
        self.model.text_encoder.requires_grad_(config.train_text_encoder)
        for name, parameter in self.model.unet.named_parameters():
            parameter.requires_grad_(not any(part in name for part in TEMPORAL_NAMES))

    def batches(self, start: int, rank: int, world_size: int) -> Iterator[JointBatch]:
        """Rows of one still."""
        config, video = self.config, self.config.video
        per_step = config.batch_size * config.gradient_accumulation_steps
        source = open_mixture(config.images, 1, video.height, video.width, video.fps, per_step)
        return load_batches(
            None,
            source,
            batch_size=config.batch_size,
            num_images=1,
            seed=config.seed,
            start=start,
            rank=rank,
            world_size=world_size,
        )

    def forward(self, batch: JointBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """The denoising loss of a batch of stills."""
        is_dropped = torch.rand(len(batch.captions), 1, generator=generator)
        text = self.model.encode_texts(batch.captions, is_dropped < self.config.caption_dropout)
        latents, weight = self.model.encode_batch(batch, self.config.focus_weight)
        noisy, target, timesteps = self.objective.corrupt(latents, generator)
        prediction = self.model.unet(noisy, timesteps, text, num_images=1).sample
        return {"loss": self.objective.loss(prediction, target, timesteps, weight).mean()}

    def preview(self, folder: Path, step: int) -> None:
        """Stills from fixed captions and fixed noise."""
        batch = next(self.batches(0, 0, 1))
        pipeline = self.model.pipeline(self.objective, self.config.video, batch.pixels)
        preview_sheet(pipeline, take_captions(batch, 12), 1, folder / f"step-{step:08d}.png")

    def export(self, folder: Path) -> None:
        """Write a model folder."""
        batch = next(self.batches(0, 0, 1))
        pipeline = self.model.pipeline(self.objective, self.config.video, batch.pixels)
        pipeline.save_pretrained(folder)
