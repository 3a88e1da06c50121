"""Stage ``base``: the image model learns to move, fine-tuned jointly on videos and images."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import torch
from einops import rearrange
from pydantic import Field, model_validator
from torch import Tensor

from lavie.data.config import SourceConfig
from lavie.data.joint import JointBatch
from lavie.data.opening import open_mixture
from lavie.training.model import LatentVideoModel
from lavie.training.stages.denoising import DenoisingConfig, DenoisingStage


class BaseConfig(DenoisingConfig):
    """Settings of stage ``base``."""

    init_from: Path
    """Model folder to start from: Stable Diffusion 1.4, a finished image stage, or a base model."""
    unet: dict[str, Any] | None = None
    """Architecture that takes over the image weights, its temporal layers fresh. Null goes on with
    the folder's own network."""
    scheme: Literal["joint", "video_only", "temporal_only"] = "joint"
    """What is trained on what, as in the paper's Fig. 9: everything on videos and images,
    everything on videos, or the temporal layers alone on videos."""
    videos: tuple[SourceConfig, ...]
    """Clips to learn from; from_step and to_step make the curriculum."""
    images: tuple[SourceConfig, ...] = ()
    """Stills to learn from, for the joint scheme."""
    num_images: Annotated[int, Field(ge=1)] = 4
    """M, stills behind each clip in the joint scheme."""
    image_loss_weight: Annotated[float, Field(ge=0)] = 1.0
    """alpha, weight of the images' loss beside the video's 1."""
    frames_per_clip: Annotated[int, Field(ge=2)] | None = None
    """Random frames kept of each clip, which saves time where motion is simple; null keeps all."""

    @model_validator(mode="after")
    def _fits_scheme(self) -> Self:
        if self.scheme == "joint" and not self.images:
            raise ValueError("The joint scheme needs images; give some or choose video_only.")
        if self.scheme == "temporal_only" and self.train_text_encoder:
            raise ValueError(
                "temporal_only trains nothing but temporal layers; set train_text_encoder to false."
            )
        return self


class BaseStage(DenoisingStage):
    """Denoise clips with independent stills behind them on the frame axis.

    Source: LaVie (arXiv:2309.15103), section 3.2 and Eq. 3.
    """

    name = "base"
    num_preview_captions = 8

    def __init__(self, config: BaseConfig) -> None:
        torch.manual_seed(config.seed)
        super().__init__(config, LatentVideoModel.from_folder(config.init_from, config.unet))
        self.config: BaseConfig = config
        self.num_images = config.num_images if config.scheme == "joint" else 0
        self.choose_weights()

    def choose_weights(self) -> None:
        """Say which weights of the network learn."""
        unet = self.model.unet
        for name, parameter in unet.named_parameters():
            is_chosen = self.config.scheme != "temporal_only" or unet.is_temporal(name)
            parameter.requires_grad_(is_chosen)

    def batches(self, start: int, rank: int, world_size: int) -> Iterator[JointBatch]:
        """Clips, each with its stills."""
        config, video = self.config, self.config.video
        per_step = config.batch_size * config.gradient_accumulation_steps
        size = (video.height, video.width, video.fps)
        videos = open_mixture(config.videos, video.num_frames, *size, per_step)
        images = (
            open_mixture(config.images, 1, *size, per_step * self.num_images)
            if self.num_images
            else None
        )
        return self.load(
            videos,
            images,
            self.num_images,
            (start, rank, world_size),
        )

    def forward(self, batch: JointBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """The video's loss plus alpha times the images' loss, Eq. 3."""
        batch, frame_index = self._thin_out(batch, generator)
        per_frame = self.denoising_loss(batch, generator, frame_index)  # (B, F + M)
        num_frames = per_frame.shape[1] - self.num_images
        losses = {"loss": per_frame[:, :num_frames].mean()}
        losses["video_loss"] = losses["loss"].detach()
        if self.num_images:
            image_loss = per_frame[:, num_frames:].mean()
            losses["loss"] = losses["loss"] + self.config.image_loss_weight * image_loss
            losses["image_loss"] = image_loss.detach()
        return losses

    def _thin_out(self, batch: JointBatch, generator: torch.Generator) -> tuple[JointBatch, Tensor]:
        """Keep ``frames_per_clip`` random frames of each clip, and say which, ``(B, F)``."""
        num_rows, _, total = batch.pixels.shape[:3]
        num_frames = total - self.num_images
        count = min(self.config.frames_per_clip or num_frames, num_frames)
        order = torch.rand(num_rows, num_frames, generator=generator).argsort(dim=1)
        kept = order[:, :count].sort(dim=1).values
        images = torch.arange(num_frames, total).expand(num_rows, -1)
        picks = torch.cat([kept, images], dim=1)  # (B, F + M)
        rows = torch.arange(num_rows)[:, None]
        pixels = rearrange(batch.pixels, "B C F H W -> B F C H W")[rows, picks]
        return (
            JointBatch(
                rearrange(pixels, "B F C H W -> B C F H W"),
                batch.captions,
                batch.num_images,
                None if batch.focus is None else batch.focus[rows, picks],
                batch.begins_at,
            ),
            kept.to(self.model.unet.device),
        )
