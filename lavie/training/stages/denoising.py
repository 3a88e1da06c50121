"""What the stages of the text-to-video network share: settings, previews and the model folder."""

from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from lavie.data.joint import JointBatch
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.training.config import RunConfig
from lavie.training.diffusion import DiffusionConfig, DiffusionObjective
from lavie.training.model import TextToVideoModel, VideoConfig, check_size
from lavie.training.preview import take_captions, write_preview
from lavie.training.stage import Stage


class DenoisingConfig(RunConfig):
    """Settings of every stage that trains the text-to-video network."""

    train_text_encoder: bool = False
    """Whether the text encoder learns too."""
    video: VideoConfig = VideoConfig()
    """Shape of the clips or stills, and defaults of the exported model."""
    diffusion: DiffusionConfig = DiffusionConfig()
    """The noise process."""
    caption_dropout: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of captions replaced by the empty text, for guidance."""
    focus_weight: Annotated[float, Field(ge=0)] = 0.0
    """How much more the latent cells in focus count."""


class DenoisingStage(Stage):
    """A stage that trains the text-to-video network.

    Args:
        config: Its settings.
        model: The network among its parts.
    """

    num_preview_captions: int
    num_preview_frames: int | None = None  # None: as many as the model's videos have

    def __init__(self, config: DenoisingConfig, model: TextToVideoModel) -> None:
        super().__init__(config)
        check_size(model.vae, config.video.height, config.video.width)
        self.model = model
        self.model.text_encoder.requires_grad_(config.train_text_encoder)
        self.objective = DiffusionObjective(config.diffusion)
        self._settings = config
        self._examples: JointBatch | None = None

    def denoising_loss(
        self, batch: JointBatch, generator: torch.Generator, frame_index: Tensor | None = None
    ) -> Tensor:
        """The loss of each frame, ``(B, F + M)``; clips begin at 0 without a ``frame_index``."""
        shape = (len(batch.captions), len(batch.captions[0]))
        is_dropped = torch.rand(shape, generator=generator) < self._settings.caption_dropout
        text = self.model.encode_texts(batch.captions, is_dropped)
        latents, weight = self.model.encode_batch(batch, self._settings.focus_weight)
        noisy, target, timesteps = self.objective.corrupt(latents, generator)
        prediction = self.model.unet(
            noisy, timesteps, text, num_images=batch.num_images, frame_index=frame_index
        ).sample
        return self.objective.loss(prediction, target, timesteps, weight)

    def take_examples(self) -> JointBatch:
        """The first batch, kept from the first call on."""
        examples = self._examples or next(self.batches(0, 0, 1))
        self._examples = examples
        return examples

    def preview(self, folder: Path, step: int) -> None:
        """Videos from fixed captions and fixed noise."""
        captions = take_captions(self.take_examples(), self.num_preview_captions)
        num_frames = self.num_preview_frames or self._settings.video.num_frames
        write_preview(self._pipeline(), captions, num_frames, folder / f"step-{step:08d}.png")

    def export(self, folder: Path) -> None:
        """Write a model folder."""
        self._pipeline().save_pretrained(folder)

    def _pipeline(self) -> TextToVideoPipeline:
        examples = self.take_examples().pixels
        return self.model.pipeline(self.objective, self._settings.video, examples)
