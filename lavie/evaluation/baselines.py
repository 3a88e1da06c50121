"""What the later stages must beat: results that need no network."""

import numpy as np
from PIL import Image

from lavie.types import Frames


def repeat_frames(given: Frames, factor: int) -> Frames:
    """Show every frame ``factor`` times, the last one once: ``(factor * (F - 1) + 1, H, W, 3)``."""
    return given.repeat(factor, axis=0)[: factor * (len(given) - 1) + 1]


def cross_fade(given: Frames, factor: int) -> Frames:
    """Fade each frame evenly into the next.

    Args:
        given: uint8 ``(F, H, W, 3)``.
        factor: Steps from one frame to the next; 1 changes nothing.

    Returns:
        uint8 ``(factor * (F - 1) + 1, H, W, 3)``; every ``factor``-th frame is a given one.
    """
    places = np.arange(factor * (len(given) - 1) + 1)
    weight = (places % factor / factor)[:, None, None, None]
    before = given[places // factor]
    after = given[-(-places // factor)]
    return (before * (1 - weight) + after * weight + 0.5).astype(np.uint8)


def shrink_frames(frames: Frames, factor: int) -> Frames:
    """Average squares of ``factor`` pixels: ``(F, H // factor, W // factor, 3)``."""
    return np.stack([np.asarray(Image.fromarray(frame).reduce(factor)) for frame in frames])
