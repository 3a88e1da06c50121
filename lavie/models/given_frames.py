"""What a network that goes on from given frames sees beside the noise: a mask, and the frames.

Source: LaVie (arXiv:2309.15103), section 5.6; the layout is that of the published ``seine.pt``.
"""

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from lavie.models.latents import encode_pixels, vae_scale_factor


def beside_given_frames(noisy: Tensor, known: Tensor, is_given: Tensor, nothing: Tensor) -> Tensor:
    """Put mask and masked video beside noisy latents.

    Args:
        noisy: ``(B, C, F, h, w)``.
        known: Clean latents of the same shape; those of frames that are not given do not matter.
        is_given: Boolean ``(B, F)`` or ``(1, F)``.
        nothing: What `encode_nothing` gave.

    Returns:
        ``(B, 2C + 1, F, h, w)``: noisy latents, a mask that is 1 on frames to be made, and latents
        of the video whose unknown frames are mid-grey.
    """
    given = is_given[:, None, :, None, None].to(noisy.device)
    mask = (~given).to(noisy.dtype).expand(len(noisy), 1, *noisy.shape[2:])
    masked = torch.where(given, known.to(noisy), nothing.to(noisy))
    return torch.cat([noisy, mask, masked], dim=1)


def encode_nothing(vae: AutoencoderKL, height: int, width: int) -> Tensor:
    """Latents ``(1, C, 1, h, w)`` of a mid-grey frame, which stands for one that is not known.

    Args:
        vae: The image autoencoder.
        height: Cells of the latents.
        width: Cells.
    """
    factor = vae_scale_factor(vae)
    grey = torch.zeros(1, 3, 1, height * factor, width * factor, device=vae.device)
    return encode_pixels(vae, grey)
