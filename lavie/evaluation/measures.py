"""How near frames are to the truth, how sharp and how steady: plain numbers from uint8 frames."""

import math
from collections.abc import Collection

import numpy as np

from lavie.types import Frames

MAX_PSNR = 100.0
"""Decibels of equal frames, which would be infinite."""

_LUMA = np.array([0.299, 0.587, 0.114])


def psnr(frames: Frames, truth: Frames) -> float:
    """Peak signal-to-noise ratio of all frames together, in dB, at most `MAX_PSNR`.

    Args:
        frames: uint8 ``(F, H, W, 3)``.
        truth: The same shape.
    """
    error = np.square(np.subtract(frames, truth, dtype=np.float64)).mean()
    return MAX_PSNR if error == 0 else min(MAX_PSNR, 10 * math.log10(255**2 / error))


def mean_difference(frames: Frames, others: Frames) -> float:
    """Mean absolute difference, in [0, 255]; 0 for equal frames."""
    return float(np.abs(np.subtract(frames, others, dtype=np.float64)).mean())


def sharpness(frames: Frames) -> float:
    """Mean magnitude of the brightness's gradient, in levels per pixel; 0 for a flat picture.

    Only meaningful relative to the same number of the truth: noise is sharp too.

    Args:
        frames: uint8 ``(F, H, W, 3)``, H and W at least 2.
    """
    return float(gradient(frames).mean())


def gradient(frames: Frames) -> np.ndarray:
    """Magnitude of the brightness's gradient at every pixel but the last of each row and column.

    Args:
        frames: uint8 ``(F, H, W, 3)``, H and W at least 2.

    Returns:
        float64 ``(F, H - 1, W - 1)`` in levels per pixel.
    """
    luma = frames @ _LUMA
    across = np.diff(luma, axis=2)[:, :-1]
    down = np.diff(luma, axis=1)[:, :, :-1]
    return np.hypot(across, down)


def flicker(frames: Frames, truth: Frames) -> float:
    """Mean absolute change between frames beyond the true change, in levels; 0 is as steady.

    An error that stays the same in every frame does not flicker.

    Args:
        frames: uint8 ``(F, H, W, 3)``, F at least 2.
        truth: The same shape.
    """
    error = np.subtract(frames, truth, dtype=np.float64)
    return float(np.abs(np.diff(error, axis=0)).mean())


def seam_strength(frames: Frames, borders: Collection[int]) -> float:
    """Change at window borders relative to the changes just before and after; 1 is no seam.

    Args:
        frames: uint8 ``(F, H, W, 3)``, F at least 3.
        borders: Frames b, in [1, F), with a border between b - 1 and b; at least one.
    """
    changes = np.array(
        [mean_difference(*pair) for pair in zip(frames[1:], frames[:-1], strict=True)]
    )
    at_borders = [changes[border - 1] for border in borders]
    around = [
        np.mean([changes[i] for i in (border - 2, border) if 0 <= i < len(changes)])
        for border in borders
    ]
    return float(sum(at_borders) / sum(around)) if sum(around) else 1.0


def roughness(path: np.ndarray) -> float:
    """Mean absolute second difference of a position, in pixels; 0 for even motion.

    Args:
        path: ``(F, D)``, F at least 3.
    """
    return float(np.linalg.norm(np.diff(path, n=2, axis=0), axis=1).mean())
