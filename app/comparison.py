"""Before and after in one video, so that both surely play in step."""

from collections.abc import Iterator

import numpy as np

from lavie.media import enlarge_frames
from lavie.types import Frames

_GAP = 4  # pixels between the two
_GAP_COLOUR = (20, 17, 15)


def place_side_by_side(
    before: Frames, before_fps: float, after: Frames, after_fps: float, min_height: int
) -> Iterator[Frames]:
    """Show what a stage was given on the left and what it made of it on the right.

    The slower one's frames are repeated. The smaller one is enlarged, by Lanczos: that is what
    making it larger without a model looks like.

    Args:
        before: uint8 ``(F, H, W, 3)``.
        before_fps: Frames per second.
        after: uint8 ``(f, n * H, n * W, 3)`` with a whole number ``n``.
        after_fps: Frames per second; the comparison has this rate, and a frame for each of these.
        min_height: Both are enlarged by a whole number as long as they stay below this height.

    Returns:
        uint8 pictures ``(height, width, 3)``, one after the other.
    """
    height = after.shape[1] * max(min_height // after.shape[1], 1)
    gap = np.full((height, _GAP, 3), _GAP_COLOUR, np.uint8)
    left, shown = np.empty(0), None
    for number, frame in enumerate(after):
        counterpart = min(int(number * before_fps / after_fps + 1e-6), len(before) - 1)
        if counterpart != shown:
            picture = before[counterpart : counterpart + 1][0]  # it may be a file
            left, shown = _enlarge(picture, height), counterpart
        yield np.concatenate([left, gap, _enlarge(frame, height)], axis=1)


def _enlarge(frame: Frames, height: int) -> Frames:
    return enlarge_frames(frame[None], height // frame.shape[0])[0]
