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
        background_sharpness: Mean gradient energy where no subject is, of the first segment's
            there; None where the subject covers too much. 1 is no change, and so the next one.
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

    Of the background only pixels count that are far from the subject at some time in both
    segments, and only at those times, so that what it does changes no number.

    Args:
        frames: uint8 ``(F, H, W, 3)`` of the whole film.
        track: Of its subject.
        first: Frames of the first segment.
        later: Frames of the other one.
    """
    subject = _subject_sharpness(frames, track, first, later)
    ground = [_ground(track.path[part]) for part in (first, later)]
    is_known = ground[0].any(axis=0) & ground[1].any(axis=0)
    if is_known.mean() < _LEAST_GROUND:
        return Drift(None, subject, None, None)
    sharpness, colours = [], []
    for part, free in zip((first, later), ground, strict=True):
        inner = free[:, :-1, :-1] & free[:, 1:, :-1] & free[:, :-1, 1:]
        sharpness.append(_over_time(_energy(frames[part])[..., None], inner)[..., 0])
        colours.append(_over_time(frames[part].astype(float), free)[is_known])
    is_sharp_known = np.isfinite(sharpness[0] + sharpness[1])
    before, after = (float(each[is_sharp_known].mean()) for each in sharpness)
    return Drift(
        after / before if before else None,
        subject,
        tuple((colours[1].mean(axis=0) - colours[0].mean(axis=0)).tolist()),
        tuple((colours[1].std(axis=0) - colours[0].std(axis=0)).tolist()),
    )


def _energy(frames: Frames) -> np.ndarray:
    """Squared gradients: plain ones would count a blurred edge as they count a sharp one."""
    return gradient(frames) ** 2


def _over_time(values: np.ndarray, is_free: np.ndarray) -> np.ndarray:
    """Mean ``(h, w, C)`` of values ``(F, h, w, C)`` at free times ``(F, h, w)``; NaN for none."""
    sums = np.where(is_free[..., None], values, 0).sum(axis=0)
    counts = is_free.sum(axis=0)[..., None]
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


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
            [_energy(frames[[i]])[0][_near(track.path[i], 0.5, 0.0)[1:, 1:]].mean() for i in part]
        )
        for part in (old, new)
    )
    return float(after / before) if before else None


def _ground(path: np.ndarray) -> np.ndarray:
    """Where ``(F, H, W)`` no subject is on a path ``(F, 3)``."""
    return ~np.stack([_near(pose, _REACH, _MARGIN) for pose in path])


def _near(pose: np.ndarray, reach: float, margin: float) -> np.ndarray:
    """Where ``(H, W)`` a subject may be, as a square about its centre."""
    rows, columns = np.indices((HEIGHT, WIDTH))
    away = np.maximum(np.abs(rows + 0.5 - pose[1]), np.abs(columns + 0.5 - pose[0]))
    return away <= reach * pose[2] + margin
