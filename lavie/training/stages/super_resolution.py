"""Stage ``vsr``: an image upscaler, and then its layers in time, so that videos don't flicker."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

import torch
from diffusers import AutoencoderKL, DDPMScheduler
from pydantic import Field, model_validator
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from lavie.data.config import SourceConfig
from lavie.data.joint import JointBatch
from lavie.data.opening import open_mixture
from lavie.media import enlarge_frames, pixels_to_frames
from lavie.models import SuperResolutionUNet
from lavie.pipelines.model_folder import find_stage_folder, load_component
from lavie.pipelines.schedulers import make_scheduler
from lavie.pipelines.super_resolution import FACTOR, SuperResolutionPipeline
from lavie.training.diffusion import draw_noise
from lavie.training.model import LatentVideoModel
from lavie.training.patches import check_patch, cut_patches, shrink
from lavie.training.preview import write_comparison
from lavie.training.stages.denoising import DenoisingConfig, DenoisingStage

_PREVIEW_CLIPS = 4


class SuperResolutionConfig(DenoisingConfig):
    """Settings of stage ``vsr``; ``video`` is the large one."""

    init_from: Path | None = None
    """Model folder to start from: Stable Diffusion's x4 upscaler, or a model of this stage. Null
    starts from nothing."""
    unet: dict[str, Any] | None = None
    """Architecture of the network: starting from nothing, or with fresh layers in time. Null goes
    on with the folder's own network."""
    vae: Path | None = None
    """Folder of a trained VAE of large pictures, when starting from nothing."""
    text_from: Path | None = None
    """Model folder whose text encoder and tokenizer to use, when starting from nothing."""
    mode: Literal["image", "video"] = "video"
    """Train the layers in space on stills, or the layers in time alone on clips."""
    videos: tuple[SourceConfig, ...] = ()
    """Clips to learn from in video mode, moved stills (handheld) among them."""
    images: tuple[SourceConfig, ...] = ()
    """Stills to learn from in image mode."""
    patch_size: Annotated[int, Field(ge=8)] | None = 320
    """Side of the random patch of the large picture; null keeps whole pictures."""
    max_noise_level: Annotated[int, Field(ge=0)] = 350
    """The small picture is noised to a random level up to this one, which the network is told."""
    num_window_frames: Annotated[int, Field(ge=1)] = 8
    """Frames that the exported model works on at once."""
    noise_level: Annotated[int, Field(ge=0)] = 50
    """Noise level of the small picture in the exported model."""
    share_noise: bool = False
    """Whether all frames of a clip get the same noise, which flickers less; also in the exported
    model."""
    keep_colours: bool = False
    """Whether the exported model gives its results the colours of what it enlarges."""
    negative_prompt: str = ""
    """What the exported model stays away from under guidance."""

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        if self.init_from is None and None in (self.unet, self.vae, self.text_from):
            raise ValueError("Give init_from, or unet, vae and text_from to start from nothing.")
        if self.init_from is not None and self.text_from is not None:
            raise ValueError("init_from has a text encoder of its own. Leave text_from out.")
        if not (self.videos if self.mode == "video" else self.images):
            name = "videos" if self.mode == "video" else "images"
            raise ValueError(f"Mode {self.mode} needs {name}; give some.")
        return self


