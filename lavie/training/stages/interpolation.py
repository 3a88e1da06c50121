"""Stage ``interpolation``: the base network learns to make the frames between given ones."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from lavie.data.config import SourceConfig
from lavie.data.joint import JointBatch
from lavie.data.opening import open_mixture
from lavie.media import pixels_to_frames
from lavie.models import BaseUNet, InterpolationUNet
from lavie.models.latents import vae_scale_factor
from lavie.pipelines.between import FACTOR, cross_fade, num_result_frames
from lavie.pipelines.interpolation import InterpolationPipeline
from lavie.pipelines.schedulers import make_scheduler
from lavie.pipelines.smoothing import lay_under
from lavie.training.model import LatentVideoModel, read_architecture
from lavie.training.patches import check_patch, cut_patches
from lavie.training.preview import write_comparison
from lavie.training.stages.denoising import DenoisingConfig, DenoisingStage

_PREVIEW_CLIPS = 4


class InterpolationConfig(DenoisingConfig):
    """Settings of stage ``interpolation``; ``video`` is the clip that is given, F frames of it."""

    init_from: Path
    """Model folder to start from: a base model, or an interpolation model to go on with."""
    videos: tuple[SourceConfig, ...]
    """Clips to learn from, read with 4F - 3 frames, of which every fourth is given."""
    frames_given: Annotated[int, Field(ge=2)] | None = None
    """Given frames of a random part of each clip, which saves time and memory; null keeps all."""
    patch_size: Annotated[int, Field(ge=8)] | None = None
    """Side of the random patch cut out of each clip, in pixels; null keeps whole frames."""
    residual_scale: Annotated[float, Field(gt=0)] | None = None
    """For networks trained from nothing: learn what the latents differ from a cross-fade of the
    given ones, divided by this. Null, as published: the latents themselves."""
    sees_both_neighbours: bool = False
    """For networks trained from nothing: see the given latents before and after each frame. False,
    as published: copies of the nearest ones."""
    keep_details: bool = False
    """Whether the exported model gives back what the VAE loses of the given frames."""
    dropped_caption: str = "None"
    """What stands for no caption; the published network was taught this word."""


class InterpolationStage(DenoisingStage):
    """Denoise all frames of a clip while every fourth is given, each four times in a row.

    Source: LaVie (arXiv:2309.15103), section 3.2; patches of 256x256 and the literal "None" as in
    the release.
    """

    name = "interpolation"

    def __init__(self, config: InterpolationConfig) -> None:
        torch.manual_seed(config.seed)
        super().__init__(config, _start(config.init_from, config.sees_both_neighbours))
        self.config: InterpolationConfig = config
        video = config.video
        self.multiple = vae_scale_factor(self.model.vae)
        check_patch(config.patch_size, video.height, video.width, self.multiple)

    def batches(self, start: int, rank: int, world_size: int) -> Iterator[JointBatch]:
        """Clips of 4F - 3 frames."""
        config, video = self.config, self.config.video
        per_step = config.batch_size * config.gradient_accumulation_steps
        size = (video.height, video.width, FACTOR * video.fps)
        return self.load(
            open_mixture(config.videos, num_result_frames(video.num_frames), *size, per_step),
            None,
            0,
            (start, rank, world_size),
        )

    def forward(self, batch: JointBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """The denoising loss over all frames, those that are given too."""
        batch, places = self._shorten(batch, generator)
        batch = cut_patches(batch, self.config.patch_size, self.multiple, generator)
        latents, weight = self.model.encode_batch(batch, self.config.focus_weight)
        given = latents[:, :, ::FACTOR]
        condition = lay_under(self.model.unet, given)
        if (scale := self.config.residual_scale) is not None:
            latents = (latents - cross_fade(given)) / scale
        text = self.embed_captions(batch, generator)
        noisy, target, timesteps = self.objective.corrupt(latents, generator)
        prediction = self.model.unet(
            torch.cat([noisy, condition], dim=1),
            timesteps,
            text,
            frame_index=places.to(latents.device) / FACTOR,
        ).sample
        return {"loss": self.objective.loss(prediction, target, timesteps, weight).mean()}

    def preview(self, folder: Path, step: int) -> None:
        """What is given, what the network makes of it, and what was there, below each other."""
        examples = self.take_examples()
        pipeline, rows = self.pipeline(), []
        for index, (caption,) in enumerate(examples.captions[:_PREVIEW_CLIPS]):
            truth = pixels_to_frames(examples.pixels[[index]])[0]
            given = truth[::FACTOR]
            generator = torch.Generator().manual_seed(index)
            result: Any = pipeline(given, caption, generator=generator)
            repeated = given.repeat(FACTOR, axis=0)[: len(truth)]
            rows += [(f"given: {caption}", repeated), ("made", result.frames[0]), ("true", truth)]
        fps = FACTOR * self.config.video.fps
        write_comparison(rows, folder / f"step-{step:08d}.png", fps)

    def pipeline(self) -> InterpolationPipeline:
        """The model as users run it."""
        model, video = self.model, self.config.video
        factors, bias = self.fit_previews(self.take_examples().pixels[:, :, ::FACTOR])
        pipeline = InterpolationPipeline(
            vae=model.vae,
            text_encoder=model.text_encoder,
            tokenizer=model.tokenizer,
            unet=model.unet,
            scheduler=make_scheduler("dpm++", self.objective.scheduler.config),
            default_num_frames=video.num_frames,
            default_num_inference_steps=video.num_inference_steps,
            default_guidance_scale=video.guidance_scale,
            prompt_suffix="",
            default_keep_details=self.config.keep_details,
            residual_scale=self.config.residual_scale,
            latent_rgb_factors=factors,
            latent_rgb_bias=bias,
        )
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def _shorten(self, batch: JointBatch, generator: torch.Generator) -> tuple[JointBatch, Tensor]:
        """A random part of each clip, with ``frames_given`` given frames, and which, ``(B, F)``."""
        total = batch.pixels.shape[2]
        count = min(num_result_frames(self.config.frames_given or total), total)
        starts = torch.randint(0, total - count + 1, (len(batch.captions),), generator=generator)
        picks = starts[:, None] + torch.arange(count)  # (B, F)
        pixels = torch.stack([row[:, pick] for row, pick in zip(batch.pixels, picks, strict=True)])
        focus = batch.focus
        if focus is not None:
            focus = torch.stack([row[pick] for row, pick in zip(focus, picks, strict=True)])
        return JointBatch(pixels, batch.captions, batch.num_images, focus), picks


def _start(folder: Path, sees_both_neighbours: bool) -> LatentVideoModel:
    """An interpolation model, or what a base model becomes."""
    architecture = read_architecture(folder, "unet") or {}
    is_base = architecture.get("_class_name") != InterpolationUNet.__name__
    model = LatentVideoModel.from_folder(folder, kind=BaseUNet if is_base else InterpolationUNet)
    if is_base or model.unet.sees_both_neighbours != sees_both_neighbours:
        choices = InterpolationUNet.input_channels(model.unet.config["out_channels"])
        model.unet = InterpolationUNet.from_base(model.unet, choices[sees_both_neighbours])
    return model
