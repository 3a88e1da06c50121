"""Stage ``vae``: an image auto-encoder for worlds that Stable Diffusion's is too large for."""

import copy
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Self

import torch
from diffusers import AutoencoderKL
from einops import rearrange
from pydantic import Field, model_validator
from torch import Tensor

from lavie.data.config import SourceConfig
from lavie.data.joint import JointBatch, load_batches
from lavie.data.opening import open_mixture
from lavie.data.sources import derive_seed
from lavie.data.world import HEIGHT, WIDTH, contact_sheet
from lavie.errors import ConfigError
from lavie.media import pixels_to_frames
from lavie.models.latents import vae_scale_factor
from lavie.pipelines.model_folder import load_component
from lavie.training.config import RunConfig
from lavie.training.model import check_size
from lavie.training.patches import check_patch, cut_patches
from lavie.training.stage import Stage
from lavie.types import Frames

_PREVIEW_IMAGES = 8
_MEASURED_BATCHES = 8
"""Batches of 64 images that the statistics of the latents are measured on."""


class VAEConfig(RunConfig):
    """Settings of stage ``vae``."""

    init_from: Path | None = None
    """Model folder whose vae to go on from; null starts from nothing."""
    vae: dict[str, Any] | None = None
    """Architecture, as in diffusers' AutoencoderKL, when starting from nothing."""
    train_encoder: bool = True
    """False trains the decoder alone: sharper pictures, and the latents stay what they are."""
    latent_noise: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Standard deviation of the noise on what a decoder alone is given, a half normal number times
    this for each image: it then forgives what a network makes a little wrong."""
    images: tuple[SourceConfig, ...] = (SourceConfig(kind="world", stills=True),)
    """Stills to learn from."""
    kept_images: tuple[SourceConfig, ...] = ()
    """Stills of which each step sees a second batch, whose latents are to stay those of init_from:
    networks that were trained on them still fit. Then the latents are not normalised anew."""
    kept_weight: Annotated[float, Field(ge=0)] = 4.0
    """Weight of the squared change of those latents."""
    height: Annotated[int, Field(ge=8)] = HEIGHT
    """Pixels, a multiple of the VAE's factor."""
    width: Annotated[int, Field(ge=8)] = WIDTH
    """Pixels, a multiple of the VAE's factor."""
    patch_size: Annotated[int, Field(ge=8)] | None = None
    """Side of the random patch cut out of each picture, in pixels; null keeps whole pictures."""
    l2_weight: Annotated[float, Field(ge=0)] = 2.0
    """Weight of the squared error; the absolute error's is 1."""
    kl_weight: Annotated[float, Field(ge=0)] = 5e-4
    """Weight of the Kullback-Leibler divergence per latent number."""
    focus_weight: Annotated[float, Field(ge=0)] = 2.0
    """How much more the pixels in focus count."""

    @model_validator(mode="after")
    def _starts_somewhere(self) -> Self:
        if self.init_from is None and self.vae is None:
            raise ValueError("Give init_from, or vae to start from nothing.")
        if self.init_from is None and not self.train_encoder:
            raise ValueError("A decoder alone needs a trained encoder; give init_from.")
        if self.latent_noise and self.train_encoder:
            raise ValueError(
                "latent_noise is for a decoder alone, since an encoder would outgrow it; give "
                "train_encoder=false, or leave it out."
            )
        if self.kept_images and (self.init_from is None or not self.train_encoder):
            raise ValueError(
                "kept_images keep what an encoder that learns on has learnt; give init_from and "
                "train_encoder, or leave them out."
            )
        return self


