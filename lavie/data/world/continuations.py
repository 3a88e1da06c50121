"""Clips that begin in the middle: what came before goes on as a new line of a story says."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from lavie.data.world.clips import (
    NUM_FRAMES,
    SUBJECT_HEIGHT,
    Clip,
    Pose,
    apply_style,
    draw_style,
    make_generator,
    motion_path,
    paste_thing,
)
from lavie.data.world.drawing import HEIGHT, WIDTH, place_background, sprite
from lavie.data.world.vocabulary import MOTIONS, Split, compose_caption, triples
from lavie.errors import InputError
from lavie.types import Frames

MAX_BEFORE = 6
DISSOLVE_FRAMES = 6
"""Frames in which one place gives way to another."""

# Speeds are those of the world's clips, in pixels per frame. Who leaves on one side comes in on the
# other, so that no motion has to end.
ACROSS, UP, GROWTH = 36 / 15, 18 / 15, 21 / 15
MARGIN = 10
HIGHEST, LOWEST, TALLEST = 11.0, 29.0, 30.0
HOP, HOP_SPEED = 17.0, 2 * np.pi / 15


class Line(NamedTuple):
    """What a line of a story says of the subject."""

    place: str
    motion: str


class _State(NamedTuple):
    """Where a subject is, and how far it is in its hop, in radians."""

    pose: Pose
    phase: float = 0.0


def render_continuation(
    seed: int,
    split: Split = "train",
    num_frames: int = NUM_FRAMES,
    scale: int = 1,
    motions: Sequence[str] = tuple(MOTIONS),
) -> Clip:
    """A clip whose first frames show what came before its caption began to hold.

    The subject stays; where it is and what it does may change. The new motion begins where the old
    one stopped, the new place comes in a dissolve of `DISSOLVE_FRAMES`.

    Args:
        seed: Any integer of at least 0.
        split: Which triples of subject, place and motion the caption may name.
        num_frames: More than `MAX_BEFORE`.
        scale: As for `render_clip`.
        motions: Those that the caption may name.

    Returns:
        The clip; its caption is about the frames from ``begins_at`` on, 1 to `MAX_BEFORE`.

    Raises:
        InputError: An argument is out of range.
        MissingDependencyError: The emoji font is not installed.
    """
    if num_frames <= MAX_BEFORE:
        raise InputError(
            f"{num_frames} frames are too few to go on. Use at least {MAX_BEFORE + 1}.",
            "num_frames",
        )
    rng = make_generator(seed, split, kind=2)
    choices = triples(split)
    named = [triple for triple in choices if triple[2] in motions]
    subject, place, motion = named[rng.integers(len(named))]
    style = draw_style(rng)
    caption = compose_caption(subject, place, motion, style, rng)
    after = Line(place, motion)
    before = _line_before(after, [c[1:] for c in choices if c[0] == subject], rng)
    # half of all clips show as much as a film gives its windows
    begins_at = MAX_BEFORE if rng.random() < 0.5 else int(rng.integers(1, MAX_BEFORE + 1))
    lengths = (begins_at, num_frames - begins_at)
    begin = _anywhere if before.motion == after.motion else _somewhere
    frames, focus = _render(subject, (before, after), lengths, begin, scale, rng)
    frames = np.clip(apply_style(frames, style) + 0.5, 0, 255).astype(np.uint8)
    attributes = {"subject": subject, "place": place, "motion": motion, "style": style}
    return Clip(frames, caption, attributes, focus, begins_at)


def render_story(
    seed: int,
    subject: str,
    lines: Sequence[Line],
    lengths: Sequence[int],
    style: str = "colour",
    scale: int = 1,
) -> Frames:
    """A story as the world tells it: what a perfect film of it looks like.

    It begins as the world's clips do; every new line begins where the old one stopped.

    Args:
        seed: Any integer of at least 0.
        subject: A key of ``SUBJECTS``; it stays all through the story.
        lines: Place and motion of each line, at least one.
        lengths: Frames of each line, at least 1 each.
        style: How the pictures look.
        scale: As for `render_clip`.

    Returns:
        uint8 ``(F, H, W, 3)``, F the sum of the lengths.

    Raises:
        InputError: The seed is no whole number of at least 0.
        MissingDependencyError: The emoji font is not installed.
    """
    rng = make_generator(seed, "train", kind=3)
    frames, _ = _render(subject, lines, lengths, _as_a_clip_begins, scale, rng)
    return np.clip(apply_style(frames, style) + 0.5, 0, 255).astype(np.uint8)


def _line_before(line: Line, others: Sequence[tuple[str, ...]], rng: np.random.Generator) -> Line:
    """What was said before: the same in half of all cases, else another motion, place or both."""
    kind = rng.random()
    places, motions = sorted({c[0] for c in others}), sorted({c[1] for c in others})
    if kind >= 0.5:
        line = line._replace(motion=str(rng.choice(motions)))
    if kind >= 0.75:
        line = line._replace(place=str(rng.choice(places)))
    if kind >= 0.9:
        line = line._replace(motion=str(rng.choice(motions)))
    return line


def _render(
    subject: str,
    lines: Sequence[Line],
    lengths: Sequence[int],
    begin: Callable[[str, np.random.Generator], _State],
    scale: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a story: frames ``(F, H, W, 3)`` before any style, and where the subject is."""
    places = [
        place_background(line.place, scale, int(rng.integers(-1, 2))) + rng.uniform(-5, 5)
        for line in lines
    ]
    for number, (old, new) in enumerate(pairwise(lines), start=1):
        if old.place == new.place:
            places[number] = places[number - 1]
    state = begin(lines[0].motion, rng)
    draw = partial(sprite, subject)
    told = [number for number, length in enumerate(lengths) for _ in range(length)]
    frames = np.empty((len(told), *places[0].shape), np.float32)
    focus = np.zeros(frames.shape[:3], np.float32)
    since = 0
    for index, number in enumerate(told):
        since = since + 1 if index and number == told[index - 1] else 1
        share = min(since / DISSOLVE_FRAMES, 1) if number else 1
        frames[index] = (1 - share) * places[max(number - 1, 0)] + share * places[number]
        paste_thing(frames[index], focus[index], draw, state.pose, scale)
        if index + 1 < len(told):
            state = _step(state, lines[told[index + 1]].motion)
    return frames, focus


