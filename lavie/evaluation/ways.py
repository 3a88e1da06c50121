"""The way of something that may be in several places of each frame: the likeliest without leaps."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

_STEP = 4.0  # pixels from frame to frame that cost nothing; the fastest motion takes less
_LEAP = 0.3  # what each pixel more has to gain, as a share of what is explained


def steady_way(poses: Sequence[np.ndarray], shares: Sequence[np.ndarray]) -> np.ndarray:
    """Choose one pose of each frame, so that they explain most and follow each other (Viterbi).

    A frame that says little of where something is takes its word from those beside it.

    Args:
        poses: Of each of F frames the places ``(K, D)`` in pixels that come into question.
        shares: What each of these explains of its frame, ``(K,)``, at most 1.

    Returns:
        ``(F, D)``.
    """
    total = shares[0]
    came_from: list[np.ndarray] = []
    for (before, after), share in zip(pairwise(poses), shares[1:], strict=True):
        distance = np.linalg.norm(after[:, None] - before[None], axis=-1)
        totals = total[None] - _LEAP * np.maximum(distance - _STEP, 0)
        came_from.append(totals.argmax(axis=1))
        total = totals.max(axis=1) + share
    chosen = [int(total.argmax())]
    for previous in reversed(came_from):
        chosen.append(int(previous[chosen[-1]]))
    return np.stack([p[index] for p, index in zip(poses, reversed(chosen), strict=True)])
