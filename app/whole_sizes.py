"""Pictures larger or smaller by whole numbers: every pixel stays as sharp as it was."""

from lavie.media import enlarge_frames
from lavie.types import Frames


def resize(frame: Frames, larger: int, smaller: int) -> Frames:
    """A picture so many times as large, and then so many times smaller.

    Args:
        frame: uint8 ``(H, W, 3)``.
        larger: At least 1.
        smaller: At least 1; what is left over counts as a pixel of its own.
    """
    import numpy as np
    from PIL import Image

    return np.asarray(Image.fromarray(enlarge_frames(frame[None], larger)[0]).reduce(smaller))