class SuperResolutionStage(DenoisingStage):
    """Denoise large pictures or clips while the small one, noised to a known level, is given.

    Source: LaVie (arXiv:2309.15103), section 3.3; patches of 320x320, noise up to level 350 and
    the schedules of the release.
    """

    name = "vsr"

    def __init__(self, config: SuperResolutionConfig) -> None:
        torch.manual_seed(config.seed)
        super().__init__(config, _start(config))
        self.config: SuperResolutionConfig = config
        check_patch(config.patch_size, config.video.height, config.video.width, 2 * FACTOR)
        self.low_res_scheduler = DDPMScheduler(beta_schedule="scaled_linear")
        trains_time = config.mode == "video"
        for name, parameter in self.model.unet.named_parameters():
            parameter.requires_grad_(SuperResolutionUNet.is_temporal(name) == trains_time)

    def batches(self, start: int, rank: int, world_size: int) -> Iterator[JointBatch]:
        """Rows of one clip, or of one still."""
        config, video = self.config, self.config.video
        per_step = config.batch_size * config.gradient_accumulation_steps
        is_video = config.mode == "video"
        source = open_mixture(
            config.videos if is_video else config.images,
            video.num_frames if is_video else 1,
            video.height,
            video.width,
            video.fps,
            per_step,
        )
        return self.load(
            source if is_video else None,
            None if is_video else source,
            0 if is_video else 1,
            (start, rank, world_size),
        )

    def forward(self, batch: JointBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """The denoising loss of a batch of patches."""
        batch = cut_patches(batch, self.config.patch_size, FACTOR, generator)
        latents, weight = self.model.encode_batch(batch, self.config.focus_weight)
        levels = torch.randint(
            0, self.config.max_noise_level + 1, (len(latents),), generator=generator
        )
        small = shrink(batch.pixels, FACTOR)
        noise = draw_noise(small.shape, generator, self.config.share_noise)
        low_res = self.low_res_scheduler.add_noise(small, noise, levels)
        text = self.embed_captions(batch, generator)
        noisy, target, timesteps = self.objective.corrupt(
            latents, generator, self.config.share_noise
        )
        prediction = self.model.unet(
            noisy,
            timesteps,
            text,
            low_res=low_res.to(latents.device),
            class_labels=levels.to(latents.device),
            num_images=batch.num_images,
        ).sample
        return {"loss": self.objective.loss(prediction, target, timesteps, weight).mean()}

    def preview(self, folder: Path, step: int) -> None:
        """What is given, what the network makes of it, and what was there, below each other."""
        examples = self.take_examples()
        pipeline, rows = self.pipeline(), []
        for index, (caption,) in enumerate(examples.captions[:_PREVIEW_CLIPS]):
            truth = examples.pixels[[index]]
            given = pixels_to_frames(shrink(truth, FACTOR))[0]
            generator = torch.Generator().manual_seed(index)
            result: Any = pipeline(given, caption, generator=generator)
            enlarged = enlarge_frames(given, FACTOR, "nearest")
            rows += [(f"given: {caption}", enlarged), ("made", result.frames[0])]
            rows.append(("true", pixels_to_frames(truth)[0]))
        write_comparison(rows, folder / f"step-{step:08d}.png", self.config.video.fps)

    def pipeline(self) -> SuperResolutionPipeline:
        """The model as users run it."""
        model, config = self.model, self.config
        pipeline = SuperResolutionPipeline(
            vae=model.vae,
            text_encoder=model.text_encoder,
            tokenizer=model.tokenizer,
            unet=model.unet,
            scheduler=make_scheduler("dpm++", self.objective.scheduler.config),
            low_res_scheduler=self.low_res_scheduler,
            default_num_frames=config.num_window_frames,
            default_num_inference_steps=config.video.num_inference_steps,
            default_guidance_scale=config.video.guidance_scale,
            default_noise_level=config.noise_level,
            default_negative_prompt=config.negative_prompt,
            default_keep_colours=config.keep_colours,
            default_share_noise=config.share_noise,
        )
        pipeline.set_progress_bar_config(disable=True)
        return pipeline


def _start(config: SuperResolutionConfig) -> LatentVideoModel:
    if config.init_from is not None:
        folder = find_stage_folder(config.init_from, SuperResolutionPipeline.__name__)
        return LatentVideoModel.from_folder(folder, config.unet, SuperResolutionUNet)
    vae, text = cast(Path, config.vae), cast(Path, config.text_from)  # the settings say so
    return LatentVideoModel(
        load_component(AutoencoderKL, vae, torch.float32),
        load_component(CLIPTextModel, text / "text_encoder", torch.float32),
        load_component(CLIPTokenizer, text / "tokenizer"),
        SuperResolutionUNet.from_config(config.unet or {}),
    )
