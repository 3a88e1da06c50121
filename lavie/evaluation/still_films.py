"""Films from a picture, and between two: is the picture kept, and is there no cut?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lavie.data.world import (
    MOTIONS,
    MOVING_SUBJECTS,
    compose_caption,
    render_clip,
    render_still,
)
from lavie.evaluation.judge import Judge
from lavie.evaluation.kept_films import KeptFilms
from lavie.evaluation.long_films import FilmMaker, PartReading, read_part
from lavie.evaluation.measured import for_each
from lavie.evaluation.measures import mean_difference, psnr
from lavie.evaluation.tracking import track_subject
from lavie.types import Frames, OnEvent

CUT = 0.6
"""Of the difference between the two pictures: a change from one frame to the next that is larger
is a cut. Clips of the world come to 0.5 where their subject is fast, dissolves to 0.1."""


@dataclass(frozen=True)
class StillStory:
    """A picture, and what is to happen in it; or two, the second of which it ends with.

    Args:
        prompt: What is asked for.
        start: uint8 ``(H, W, 3)``.
        end: The same; None where only the beginning is given.
        subject: Of the first picture.
        motion: What is asked for, if that is to be read.
        kind: ``picture``; or ``same``: two pictures of one clip; or ``other``: unrelated ones.
        seed: Of the noise.
    """

    prompt: str
    start: Frames
    end: Frames | None
    subject: str
    motion: str | None
    kind: str
    seed: int


@dataclass(frozen=True)
class MeasuredStill:
    """A film from a picture with numbers.

    Args:
        story: What was asked for.
        frames: uint8 ``(F, H, W, 3)``.
        first_psnr: First frame against the picture, in dB.
        last_psnr: Last frame against the second picture; None without one.
        reading: What the judge says of what comes after the picture.
        largest_change: From one frame to the next, of the difference of the two pictures; None
            without a second one.
    """

    story: StillStory
    frames: Frames
    first_psnr: float
    last_psnr: float | None
    reading: PartReading
    largest_change: float | None


def make_picture_stories(count: int, seed: int = 0) -> list[StillStory]:
    """Stills of the world of which something is asked, all motions in turn."""
    stories = []
    for index in range(count):
        still = render_still(seed * 1_000_003 + index, "test", subjects=MOVING_SUBJECTS)
        words = still.attributes
        motion = list(MOTIONS)[index % len(MOTIONS)]
        prompt = compose_caption(words["subject"], words["place"], motion, words["style"])
        picture = still.frames[0]
        own_seed = seed * 1_000_003 + index
        stories.append(
            StillStory(prompt, picture, None, words["subject"], motion, "picture", own_seed)
        )
    return stories


def make_transition_stories(count: int, seed: int = 0) -> list[StillStory]:
    """Pairs of pictures: the two ends of a clip and two unrelated stills in turn."""
    stories: list[StillStory] = []
    number = seed * 1_000_003
    while len(stories) < count:
        number += 1
        if len(stories) % 2:
            start, end = (
                render_still(2 * number + k, "test", subjects=MOVING_SUBJECTS) for k in (0, 1)
            )
            prompt, kind = end.caption, "other"
            pictures = start.frames[0], end.frames[0]
            subject = start.attributes["subject"]
        else:
            clip = render_clip(number, "test")
            words, prompt, kind = clip.attributes, clip.caption, "same"
            pictures = clip.frames[0], clip.frames[-1]
            subject = words["subject"]
            if words["motion"] == "bounce":  # ends where it began: there is nothing to cut
                continue
        stories.append(StillStory(prompt, *pictures, subject, None, kind, number))
    return stories


def measure_stills(
    make_film: FilmMaker,
    judge: Judge,
    stories: Sequence[StillStory],
    part: str,
    kept: KeptFilms,
    on_event: OnEvent | None = None,
) -> list[MeasuredStill]:
    """Film stories that begin with a picture, unless that was done before, and measure the films.

    Args:
        make_film: A model.
        judge: In eval mode.
        stories: What to film.
        part: What they are called, where films lie and where progress is told.
        kept: Where films lie.
        on_event: Told after every story.
    """

    def measure(index: int, story: StillStory) -> MeasuredStill:
        made = kept.get(f"{part}-{index:04d}", lambda: {"frames": film_still(make_film, story)})
        return measure_still(judge, story, made["frames"])

    return for_each(stories, measure, part, on_event)


def film_still(make_film: FilmMaker, story: StillStory) -> Frames:
    """Make one window of a model from a picture, or between two.

    Args:
        make_film: A model.
        story: What to film.

    Returns:
        uint8 ``(F, H, W, 3)``, with what became of the pictures.
    """
    film = make_film([story.prompt], story.start, story.end, seed=story.seed)
    return np.concatenate([segment.frames for segment in film.segments()])


def measure_still(judge: Judge, story: StillStory, frames: Frames) -> MeasuredStill:
    """Measure a film from a picture.

    Args:
        judge: In eval mode.
        story: What was asked for.
        frames: uint8 ``(F, H, W, 3)``, F at least 2.
    """
    reading = read_part(judge, frames, track_subject(judge, frames), slice(1, len(frames)))
    first = psnr(frames[:1], story.start[None])
    if story.end is None:
        return MeasuredStill(story, frames, first, None, reading, None)
    last = psnr(frames[-1:], story.end[None])
    changes = [mean_difference(a, b) for a, b in zip(frames[1:], frames[:-1], strict=True)]
    largest = max(changes) / mean_difference(story.start, story.end)
    return MeasuredStill(story, frames, first, last, reading, largest)
