"""What many recursions do to the pictures: how sharp they are, and which colours they have."""

from dataclasses import dataclass

import numpy as np

from lavie.data.world import HEIGHT, WIDTH
from lavie.evaluation.measures import gradient
from lavie.evaluation.tracking import Track
from lavie.types import Frames

_REACH = 0.65  # of a subject's height: this far from its centre it may still be
_MARGIN = 3.0  # pixels beyond that
_LEAST_GROUND = 0.1  # of the picture that has to be free of the subject
_SAME_SIZE = 2.0  # pixels in height; of subjects that differ more the gradients are no measure


@dataclass(frozen=True)
class Drift:
    """What differs in a segment from the first one.

    Args:
        background_sharpness: Mean gradient where no subject is, of the first segment's there; None
            where the subject covers too much. 1 is no change, and so the next one.
        subject_sharpness: The same around the subject, in frames in which it is as large; None if
            there are none.
        colour: Mean of red, green and blue of the background, minus the first segment's, in levels.
        deviation: The same of the deviation over the background.
    """

    background_sharpness: float | None
    subject_sharpness: float | None
    colour: tuple[float, ...] | None
    deviation: tuple[float, ...] | None


def measure_drift(frames: Frames, track: Track, first: slice, later: slice) -> Drift:
    """Compare a segment of a film with its first one.

    Only pixels count that are far from the subject in all frames of both segments, so that what it
    does changes no number.

    Args:
        frames: uint8 ``(F, H, W, 3)`` of the whole film.
        track: Of its subject.
        first: Frames of the first segment.
        later: Frames of the other one.
    """
    ground = _ground(track.path[first]) & _ground(track.path[later])
    subject = _subject_sharpness(frames, track, first, later)
    if ground.mean() < _LEAST_GROUND:
        return Drift(None, subject, None, None)
    inner = ground[:-1, :-1] & ground[1:, :-1] & ground[:-1, 1:]
    before, after = (gradient(frames[part])[:, inner].mean() for part in (first, later))
    old, new = (frames[part][:, ground].reshape(-1, 3).astype(float) for part in (first, later))
    return Drift(
        float(after / before) if before else None,
        subject,
        tuple((new.mean(axis=0) - old.mean(axis=0)).tolist()),
        tuple(
            (_deviation(frames[later][:, ground]) - _deviation(frames[first][:, ground])).tolist()
        ),
    )


def _deviation(pixels: np.ndarray) -> np.ndarray:
    """Deviation over the picture of pixels ``(F, N, 3)``, on average over frames; ``(3,)``."""
    return pixels.astype(float).std(axis=1).mean(axis=0)


def _subject_sharpness(frames: Frames, track: Track, first: slice, later: slice) -> float | None:
    numbers = np.arange(len(frames))
    old, new = (numbers[part][track.is_seen[part]] for part in (first, later))
    if not len(new):
        return None
    size = np.median(track.path[new, 2])
    old, new = (part[np.abs(track.path[part, 2] - size) <= _SAME_SIZE] for part in (old, new))
    if min(len(old), len(new)) < 2:
        return None
    before, after = (
        np.mean(
            [gradient(frames[[i]])[0][_near(track.path[i], 0.5, 0.0)[1:, 1:]].mean() for i in part]
        )
        for part in (old, new)
    )
    return float(after / before) if before else None


def _ground(path: np.ndarray) -> np.ndarray:
    """Where ``(H, W)`` no subject is in any frame of a path."""
    covered = np.zeros((HEIGHT, WIDTH), bool)
    for pose in path:
        covered |= _near(pose, _REACH, _MARGIN)
    return ~covered


def _near(pose: np.ndarray, reach: float, margin: float) -> np.ndarray:
    """Where ``(H, W)`` a subject may be, as a square about its centre."""
    rows, columns = np.indices((HEIGHT, WIDTH))
    away = np.maximum(np.abs(rows + 0.5 - pose[1]), np.abs(columns + 0.5 - pose[0]))
    return away <= reach * pose[2] + margin
