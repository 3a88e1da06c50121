"""Frames, which are bytes, to pixels, which are numbers around 0, and back."""

from typing import TYPE_CHECKING, Literal

import numpy as np
from einops import rearrange

from lavie.types import Frames

if TYPE_CHECKING:
    from torch import Tensor


def pixels_to_frames(pixels: "Tensor", is_rounded: bool = True) -> Frames:
    """Turn pixels into bytes, as the published code does.

    Args:
        pixels: ``(B, 3, F, H, W)``; values outside [-1, 1] are clipped.
        is_rounded: Round half up; False cuts, as the published super-resolution does.

    Returns:
        uint8 array ``(B, F, H, W, 3)``.
    """
    import torch  # takes seconds, and files can be handled without

    half = 0.5 if is_rounded else 0.0
    scaled = ((pixels.float() / 2 + 0.5) * 255 + half).clamp(0, 255).to(torch.uint8)
    return rearrange(scaled, "B C F H W -> B F H W C").contiguous().cpu().numpy()


def frames_to_pixels(frames: Frames) -> "Tensor":
    """Give frames as pixels.

    Args:
        frames: uint8 ``(B, F, H, W, 3)``.

    Returns:
        float32 ``(B, 3, F, H, W)`` in [-1, 1].
    """
    import torch

    return rearrange(torch.from_numpy(frames), "B F H W C -> B C F H W").float() / 127.5 - 1


def enlarge_frames(
    frames: Frames, factor: int, resample: Literal["nearest", "lanczos"] = "lanczos"
) -> Frames:
    """Make small frames comfortable to look at. Says nothing about detail: none is added.

    Args:
        frames: uint8 ``(F, H, W, 3)``.
        factor: Whole number, at least 1 (neutral).
        resample: ``nearest`` shows every pixel as a square, ``lanczos`` is smooth.

    Returns:
        uint8 ``(F, factor * H, factor * W, 3)``.
    """
    if factor == 1:
        return frames
    if resample == "nearest":
        return frames.repeat(factor, axis=1).repeat(factor, axis=2)
    from PIL import Image

    size = (frames.shape[2] * factor, frames.shape[1] * factor)
    lanczos = Image.Resampling.LANCZOS
    return np.stack([np.asarray(Image.fromarray(frame).resize(size, lanczos)) for frame in frames])