def _as_a_clip_begins(motion: str, rng: np.random.Generator) -> _State:
    return _State(motion_path(motion, 2, rng)[0])


def _somewhere(motion: str, rng: np.random.Generator) -> _State:
    """Anywhere in the picture, mostly whole in it, in the middle of a motion."""
    x, y = rng.uniform(0, WIDTH), rng.uniform(HIGHEST, LOWEST)
    height = SUBJECT_HEIGHT
    if motion == "grow":  # in a film it is as large as it gets for most of the time
        height = min(rng.uniform(9, 2 * TALLEST - 9), TALLEST)
    elif rng.random() < 0.1:
        height = rng.uniform(9, TALLEST)
    return _State(Pose(x, y, height), rng.uniform(0, np.pi) if motion == "bounce" else 0.0)


def _anywhere(motion: str, rng: np.random.Generator) -> _State:
    """The same for one who goes on across: also on the way out of the picture, or in again."""
    state = _somewhere(motion, rng)
    x, y = state.pose.x, state.pose.y
    if motion in ("left", "right"):
        x = rng.uniform(-MARGIN, WIDTH + MARGIN)
    elif motion in ("up", "down"):
        y = rng.uniform(-MARGIN, HEIGHT + MARGIN)
    return state._replace(pose=replace(state.pose, x=x, y=y))


def _step(state: _State, motion: str) -> _State:
    """One frame further."""
    pose = state.pose
    if motion == "grow":
        return _State(replace(pose, height=min(pose.height + GROWTH, TALLEST)))
    towards_usual = np.clip(SUBJECT_HEIGHT - pose.height, -GROWTH, GROWTH)
    pose = replace(pose, height=pose.height + float(towards_usual))
    if motion == "bounce":
        # a hop goes on, or begins with the way up from where the subject is
        phase = state.phase or float(np.arcsin(np.clip((LOWEST - pose.y) / HOP, 0, 1)))
        phase = (phase + HOP_SPEED) % np.pi or np.pi
        return _State(replace(pose, y=LOWEST - HOP * float(np.sin(phase))), phase)
    across = {"left": -ACROSS, "right": ACROSS}.get(motion, 0.0)
    down = {"up": -UP, "down": UP}.get(motion, 0.0)
    return _State(
        replace(pose, x=_around(pose.x + across, WIDTH), y=_around(pose.y + down, HEIGHT))
    )


def _around(place: float, size: int) -> float:
    """Who is out of the picture on one side comes in on the other."""
    return (place + MARGIN) % (size + 2 * MARGIN) - MARGIN
