"""A video's way into latents and back, slice by slice, and what an autoencoder loses on it."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from diffusers import AutoencoderKL
from diffusers.utils.torch_utils import randn_tensor
from einops import rearrange
from torch import Tensor

from lavie.media import pixels_to_frames
from lavie.models.latents import (
    decode_in_slices,
    decode_latents,
    encode_pixels,
    vae_scale_factor,
)
from lavie.pipelines.between import cross_fade
from lavie.pipelines.given_video import pad_to_multiple, pixels_of, size_of
from lavie.pipelines.work import Work
from lavie.types import FrameSequence


def latent_shape(vae: AutoencoderKL, video: FrameSequence | Tensor) -> tuple[int, ...]:
    """``(1, C, F, h, w)`` of a video's latents."""
    num_frames, height, width = size_of(video)
    factor, channels = vae_scale_factor(vae), vae.config["latent_channels"]
    return 1, channels, num_frames, -(-height // factor), -(-width // factor)


def encode_video(
    vae: AutoencoderKL,
    video: FrameSequence | Tensor,
    generator: torch.Generator | None,
    keep_details: bool,
    slice_size: int,
    device: torch.device,
    work: Work,
) -> tuple[Tensor, Tensor | None]:
    """Give a video's latents and, if asked for, the details that the VAE loses of its frames.

    Args:
        vae: The image autoencoder.
        video: F frames; their border is repeated up to multiples of the VAE's factor.
        generator: Source of the posterior's noise, drawn for the whole video at once, so slices
            don't matter. None: the posterior's mode.
        keep_details: Whether to give the details.
        slice_size: Frames encoded at once.
        device: Where the latents are to be.
        work: Hears of every slice.

    Returns:
        Latents ``(1, C, F, h, w)``; details ``(1, 3, F, H, W)``, or None.
    """
    noise = None
    if generator is not None:
        _, C, F, h, w = latent_shape(vae, video)
        noise = randn_tensor((F, C, h, w), generator, device, torch.float32)
        noise = rearrange(noise, "F C h w -> 1 C F h w")
    num_frames, factor = size_of(video)[0], vae_scale_factor(vae)
    parts, details = [], []
    for start in range(0, num_frames, slice_size):
        stop = min(start + slice_size, num_frames)
        pixels = pad_to_multiple(pixels_of(video, start, stop), factor).to(device)
        part = None if noise is None else noise[:, :, start:stop]
        latents = encode_pixels(vae, pixels, slice_size=slice_size, noise=part)
        parts.append(latents)
        if keep_details:
            lost = pixels - decode_latents(vae, latents, slice_size)
            details.append(lost.to("cpu", torch.float16))
        work.finish("encoding")
    return torch.cat(parts, dim=2), torch.cat(details, dim=2) if details else None


def decode_video(
    vae: AutoencoderKL,
    latents: Tensor,
    details: Tensor | None,
    size: tuple[int, int] | None,
    slice_size: int,
    as_frames: bool,
    work: Work,
) -> np.ndarray | Tensor:
    """Give pixels, or frames that leave the device slice by slice.

    Args:
        vae: The image autoencoder.
        latents: ``(1, C, 4F - 3, h, w)``.
        details: Of the F given frames, which are faded in; None: none.
        size: Height and width to crop to; None: all that is decoded.
        slice_size: Frames decoded at once.
        as_frames: Whether to give frames.
        work: Hears of every slice.

    Returns:
        uint8 array ``(1, 4F - 3, H, W, 3)``, or pixels ``(1, 3, 4F - 3, H, W)``.
    """
    factor = vae_scale_factor(vae)
    height, width = size or (latents.shape[3] * factor, latents.shape[4] * factor)
    num_frames = latents.shape[2]
    if as_frames:
        made = np.empty((1, num_frames, height, width, 3), np.uint8)
    else:
        made = torch.empty((1, 3, num_frames, height, width), device=latents.device)
    start = 0
    for pixels in _with_details(decode_in_slices(vae, latents, slice_size), details):
        stop, pixels = start + pixels.shape[2], pixels[..., :height, :width]
        if isinstance(made, Tensor):
            made[:, :, start:stop] = pixels
        else:
            made[:, start:stop] = pixels_to_frames(pixels)
        work.finish("decoding")
        start = stop
    return made


def _with_details(slices: Iterable[Tensor], details: Tensor | None) -> Iterator[Tensor]:
    """Pixels ``(1, 3, f, H, W)`` of slices in order, with the given frames' details faded in."""
    start = 0
    for pixels in slices:
        stop = start + pixels.shape[2]
        if details is not None:
            pixels = pixels + cross_fade(details, start, stop).to(pixels)
        yield pixels
        start = stop
