"""Where a subject goes in a world without edges: who leaves on one side comes in on the other."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lavie.data.world import HEIGHT, MOTIONS, WIDTH
from lavie.data.world.clips import SUBJECT_HEIGHT
from lavie.data.world.continuations import (
    ACROSS,
    GROWTH,
    HOP,
    HOP_SPEED,
    MARGIN,
    TALLEST,
    UP,
)
from lavie.evaluation.motion import TOLERANCE

PERIODS = np.array([WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN], float)
"""Pixels after which one is at the same place again, across and down."""
MIN_POINTS = 6
"""Fewer frames of a subject say nothing of where it goes."""

_SMALLEST = 8.0  # pixels
_READ_SMALLER = 6.0  # pixels, at most, that a large subject is taken to be smaller than it is
_HOP_PHASES = np.arange(0, np.pi, np.pi / 24)
_LINE_IS_FINE = 1.5  # pixels; no hop is sought in a course that a line fits as well as this
_VELOCITIES = {"left": (-ACROSS, 0.0), "right": (ACROSS, 0.0), "up": (0.0, -UP), "down": (0.0, UP)}


@dataclass(frozen=True)
class Course:
    """Where a subject is at any time, after what was seen of it.

    Args:
        start: Centre ``(x, y)`` at time 0, in pixels.
        velocity: Pixels per frame, ``(2,)``.
        phase: In radians at time 0, where it hops; then ``start`` is on the ground. None: it does
            not.
        error: Mean distance in pixels from what was seen.
    """

    start: np.ndarray
    velocity: np.ndarray
    phase: float | None
    error: float

    def at(self, times: np.ndarray) -> np.ndarray:
        """Centres ``(N, 2)`` at times in frames ``(N,)``, inside or outside of the picture."""
        places = self.start + times[:, None] * self.velocity
        if self.phase is not None:
            places[:, 1] -= _hop(times, self.phase)
        return (places + MARGIN) % PERIODS - MARGIN


def wrapped(distance: np.ndarray) -> np.ndarray:
    """The shortest way between two places, ``(..., 2)`` across and down, round the edges."""
    return (distance + PERIODS / 2) % PERIODS - PERIODS / 2


def fit_course(times: np.ndarray, places: np.ndarray) -> Course:
    """Find the straight or hopping course that fits, whatever its speed.

    Args:
        times: In frames, rising, ``(N,)``, N at least 2; over less time than half a way round.
        places: Centres ``(N, 2)`` in pixels.
    """
    steps = wrapped(np.diff(places, axis=0))
    unrolled = places[0] + np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
    straight = _fit_line(times, unrolled)
    if straight.error <= _LINE_IS_FINE or len(times) < MIN_POINTS:
        return straight
    hopping = [_fit_line(times, unrolled, phase) for phase in _HOP_PHASES]
    return min([straight, *hopping], key=lambda course: course.error)


def read_motion_around(times: np.ndarray, path: np.ndarray) -> tuple[str | None, float]:
    """Name the motion of a path that may begin anywhere and go round the edges.

    Unlike `read_motion`, which knows a whole clip, this reads a part of a film: its subject may be
    in the middle of a hop, or be as large as it gets, which counts as growing.

    Args:
        times: In frames, rising, ``(N,)``, N at least `MIN_POINTS`.
        path: ``(N, 3)`` of centre x, centre y and height of the subject, in pixels at scale 1.

    Returns:
        The motion that is nearest, None if even that one is further away than `TOLERANCE`; and how
        far it is, in pixels.
    """
    distances = {motion: _distance(motion, times - times[0], path) for motion in MOTIONS}
    best = min(distances, key=distances.__getitem__)
    return (best if distances[best] <= TOLERANCE else None), distances[best]


def _distance(motion: str, times: np.ndarray, path: np.ndarray) -> float:
    heights = _nearest_height(motion, times, path[:, 2])
    courses = _courses_of(motion, times)
    return min(
        float(np.linalg.norm([*_about_median(path[:, :2] - course).T, heights], axis=0).mean())
        for course in courses
    )


def _courses_of(motion: str, times: np.ndarray) -> Iterator[np.ndarray]:
    """Ways ``(N, 2)`` that a motion may take, each from a place that does not count."""
    if motion != "bounce":
        yield times[:, None] * np.array(_VELOCITIES.get(motion, (0.0, 0.0)))
        return
    for phase in _HOP_PHASES:
        yield np.stack([np.zeros_like(times, float), -_hop(times, phase)], axis=1)


def _nearest_height(motion: str, times: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """How far heights are from those of a motion, for the first height that fits best.

    What is wide or partly hidden is read as smaller than it is, all the time; so only how a height
    changes counts, and that one who has stopped growing is large.
    """
    most = _READ_SMALLER if motion == "grow" else TALLEST
    gaps = []
    for first in np.arange(_SMALLEST, TALLEST + 1):
        gap = heights - _heights_of(motion, times, first)
        gaps.append(gap - np.clip(np.median(gap), -most, most))
    return min(gaps, key=lambda gap: float(np.abs(gap).sum()))


def _heights_of(motion: str, times: np.ndarray, first: float) -> np.ndarray:
    """Heights of one that grows as far as it can, or goes back to its usual size."""
    if motion == "grow":
        return np.minimum(first + GROWTH * times, TALLEST)
    left = np.maximum(abs(first - SUBJECT_HEIGHT) - GROWTH * times, 0)
    return SUBJECT_HEIGHT + np.sign(first - SUBJECT_HEIGHT) * left


def _about_median(distance: np.ndarray) -> np.ndarray:
    """Distances ``(N, 2)`` about the one that most others are near to, round the edges."""
    around = wrapped(distance[:, None] - distance[None])  # (N, N, 2)
    costs = np.abs(around).sum(axis=0)
    return np.stack([around[:, costs[:, axis].argmin(), axis] for axis in range(2)], axis=1)


def _fit_line(times: np.ndarray, places: np.ndarray, phase: float | None = None) -> Course:
    """Theil and Sen's line, which single wrong readings do not move."""
    if phase is not None:
        places = places + np.stack([np.zeros_like(times, float), _hop(times, phase)], axis=1)
    first, second = np.triu_indices(len(times), 1)
    slopes = (places[second] - places[first]) / (times[second] - times[first])[:, None]
    velocity = np.median(slopes, axis=0)
    if phase is not None:
        velocity[1] = 0.0
    start = np.median(places - times[:, None] * velocity, axis=0)
    gaps = places - start - times[:, None] * velocity
    return Course(start, velocity, phase, float(np.linalg.norm(gaps, axis=1).mean()))


def _hop(times: np.ndarray, phase: float) -> np.ndarray:
    return HOP * np.abs(np.sin(phase + HOP_SPEED * times))
