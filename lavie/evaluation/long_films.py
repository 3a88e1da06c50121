"""Does a film go on as it began? Stories of the world in, films measured part by part out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from lavie.data.world.continuations import DISSOLVE_FRAMES
from lavie.evaluation.courses import MIN_POINTS, read_motion_around
from lavie.evaluation.drift import Drift, measure_drift
from lavie.evaluation.judge import Judge, judge_clips
from lavie.evaluation.kept_films import KeptFilms
from lavie.evaluation.measured import for_each
from lavie.evaluation.measures import mean_difference
from lavie.evaluation.stories import FilmStory
from lavie.evaluation.tracking import Track, track_subject
from lavie.pipelines.long_video import Segment
from lavie.types import Frames, OnEvent

_BESIDE = 3  # changes on either side of a border
_LEAST_SEEN = 3  # frames in which a subject has to be seen to be named


class Filmable(Protocol):
    """A film that is ready to be made, such as a `lavie.cascade.Film`."""

    def segments(self, first: int = 0, latents: Tensor | None = None) -> Iterator[Segment]:
        """Its parts, from one on, given the latents before it."""
        ...


class FilmMaker(Protocol):
    """Gets films ready, as `lavie.cascade.Cascade.film` does."""

    def __call__(
        self,
        story: Sequence[str],
        start: Frames | None = None,
        end: Frames | None = None,
        *,
        seed: int = 0,
    ) -> Filmable:
        """Check a story of one prompt for each window."""
        ...


@dataclass(frozen=True)
class FilmedStory:
    """What was made of a story.

    Args:
        story: What was asked for.
        frames: uint8 ``(F, H, W, 3)``: its first line over and over.
        lengths: Frames that each part has added.
        changed: uint8: the first part again, and one more that was asked for the second line; None
            if that was left out.
    """

    story: FilmStory
    frames: Frames
    lengths: tuple[int, ...]
    changed: Frames | None = None

    @property
    def parts(self) -> list[slice]:
        """Which frames each part has added."""
        ends = list(accumulate(self.lengths))
        return [slice(end - length, end) for end, length in zip(ends, self.lengths, strict=True)]


@dataclass(frozen=True)
class PartReading:
    """What the judge says of one part of a film.

    Args:
        subject: None if none can be told.
        place: In its last frames, if a new one had to come.
        motion: None if the way of the subject fits none.
        is_subject_in_view: False if it could not be seen as its way led out of the picture; then
            ``subject`` says nothing.
        is_motion_in_view: The same of ``motion``, which takes more frames.
    """

    subject: str | None
    place: str
    motion: str | None
    is_subject_in_view: bool
    is_motion_in_view: bool

    def says(self, attribute: str) -> str | None:
        """The word for an attribute."""
        return getattr(self, attribute)

    def can_say(self, attribute: str) -> bool:
        """Whether there was something to see."""
        return getattr(self, f"is_{attribute}_in_view", True)


@dataclass(frozen=True)
class Border:
    """Where a part of a film begins.

    Args:
        goes_on: Whether the subject goes on over it; None if it is out of view there.
        is_shown: Whether what the part was given shows the subject, or would if it were not lost.
    """

    goes_on: bool | None
    is_shown: bool


@dataclass(frozen=True)
class MeasuredStory:
    """A film of a story with numbers.

    Args:
        film: What was measured.
        seam: Mean change from frame to frame at borders and in the frames beside them, in levels.
        borders: Between each part and the one before.
        parts: What each part shows.
        drifts: Of each part but the first.
        changed: What the part for the second line shows.
    """

    film: FilmedStory
    seam: tuple[float, float]
    borders: tuple[Border, ...]
    parts: tuple[PartReading, ...]
    drifts: tuple[Drift, ...]
    changed: PartReading | None


def measure_stories(
    make_film: FilmMaker,
    judge: Judge,
    stories: Sequence[FilmStory],
    num_recursions: int,
    kept: KeptFilms,
    on_event: OnEvent | None = None,
) -> list[MeasuredStory]:
    """Film stories, unless that was done before, and measure the films.

    Args:
        make_film: A model.
        judge: In eval mode.
        stories: What to film.
        num_recursions: As for `film_story`.
        kept: Where films lie.
        on_event: Told after every story.
    """

    def measure(index: int, story: FilmStory) -> MeasuredStory:
        name = f"film-{num_recursions}-{index:04d}"
        made = kept.get(name, lambda: film_story(make_film, story, num_recursions))
        lengths = tuple(made["lengths"].tolist())
        return measure_film(judge, FilmedStory(story, made["frames"], lengths, made["changed"]))

    return for_each(stories, measure, "films", on_event)


def film_story(make_film: FilmMaker, story: FilmStory, num_recursions: int) -> dict[str, Any]:
    """Make a film of the first line, and again from its first part on one of both lines.

    Args:
        make_film: A model.
        story: What to film.
        num_recursions: Windows after the first, each given the end of the one before; at least 1.

    Returns:
        ``frames``, ``lengths`` and ``changed`` of a `FilmedStory`, as arrays.
    """
    first, second = story.prompts
    made = list(make_film([first] * (num_recursions + 1), seed=story.seed).segments())
    (changed,) = make_film([first, second], seed=story.seed).segments(1, made[0].latents)
    return {
        "frames": np.concatenate([segment.frames for segment in made]),
        "lengths": np.array([len(segment.frames) for segment in made]),
        "changed": np.concatenate([made[0].frames, changed.frames]),
    }


def measure_film(judge: Judge, film: FilmedStory) -> MeasuredStory:
    """Measure what was made of a story.

    Args:
        judge: In eval mode.
        film: At least two parts.
    """
    track = track_subject(judge, film.frames)
    first, *later = film.parts
    borders = [part.start for part in later]
    num_given = max(film.lengths[0] - film.lengths[1], 1)
    changed = None
    if film.changed is not None:
        new = slice(film.lengths[0], len(film.changed))
        changed = read_part(judge, film.changed, track_subject(judge, film.changed), new, True)
    return MeasuredStory(
        film,
        measure_seam(film.frames, borders),
        tuple(
            Border(track.continues_at(border), not track.is_out_before(border, num_given))
            for border in borders
        ),
        tuple(read_part(judge, film.frames, track, part) for part in film.parts),
        tuple(measure_drift(film.frames, track, first, part) for part in later),
        changed,
    )


def measure_seam(frames: Frames, borders: Sequence[int]) -> tuple[float, float]:
    """Mean change at borders and beside them, in levels.

    Films are added up before one is divided by the other: in a single one the subject's own steps,
    which are whole pixels, decide too much.

    Args:
        frames: uint8 ``(F, H, W, 3)``.
        borders: First frames of segments, at least one.
    """
    changes = [mean_difference(*pair) for pair in zip(frames[1:], frames[:-1], strict=True)]
    beside = [
        [*changes[max(border - 1 - _BESIDE, 0) : border - 1], *changes[border : border + _BESIDE]]
        for border in borders
    ]
    at_borders = [changes[border - 1] for border in borders]
    return float(np.mean(at_borders)), float(np.mean([np.mean(each) for each in beside]))


def read_part(
    judge: Judge, frames: Frames, track: Track, part: slice, is_new_place: bool = False
) -> PartReading:
    """Say what a part of a film shows.

    Args:
        judge: In eval mode.
        frames: uint8 ``(F, H, W, 3)`` of the whole film.
        track: Of its subject.
        part: Which frames.
        is_new_place: Whether its first frames may still show the old place.
    """
    numbers = np.arange(len(frames))[part]
    seen = numbers[track.is_seen[part]]
    hidden = numbers[~track.is_seen[part]]
    is_out = bool(len(hidden)) and float(track.is_out[hidden].mean()) > 0.5
    subject, motion = None, None
    if len(seen) >= _LEAST_SEEN:
        subject = judge_clips(judge, [frames[seen]])[0].subject
    if len(seen) >= MIN_POINTS:
        motion, _ = read_motion_around(seen.astype(float), track.path[seen])
    settled = numbers[DISSOLVE_FRAMES:] if is_new_place else numbers
    (whole,) = judge_clips(judge, [frames[settled if len(settled) else numbers[-1:]]])
    return PartReading(
        subject,
        whole.place,
        motion,
        len(seen) >= _LEAST_SEEN or not is_out,
        len(seen) >= MIN_POINTS or not is_out,
    )
