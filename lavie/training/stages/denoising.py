"""What the stages that train a denoising network share: settings, loss and model folder."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
from diffusers.models.unets.unet_3d_condition import UNet3DConditionOutput
from pydantic import Field
from torch import Tensor

from lavie.data.joint import JointBatch
from lavie.models.latents import encode_pixels, fit_latent_rgb
from lavie.pipelines.schedulers import make_scheduler
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.pipelines.video_pipeline import VideoPipeline
from lavie.training.config import RunConfig
from lavie.training.diffusion import DiffusionConfig, DiffusionObjective
from lavie.training.model import LatentVideoModel, VideoConfig, check_size
from lavie.training.preview import take_captions, write_preview
from lavie.training.stage import Stage
from lavie.types import Frames

Denoiser = Callable[[Tensor, Tensor], UNet3DConditionOutput]
"""A network that knows its captions: of what it sees and the timesteps."""


class DenoisingConfig(RunConfig):
    """Settings of every stage that trains a denoising network."""

    train_text_encoder: bool = False
    """Whether the text encoder learns too."""
    video: VideoConfig = VideoConfig()
    """Shape of the clips or stills, and defaults of the exported model."""
    diffusion: DiffusionConfig = DiffusionConfig()
    """The noise process."""
    caption_dropout: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of captions replaced by `dropped_caption`, for guidance."""
    dropped_caption: str = ""
    """What stands for no caption."""
    focus_weight: Annotated[float, Field(ge=0)] = 0.0
    """How much more the latent cells in focus count."""


class DenoisingStage(Stage):
    """A stage that trains a denoising network.

    Args:
        config: Its settings.
        model: The network among its parts.
    """

    num_preview_captions: int
    num_preview_frames: int | None = None  # None: as many as the model's videos have

    def __init__(self, config: DenoisingConfig, model: LatentVideoModel) -> None:
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
        text = self.embed_captions(batch, generator)
        latents, weight = self.model.encode_batch(batch, self._settings.focus_weight)
        network: Denoiser = partial(
            self.model.unet,
            encoder_hidden_states=text,
            num_images=batch.num_images,
            frame_index=frame_index,
        )
        seen, target, timesteps = self.corrupt(latents, batch, network, generator)
        prediction = network(seen, timesteps).sample
        return self.objective.loss(prediction, target, timesteps, weight)

    def corrupt(
        self, latents: Tensor, batch: JointBatch, network: Denoiser, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Make what the network sees, and what it should say of it.

        Args:
            latents: ``(B, C, F + M, h, w)``, clean.
            batch: What they are of.
            network: Knows the captions; takes what it sees, and the timesteps ``(B,)``.
            generator: On the CPU.

        Returns:
            The noisy latents, the network's target, and the timesteps ``(B,)``.
        """
        return self.objective.corrupt(latents, generator)

    def embed_captions(self, batch: JointBatch, generator: torch.Generator) -> Tensor:
        """Embedded captions ``(B, S, L, D)``, some of them dropped."""
        settings = self._settings
        shape = (len(batch.captions), len(batch.captions[0]))
        is_dropped = torch.rand(shape, generator=generator) < settings.caption_dropout
        return self.model.encode_texts(batch.captions, is_dropped, settings.dropped_caption)

    def take_examples(self) -> JointBatch:
        """The first batch, kept from the first call on."""
        examples = self._examples or next(self.batches(0, 0, 1))
        self._examples = examples
        return examples

    def preview(self, folder: Path, step: int) -> Sequence[Frames] | None:
        """Videos from fixed captions and fixed noise."""
        captions = take_captions(self.take_examples(), self.num_preview_captions)
        num_frames = self.num_preview_frames or self._settings.video.num_frames
        write_preview(self.pipeline(), captions, num_frames, folder / f"step-{step:08d}.png")

    def export(self, folder: Path) -> None:
        """Write a model folder."""
        self.pipeline().save_pretrained(folder)

    def fit_previews(self, pixels: Tensor) -> tuple[list[list[float]], list[float]]:
        """The linear map that shows latents as colours, fitted to pixels ``(B, 3, F, H, W)``."""
        pixels = pixels.to(self.model.unet.device)
        return fit_latent_rgb(encode_pixels(self.model.vae, pixels), pixels)

    def pipeline(self) -> VideoPipeline:
        """The model as users run it."""
        model, video = self.model, self._settings.video
        factors, bias = self.fit_previews(self.take_examples().pixels)
        pipeline = TextToVideoPipeline(
            vae=model.vae,
            text_encoder=model.text_encoder,
            tokenizer=model.tokenizer,
            unet=model.unet,
            scheduler=make_scheduler("dpm++", self.objective.scheduler.config),
            default_height=video.height,
            default_width=video.width,
            default_num_frames=video.num_frames,
            default_num_inference_steps=video.num_inference_steps,
            default_guidance_scale=video.guidance_scale,
            default_fps=video.fps,
            latent_rgb_factors=factors,
            latent_rgb_bias=bias,
        )
        pipeline.set_progress_bar_config(disable=True)
        return pipeline
