"""Pixels to latents and back: the one place that folds frames, slices and scales for the VAE."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from diffusers import AutoencoderKL
from einops import rearrange
from torch import Tensor

from lavie.models.local_attention import NearbyAttnProcessor
from lavie.types import CancelToken


def vae_scale_factor(vae: AutoencoderKL) -> int:
    """How many pixels one latent cell is wide."""
    return 2 ** (len(vae.config["block_out_channels"]) - 1)


def attend_nearby_when_large(vae: AutoencoderKL) -> None:
    """Let the attention of an autoencoder be near by where frames are very large."""
    side = max((vae.config["sample_size"] or 512) // vae_scale_factor(vae), 1)
    vae.set_attn_processor(NearbyAttnProcessor(side))


@torch.no_grad()
def encode_pixels(
    vae: AutoencoderKL,
    pixels: Tensor,
    generator: torch.Generator | None = None,
    slice_size: int = 8,
    noise: Tensor | None = None,
) -> Tensor:
    """Encode a video frame by frame.

    Args:
        vae: The image autoencoder.
        pixels: ``(B, 3, F, H, W)`` in [-1, 1]; H and W multiples of the VAE's factor.
        generator: Source of the posterior's noise, drawn on its own device in float32 and for the
            whole video at once, so slices don't matter. None gives the posterior's mode.
        slice_size: Frames per call of the network, at least 1. Memory grows with it.
        noise: ``(B, C, F, h, w)`` of unit variance: the posterior's noise where it is already
            drawn, as it is for parts of a longer video.

    Returns:
        Latents ``(B, C, F, h, w)``, float32, times the VAE's scaling factor.
    """
    images = rearrange(pixels, "B C F H W -> (B F) C H W").to(vae.dtype)
    posteriors = [vae.encode(part).latent_dist for part in images.split(slice_size)]  # type: ignore[reportAttributeAccessIssue]
    latents = torch.cat([posterior.mean for posterior in posteriors]).float()
    if generator is not None:
        drawn = torch.randn(latents.shape, generator=generator, device=generator.device)
        noise = rearrange(drawn, "(B F) C h w -> B C F h w", B=len(pixels))
    if noise is not None:
        std = torch.cat([posterior.std for posterior in posteriors]).float()
        noise = rearrange(noise, "B C F h w -> (B F) C h w")
        latents = latents + std * noise.to(latents.device)
    return rearrange(latents, "(B F) C h w -> B C F h w", B=len(pixels)) * vae.config.scaling_factor


@torch.no_grad()
def decode_latents(
    vae: AutoencoderKL, latents: Tensor, slice_size: int = 8, cancel: CancelToken | None = None
) -> Tensor:
    """Decode a video frame by frame.

    Args:
        vae: The image autoencoder.
        latents: ``(B, C, F, h, w)``, scaled by the VAE's factor.
        slice_size: Frames per call of the network, at least 1. Memory grows with it.
        cancel: Looked at before every slice.

    Returns:
        Pixels ``(B, 3, F, H, W)``, float32, in about [-1, 1].

    Raises:
        Cancelled: ``cancel`` was set.
    """
    images = rearrange(latents / vae.config.scaling_factor, "B C F h w -> (B F) C h w")
    parts = []
    for part in images.to(vae.dtype).split(slice_size):
        if cancel is not None:
            cancel.raise_if_cancelled()
        parts.append(vae.decode(part, return_dict=False)[0].float())  # type: ignore[reportIndexIssue]
    return rearrange(torch.cat(parts), "(B F) C H W -> B C F H W", B=len(latents))


def decode_in_slices(
    vae: AutoencoderKL, latents: Tensor, slice_size: int, cancel: CancelToken | None = None
) -> Iterator[Tensor]:
    """Decode a video and give it slice by slice, so that what is done can leave the device.

    Args:
        vae: As in `decode_latents`, and so the others.
        latents: ``(B, C, F, h, w)``.
        slice_size: Frames of a slice, at least 1.
        cancel: Looked at before every slice.

    Yields:
        Pixels ``(B, 3, f, H, W)``.
    """
    for part in latents.split(slice_size, dim=2):
        yield decode_latents(vae, part, slice_size, cancel)


@contextmanager
def in_tiles(vae: AutoencoderKL, tile_size: int | None) -> Iterator[None]:
    """Let a VAE work on overlapping tiles, which it blends, while the block lasts.

    The tiles do not see each other, so the picture differs a little from that of a whole frame.

    Args:
        vae: The image autoencoder.
        tile_size: Side of a tile, in pixels; frames up to that size are done whole, exactly. None:
            all are.
    """
    if tile_size is None:
        yield
        return
    before = vae.use_tiling, vae.tile_sample_min_size, vae.tile_latent_min_size
    vae.enable_tiling()
    vae.tile_sample_min_size = tile_size
    vae.tile_latent_min_size = tile_size // vae_scale_factor(vae)
    try:
        yield
    finally:
        vae.use_tiling, vae.tile_sample_min_size, vae.tile_latent_min_size = before


def fit_latent_rgb(latents: Tensor, pixels: Tensor) -> tuple[list[list[float]], list[float]]:
    """Find the linear map that best shows latents as small pictures.

    Args:
        latents: ``(B, C, F, h, w)``, as `encode_pixels` gives them.
        pixels: The same videos, ``(B, 3, F, H, W)`` in [-1, 1].

    Returns:
        Factors ``C x 3`` and bias ``3``, least squares: ``pixel = latent @ factors + bias``.
    """
    size = latents.shape[-2:]
    images = rearrange(pixels.float(), "B C F H W -> (B F) C H W")
    small = torch.nn.functional.interpolate(images, size=size, mode="area")
    target = rearrange(small, "N C h w -> (N h w) C")
    source = rearrange(latents.float(), "B C F h w -> (B F h w) C")
    source = torch.cat([source, torch.ones_like(source[:, :1])], dim=1)
    solution = torch.linalg.lstsq(source, target).solution
    return solution[:-1].tolist(), solution[-1].tolist()
