"""The subject of a film: where it is seen, and where it may be out of the picture."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lavie.data.world import HEIGHT, WIDTH
from lavie.evaluation.courses import Course, fit_course, wrapped
from lavie.evaluation.judge import Judge, judge_clips
from lavie.types import Frames

CLOSE = 4.0
"""Pixels that a subject may be off its course behind a border."""

_DRIFT = 0.25  # pixels more for every frame in which it was out of the picture
_MISSED = 4  # frames that a subject may be late in coming back; then it is lost
_LONGEST_GAP = 20  # such frames; behind more of them a course says nothing

_EDGE = 6.5  # pixels; nearer to an edge the judge takes a subject's visible part for all of it
_CLEAR = 8.5  # pixels; from here on it is located within half of one
_SLACK = 2.5  # pixels; a course is not known better than this where it comes to an edge
_MEMORY = 10  # frames that say where a subject goes
_MIN_BEFORE = 4  # of them
_AHEAD = 12  # frames behind a border, of which
_COMPARED = 6  # are compared, those where the subject is foreseen to be in the picture
_COMING_IN = 3  # frames that say where a subject is that has just come in
_MIN_INSIDE = 6  # clear frames; with fewer of them before a border it is still coming in


@dataclass(frozen=True)
class Track:
    """What was seen of a subject.

    Args:
        path: ``(F, 3)``: centre x, centre y and height in pixels, whether it was seen or not.
        is_seen: ``(F,)``: whether it is there, far enough inside the picture to be located.
    """

    path: np.ndarray
    is_seen: np.ndarray

    @classmethod
    def of(cls, path: np.ndarray, states: tuple[str, ...]) -> "Track":
        """From what the judge read in each frame.

        Args:
            path: As above.
            states: What there was to see in each of the F frames, as in `Verdict`.
        """
        inside = _from_edge(path[:, :2]) >= _EDGE
        is_there = np.array([state not in ("absent", "cut") for state in states])
        return cls(path, inside & is_there)

    @cached_property
    def is_out(self) -> np.ndarray:
        """``(F,)``: whether it is not seen because its way has led out of the picture."""
        out = np.zeros(len(self.path), bool)
        for frames in _runs(~self.is_seen):
            last = self.course_before(frames[0])
            if last is not None:
                is_foreseen = _is_inside(last[0].at(frames.astype(float)))
                out[frames] = ~is_foreseen & (np.cumsum(is_foreseen) <= _MISSED)
        return out

    def course_before(self, frame: int) -> tuple[Course, int] | None:
        """The course it was last seen on and the frame that was; None if too little was seen."""
        seen = np.flatnonzero(self.is_seen[:frame])
        while len(seen):
            recent = seen[seen > seen[-1] - _MEMORY]
            if len(recent) >= _MIN_BEFORE:
                clear = self._clear(recent)
                fitted = clear if len(clear) >= _MIN_BEFORE else recent
                return self._fit(fitted), int(recent[-1])
            seen = seen[: -len(recent)]
        return None

    def is_out_before(self, border: int, num_frames: int) -> bool:
        """Whether its way has led out of the picture in all of the frames before a border.

        A window that is given these cannot know where it is.
        """
        return bool(self.is_out[border - num_frames : border].all())

    def continues_at(self, border: int) -> bool | None:
        """Whether position and direction go on where a new segment begins.

        The course of the frames before the border is followed beyond it: there the subject has to
        be, in the first frames and in those after them. One that has just come in has no course
        before the border, as its visible part is taken for all of it: then that of the frames
        behind the border is followed back, and has to meet it.

        Args:
            border: First frame of the new segment.

        Returns:
            None if there is nothing to see, the subject being out of the picture on either side.
        """
        if (comes_in := self._comes_in_at(border)) is not None:
            return comes_in
        last = self.course_before(border)
        if last is None:
            return False
        course, seen_last = last
        frames = np.arange(border, min(border + _AHEAD, len(self.path)))
        foreseen = course.at(frames.astype(float))
        expected = _is_inside(foreseen)
        frames, foreseen = frames[expected][:_COMPARED], foreseen[expected][:_COMPARED]
        if len(frames) < _COMPARED // 2 or frames[0] - seen_last > _LONGEST_GAP:
            hidden = np.flatnonzero(~self.is_seen[:border])
            is_leaving = border - seen_last <= _MISSED
            return None if is_leaving or self.is_out[hidden[-1:]].all() else False
        close = CLOSE + _DRIFT * (frames[0] - seen_last - 1)
        gaps = np.linalg.norm(wrapped(self.path[frames, :2] - foreseen), axis=1)
        gaps = gaps[self.is_seen[frames]]
        if len(gaps) < _COMPARED // 2:
            return False
        middle = -(-len(gaps) // 2)
        return bool(np.median(gaps[:middle]) <= close and np.median(gaps[middle:]) <= close)

    def _comes_in_at(self, border: int) -> bool | None:
        """Whether one who is coming in before a border goes on; None if it is not coming in."""
        before = np.arange(max(border - _COMING_IN, 0), border)
        before = before[self.is_seen[before]]
        recent = np.arange(max(border - _MEMORY, 0), border)
        after = self._clear(np.arange(border, min(border + _AHEAD, len(self.path))))
        is_new = len(self._clear(recent)) < _MIN_INSIDE
        if not (is_new and len(before) and len(after) >= _MIN_BEFORE):
            return None
        places = self._fit(after).at(before.astype(float))
        visible = places.clip(_EDGE, np.array((WIDTH, HEIGHT)) - _EDGE)
        gaps = np.linalg.norm(self.path[before, :2] - visible, axis=1)
        gaps += np.maximum(-_from_edge(places), 0)  # nothing would be visible there
        return bool(np.median(gaps) <= CLOSE)

    def _clear(self, frames: np.ndarray) -> np.ndarray:
        """Those of some frames in which it is seen, and located well."""
        is_clear = self.is_seen[frames] & (_from_edge(self.path[frames, :2]) >= _CLEAR)
        return frames[is_clear]

    def _fit(self, frames: np.ndarray) -> Course:
        return fit_course(frames.astype(float), self.path[frames, :2])


def track_subject(judge: Judge, frames: Frames) -> Track:
    """Follow the subject of a film.

    Args:
        judge: In eval mode.
        frames: uint8 ``(F, H, W, 3)`` of the world's size.
    """
    (verdict,) = judge_clips(judge, [frames])
    return Track.of(verdict.path, verdict.states)


def _is_inside(places: np.ndarray) -> np.ndarray:
    """Whether places ``(N, 2)`` are well inside the picture."""
    return _from_edge(places) >= _EDGE + _SLACK


def _from_edge(places: np.ndarray) -> np.ndarray:
    """How far from the nearest edge places ``(N, 2)`` are, in pixels, below 0 outside."""
    return np.minimum(places, (WIDTH, HEIGHT) - places).min(axis=1)


def _runs(mask: np.ndarray) -> list[np.ndarray]:
    """Neighbouring frames ``(f,)`` in which a mask ``(F,)`` holds."""
    frames = np.flatnonzero(mask)
    groups = np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1)
    return [group for group in groups if len(group)]
