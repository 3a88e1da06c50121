"""Frames of any size to frames of the training size."""

import numpy as np
import torch
from einops import rearrange
from torch.nn.functional import interpolate


def fit_frame(frame: np.ndarray, height: int, width: int, y: float, x: float) -> np.ndarray:
    """Cut the largest piece with the target's shape out of a frame and scale it, antialiased.

    The same as scaling the short side and cropping, but its memory has a bound: a frame one
    pixel wide never becomes a million pixels high.

    Args:
        frame: uint8 ``(H, W, 3)``.
        height: Height of the result.
        width: Width of the result.
        y: Which piece, in [0, 1]: 0 the top, 0.5 the centre, 1 the bottom.
        x: The same from left to right.

    Returns:
        uint8 ``(height, width, 3)``.
    """
    full_height, full_width = frame.shape[:2]
    scale = min(full_height / height, full_width / width)
    crop_height, crop_width = max(1, round(height * scale)), max(1, round(width * scale))
    top = round(y * (full_height - crop_height))
    left = round(x * (full_width - crop_width))
    crop = np.ascontiguousarray(frame[top : top + crop_height, left : left + crop_width])
    if crop.shape[:2] == (height, width):
        return crop
    image = rearrange(torch.from_numpy(crop), "H W C -> 1 C H W")
    image = interpolate(image, (height, width), mode="bicubic", antialias=True)
    return rearrange(image, "1 C H W -> H W C").numpy()