class VAEStage(Stage):
    """Reconstruct single images: absolute and squared error, and a little Kullback-Leibler."""

    name = "vae"

    def __init__(self, config: VAEConfig) -> None:
        super().__init__(config)
        self.config: VAEConfig = config
        torch.manual_seed(config.seed)
        if config.init_from is not None:
            self.vae = load_component(AutoencoderKL, config.init_from / "vae", torch.float32)
        else:
            self.vae = AutoencoderKL.from_config(config.vae)
        self._teacher = (
            copy.deepcopy(self.vae).requires_grad_(False) if config.kept_images else None
        )
        check_size(self.vae, config.height, config.width)
        self.multiple = vae_scale_factor(self.vae)
        check_patch(config.patch_size, config.height, config.width, self.multiple)
        if config.train_encoder:
            check_normalisable(self.vae)
        else:
            self.vae.encoder.requires_grad_(False)
            if self.vae.quant_conv is not None:
                self.vae.quant_conv.requires_grad_(False)

    def batches(self, start: int, rank: int, world_size: int) -> Iterator[list[JointBatch]]:
        """One batch of stills from each list of sources."""
        lists = [self.config.images, *filter(None, [self.config.kept_images])]
        share = (self.config.batch_size, self.config.seed, start, rank, world_size)
        for batches in zip(*(self._stills(images, *share) for images in lists), strict=False):
            yield list(batches)

    def forward(self, batch: list[JointBatch], generator: torch.Generator) -> dict[str, Tensor]:
        """Losses of all batches as one."""
        parts = [self._losses(each, generator, number > 0) for number, each in enumerate(batch)]
        return {
            name: torch.stack([losses[name] for losses in parts if name in losses]).mean()
            for name in parts[-1]
        }

    def _losses(
        self, batch: JointBatch, generator: torch.Generator, is_kept: bool
    ) -> dict[str, Tensor]:
        """Losses of a batch of images; the weight of what is in focus averages to 1."""
        batch = cut_patches(batch, self.config.patch_size, self.multiple, generator)
        pixels = self._images(batch)
        posterior = self.vae.encode(pixels).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=generator).to(pixels.device)
        deviation = posterior.std
        if self.config.latent_noise:
            # A half normal one for each image: most are nearly clean
            share = torch.randn(len(pixels), 1, 1, 1, generator=generator).abs().to(pixels.device)
            deviation = (deviation.square() + (self.config.latent_noise * share).square()).sqrt()
        error = self.vae.decode(posterior.mean + deviation * noise).sample - pixels
        weight = torch.ones_like(pixels[:, :1])
        if batch.focus is not None:
            weight = 1 + self.config.focus_weight * batch.focus.to(pixels.device)  # (B, 1, H, W)
        weight = weight / weight.mean()
        l1, l2 = (weight * error.abs()).mean(), (weight * error.square()).mean()
        kl = posterior.kl().mean() / posterior.mean[0].numel()
        loss = l1 + self.config.l2_weight * l2 + self.config.kl_weight * kl
        psnr = -10 * (error.detach().square().mean() / 4).log10()  # pixels span [-1, 1]
        losses = {"loss": loss, "l1": l1, "kl": kl, "psnr": psnr}
        if is_kept and self._teacher is not None:
            with torch.no_grad():
                before = self._teacher.encode(pixels).latent_dist.mean
            moved = (posterior.mean - before).square().mean()
            losses |= {"loss": loss + self.config.kept_weight * moved, "moved": moved}
            losses["kept_psnr"] = psnr
        return losses

    @torch.no_grad()
    def preview(self, folder: Path, step: int) -> None:
        """Originals above their reconstructions, of images drawn for this purpose."""
        seed = derive_seed(self.config.seed, "preview")
        pixels = self._images(next(self._stills(self.config.images, _PREVIEW_IMAGES, seed)))
        decoded = self.vae.decode(self.vae.encode(pixels).latent_dist.mode()).sample
        rows = [("original", _frames(pixels)), ("reconstruction", _frames(decoded))]
        folder.mkdir(parents=True, exist_ok=True)
        zoom = max(1, 128 // self.config.height)
        sheet = contact_sheet(rows, _PREVIEW_IMAGES, columns=1, zoom=zoom)
        sheet.save(folder / f"step-{step:08d}.png")

    @torch.no_grad()
    def export(self, folder: Path) -> None:
        """Write the VAE; if its encoder was trained, its latents normalised per channel."""
        if self.config.train_encoder and not self.config.kept_images:
            stills = self._stills(
                self.config.images, 64, derive_seed(self.config.seed, "statistics")
            )
            batches = (self._images(batch) for batch in islice(stills, _MEASURED_BATCHES))
            modes = torch.cat([self.vae.encode(images).latent_dist.mode() for images in batches])
            normalise_latents(self.vae, modes.mean((0, 2, 3)), modes.std((0, 2, 3)))
        self.vae.save_pretrained(folder / "vae")

    def _images(self, batch: JointBatch) -> Tensor:
        return rearrange(batch.pixels, "B C 1 H W -> B C H W").to(self.vae.device)

    def _stills(
        self,
        images: Sequence[SourceConfig],
        batch_size: int,
        seed: int,
        start: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> Iterator[JointBatch]:
        config = self.config
        per_step = config.batch_size * config.gradient_accumulation_steps
        source = open_mixture(images, 1, config.height, config.width, 1, per_step)
        return load_batches(
            None,
            source,
            batch_size=batch_size,
            num_images=1,
            seed=seed,
            start=start,
            rank=rank,
            world_size=world_size,
            num_threads=config.num_data_threads,
        )


@torch.no_grad()
def normalise_latents(vae: AutoencoderKL, mean: Tensor, std: Tensor) -> None:
    """Fold per-channel statistics of the latents into the VAE's two 1x1 convolutions, in place.

    Afterwards the latents have zero mean and unit variance per channel and the decoder undoes
    that, so that one scaling factor of 1 fits all channels.

    Args:
        vae: Its latents are those that ``mean`` and ``std`` were measured on.
        mean: ``(C,)``.
        std: ``(C,)``, positive.
    """
    down, up = vae.quant_conv, vae.post_quant_conv
    scale = torch.cat([std, torch.ones_like(std)])  # mean rows shrink, log-variance rows shift
    shift = torch.cat([mean / std, 2 * std.log()])
    down.weight.div_(scale[:, None, None, None])
    down.bias.div_(scale).sub_(shift)
    up.bias.add_(up.weight[:, :, 0, 0] @ mean)
    up.weight.mul_(std[None, :, None, None])


def check_normalisable(vae: AutoencoderKL) -> None:
    """Raise unless `normalise_latents` can do its work on this architecture.

    Raises:
        ConfigError: It can't.
    """
    if vae.quant_conv is None or vae.post_quant_conv is None:
        raise ConfigError("use_quant_conv and use_post_quant_conv must be true to train a vae.")
    if vae.config.scaling_factor != 1:
        raise ConfigError(
            f"scaling_factor {vae.config.scaling_factor} must be 1.0 to train a vae: "
            "its latents are normalised per channel inside."
        )


def _frames(images: Tensor) -> Frames:
    return pixels_to_frames(rearrange(images, "F C H W -> 1 C F H W"))[0]
