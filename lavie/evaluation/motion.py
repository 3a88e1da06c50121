"""Which motion a path shows: the one whose own path fits it, or none."""

from functools import cache

import numpy as np

from lavie.data.world import MOTIONS
from lavie.data.world.clips import motion_path

TOLERANCE = 2.25
"""Pixels between a path and its motion, on average over frames. A subject that stands still is at
least twice as far from every motion."""


def read_motion(path: np.ndarray) -> tuple[str | None, float]:
    """Name the motion of a path.

    Where a path lies does not count, only its form: both paths are compared about their means.

    Args:
        path: ``(F, 3)`` of centre x, centre y and height of the subject, in pixels at scale 1.

    Returns:
        The motion that is nearest, None if even that one is further away than `TOLERANCE`; and
        how far it is, in pixels.
    """
    distances = {}
    for motion in MOTIONS:
        difference = path - _template(motion, len(path))
        difference = difference - np.median(difference, axis=0)
        distances[motion] = float(np.linalg.norm(difference, axis=1).mean())
    best = min(distances, key=distances.__getitem__)
    return (best if distances[best] <= TOLERANCE else None), distances[best]


@cache
def _template(motion: str, num_frames: int) -> np.ndarray:
    poses = motion_path(motion, num_frames, np.random.default_rng(0))
    return np.array([(pose.x, pose.y, pose.height) for pose in poses])
