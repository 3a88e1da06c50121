"""What lies between given frames before a network has looked: copies of them, or a cross-fade."""

import torch
from torch import Tensor

FACTOR = 4
"""Frames of the result per given frame."""


def num_result_frames(num_given: int) -> int:
    """Frames of the result for so many given ones: 4F - 3."""
    return FACTOR * (num_given - 1) + 1


def repeat_given_latents(given: Tensor) -> Tensor:
    """Lay the given latents under the frames to be made.

    Given frame k lies under frames 4k - 1 to 4k + 2 of the result, whose frame 4k it is.

    Args:
        given: ``(B, C, F, h, w)``.

    Returns:
        ``(B, C, 4F - 3, h, w)``.
    """
    return given.repeat_interleave(FACTOR, dim=2)[:, :, 1:-2]


def neighbouring_latents(given: Tensor) -> Tensor:
    """Lay under every frame to be made the given latents before and after it.

    Args:
        given: ``(B, C, F, h, w)``, F at least 2.

    Returns:
        ``(B, 2C, 4F - 3, h, w)``; the last frame of the result lies between the last two.
    """
    places = torch.arange(num_result_frames(given.shape[2]), device=given.device)
    before = (places // FACTOR).clamp(max=given.shape[2] - 2)
    return torch.cat([given[:, :, before], given[:, :, before + 1]], dim=1)


def cross_fade(given: Tensor, start: int = 0, stop: int | None = None) -> Tensor:
    """Fade from each given frame to the next.

    Args:
        given: ``(B, C, F, h, w)``, F at least 2.
        start: First frame of the result that is wanted.
        stop: Frame before which to stop; None: all to the last, 4F - 3.

    Returns:
        ``(B, C, stop - start, h, w)``; frame 4k of the result is given frame k.
    """
    stop = num_result_frames(given.shape[2]) if stop is None else stop
    places = torch.arange(start, stop, device=given.device)
    before = (places // FACTOR).clamp(max=given.shape[2] - 2)
    share = ((places - FACTOR * before) / FACTOR).to(given.dtype).view(-1, 1, 1)
    return torch.lerp(given[:, :, before], given[:, :, before + 1], share)
