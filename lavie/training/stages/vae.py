"""Stage ``vae``: an image auto-encoder for worlds that Stable Diffusion's is too large for."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from pydantic import Field
from torch import Tensor

from lavie.data.world import contact_sheet, render_still
from lavie.training.config import RunConfig
from lavie.training.loop import Stage

_PREVIEW_IMAGES = 8


class VAEConfig(RunConfig):
    """Settings of stage ``vae``."""

    vae: dict[str, Any]
    """Architecture, as in diffusers' AutoencoderKL."""
    l2_weight: Annotated[float, Field(ge=0)] = 2.0
    """Weight of the squared error; the absolute error's is 1."""
    kl_weight: Annotated[float, Field(ge=0)] = 5e-4
    """Weight of the Kullback-Leibler divergence per latent number."""
    focus_weight: Annotated[float, Field(ge=0)] = 2.0
    """How much more the pixels in focus count."""


class VAEStage(Stage):
    """Reconstruct single images: absolute and squared error, and a little Kullback-Leibler."""

    name = "vae"

    def __init__(self, config: VAEConfig) -> None:
        super().__init__(config)
        self.config: VAEConfig = config
        torch.manual_seed(config.seed)
        self.vae = AutoencoderKL.from_config(config.vae)

    def batches(self, start: int, rank: int, world_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Images ``(N, 3, H, W)`` in [-1, 1] and their focus ``(N, 1, H, W)``."""
        for k in count(start):
            first = (k * world_size + rank) * self.config.batch_size
            yield _stills(first, self.config.batch_size)

    def forward(
        self, batch: tuple[Tensor, Tensor], generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Losses of a batch of images; the weight of what is in focus averages to 1."""
        pixels, focus = batch
        posterior = self.vae.encode(pixels).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=generator).to(pixels.device)
        error = self.vae.decode(posterior.mean + posterior.std * noise).sample - pixels
        weight = 1 + self.config.focus_weight * focus
        weight = weight / weight.mean()
        l1, l2 = (weight * error.abs()).mean(), (weight * error.square()).mean()
        kl = posterior.kl().mean() / posterior.mean[0].numel()
        loss = l1 + self.config.l2_weight * l2 + self.config.kl_weight * kl
        psnr = -10 * (error.detach().square().mean() / 4).log10()  # pixels span [-1, 1]
        return {"loss": loss, "l1": l1, "kl": kl, "psnr": psnr}

    @torch.no_grad()
    def preview(self, folder: Path, step: int) -> None:
        """Originals above their reconstructions."""
        folder.mkdir(parents=True, exist_ok=True)
        pixels, _ = _stills(10**9, _PREVIEW_IMAGES)
        decoded = self.vae.decode(self.vae.encode(pixels).latent_dist.mode()).sample
        rows = [("original", _frames(pixels)), ("reconstruction", _frames(decoded))]
        sheet = contact_sheet(rows, _PREVIEW_IMAGES, columns=1, zoom=3)
        sheet.save(folder / f"step-{step:08d}.png")

    @torch.no_grad()
    def export(self, folder: Path) -> None:
        """Write the VAE, its latents scaled to zero mean and unit variance per channel."""
        pixels, _ = _stills(2 * 10**9, 512)
        modes = torch.cat([self.vae.encode(part).latent_dist.mode() for part in pixels.split(64)])
        normalise_latents(self.vae, modes.mean((0, 2, 3)), modes.std((0, 2, 3)))
        self.vae.save_pretrained(folder / "vae")


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


def _stills(first: int, number: int) -> tuple[Tensor, Tensor]:
    stills = [render_still(first + i) for i in range(number)]
    pixels = np.concatenate([still.frames for still in stills]).transpose(0, 3, 1, 2)
    focus = np.concatenate([still.focus for still in stills])[:, None]
    return torch.from_numpy(pixels).float() / 127.5 - 1, torch.from_numpy(focus)


def _frames(pixels: Tensor) -> np.ndarray:
    return ((pixels / 2 + 0.5).clamp(0, 1) * 255 + 0.5).byte().permute(0, 2, 3, 1).numpy()
