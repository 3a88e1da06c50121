"""Clips and stills of the world, each a pure function of its seed and split."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from lavie.data.world.drawing import HEIGHT, WIDTH, paste, place_background, sprite
from lavie.data.world.vocabulary import (
    MOTIONS,
    PLACES,
    SPLITS,
    STYLES,
    SUBJECTS,
    Split,
    compose_caption,
    triples,
)
from lavie.errors import InputError
from lavie.types import Frames

NUM_FRAMES = 16
FPS = 8
SUBJECT_HEIGHT = 20
STYLE_SHARES = {"colour": 0.84, "black and white": 0.08, "sepia": 0.08}

Draw = Callable[[int], np.ndarray]
"""Draws one thing on a transparent ground, given the height it should have in pixels."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_TINTS = {"black and white": (1.0, 1.0, 1.0), "sepia": (1.0, 0.84, 0.62)}


@dataclass(frozen=True)
class Clip:
    """A captioned clip, or a still with one frame.

    Args:
        frames: uint8 ``(F, H, W, 3)``.
        caption: What it shows, in words that vary.
        attributes: What it shows, in keys of the vocabulary: subject, place, style and, unless a
            still, motion.
        focus: float32 ``(F, H, W)`` in [0, 1], 1 where the subject is, for losses that look closer.
        begins_at: First frame that the caption is about; those before it show what came before.
    """

    frames: Frames
    caption: str
    attributes: dict[str, str]
    focus: np.ndarray
    begins_at: int = 0


@dataclass(frozen=True)
class Pose:
    """Where a subject is: its centre and its height, in pixels at scale 1."""

    x: float
    y: float
    height: float = SUBJECT_HEIGHT


# A motion maps time in [0, 1] and a fixed jitter in [-1, 1]^2 to a pose. Little is left to chance
# on purpose: at this scale a network learns what it sees often. Opposite motions keep to lanes of
# their own, as on a road: were they mirror images of each other, a network would first learn their
# average and be stuck there, since nothing in it tells the two words apart.
_MOTIONS: dict[str, Callable[[float, float, float], Pose]] = {
    "left": lambda t, u, v: Pose(50 - 36 * t + u, 17 + 3 * v),
    "right": lambda t, u, v: Pose(14 + 36 * t + u, 25 + 3 * v),
    "up": lambda t, u, v: Pose(21 + 6 * u, 29 - 18 * t + v),
    "down": lambda t, u, v: Pose(43 + 6 * u, 11 + 18 * t + v),
    "bounce": lambda t, u, v: Pose(32 + 8 * u, 29 - 17 * abs(np.sin(2 * np.pi * t)) + v),
    "grow": lambda t, u, v: Pose(32 + 6 * u, 20 + 2 * v, 9 + 21 * t),
}


def render_clip(
    seed: int,
    split: Split = "train",
    num_frames: int = NUM_FRAMES,
    scale: int = 1,
    motions: Sequence[str] = tuple(MOTIONS),
) -> Clip:
    """A moving subject in a place, always the same for the same arguments.

    Args:
        seed: Any integer of at least 0.
        split: Which triples of subject, place and motion may appear; splits share none.
        num_frames: Frames over which the whole motion is spread, at least 2.
        scale: 1 gives 64x40 pixels, k gives k times that (the same scene, drawn finer).
        motions: Those that may appear.

    Raises:
        InputError: An argument is out of range.
        MissingDependencyError: The emoji font is not installed.
    """
    if num_frames < 2:
        raise InputError(
            f"A clip of {num_frames} frames cannot move. Use at least 2.", "num_frames"
        )
    rng = make_generator(seed, split, kind=1)
    choices = [triple for triple in triples(split) if triple[2] in motions]
    subject, place, motion = choices[rng.integers(len(choices))]
    style = draw_style(rng)
    caption = compose_caption(subject, place, motion, style, rng)
    poses = motion_path(motion, num_frames, rng)
    frames, focus = _render(partial(sprite, subject), place, style, poses, scale, rng)
    attributes = {"subject": subject, "place": place, "motion": motion, "style": style}
    return Clip(frames, caption, attributes, focus)


def render_still(
    seed: int,
    split: Split = "train",
    scale: int = 1,
    subjects: Sequence[str] = tuple(SUBJECTS),
    any_size: bool = False,
) -> Clip:
    """A subject standing anywhere in a place; all subjects appear, the still-only ones too.

    Args:
        seed: Any integer of at least 0.
        split: Only makes the seeds differ: stills have no motion, so no triple to hold out.
        scale: As for `render_clip`.
        subjects: Those that may appear, each as often as the others.
        any_size: Whether all sizes of something growing are as frequent; else four in five stills
            show the usual one.

    Raises:
        InputError: An argument is out of range.
        MissingDependencyError: The emoji font is not installed.
    """
    rng = make_generator(seed, split, kind=0)
    subject = subjects[int(rng.integers(len(subjects)))]
    place = list(PLACES)[rng.integers(len(PLACES))]
    style = draw_style(rng)
    caption = compose_caption(subject, place, None, style, rng)
    pose = _anywhere(rng, any_size)
    frames, focus = _render(partial(sprite, subject), place, style, [pose], scale, rng)
    return Clip(frames, caption, {"subject": subject, "place": place, "style": style}, focus)


def render_thing(
    seed: int,
    draw: Draw,
    place: str,
    motion: str | None,
    style: str = "colour",
    num_frames: int = NUM_FRAMES,
    scale: int = 1,
) -> Frames:
    """Anything in the place of a subject: what a perfect model makes of a word it has learnt.

    Args:
        seed: Any integer of at least 0.
        draw: What moves.
        place: A key of `PLACES`.
        motion: A key of `MOTIONS`; None for a single frame, somewhere in the picture.
        style: A key of `STYLES`.
        num_frames: Frames over which the whole motion is spread, at least 2.
        scale: As for `render_clip`.

    Returns:
        uint8 ``(F, H, W, 3)``.

    Raises:
        InputError: The seed is no whole number of at least 0.
    """
    rng = make_generator(seed, "test", kind=5)
    poses = [_anywhere(rng)] if motion is None else motion_path(motion, num_frames, rng)
    frames, _ = _render(draw, place, style, poses, scale, rng)
    return frames


def motion_path(motion: str, num_frames: int, rng: np.random.Generator) -> list[Pose]:
    """The poses of one motion, with a little jitter from ``rng``."""
    u, v = rng.uniform(-1, 1, 2)
    return [_MOTIONS[motion](float(t), u, v) for t in np.linspace(0, 1, num_frames)]


def _anywhere(rng: np.random.Generator, any_size: bool = False) -> Pose:
    is_usual = rng.random() < 0.8 and not any_size
    height = SUBJECT_HEIGHT if is_usual else rng.uniform(9, 30)
    return Pose(rng.uniform(11, WIDTH - 11), rng.uniform(10, HEIGHT - 10), height)


def _render(
    draw: Draw,
    place: str,
    style: str,
    poses: list[Pose],
    scale: int,
    rng: np.random.Generator,
) -> tuple[Frames, np.ndarray]:
    background = place_background(place, scale, int(rng.integers(-1, 2))) + rng.uniform(-5, 5)
    frames = np.stack([background] * len(poses))
    focus = np.zeros(frames.shape[:3], np.float32)
    for frame, mask, pose in zip(frames, focus, poses, strict=True):
        paste_thing(frame, mask, draw, pose, scale)
    return np.clip(apply_style(frames, style) + 0.5, 0, 255).astype(np.uint8), focus


def paste_thing(frame: np.ndarray, mask: np.ndarray, draw: Draw, pose: Pose, scale: int) -> None:
    """Draw a thing into a frame ``(H, W, 3)``, and where it is into a mask ``(H, W)``."""
    image = draw(round(pose.height * scale))
    left = round(pose.x * scale - image.shape[1] / 2)
    top = round(pose.y * scale - image.shape[0] / 2)
    paste(frame, image, left, top)
    paste(mask[..., None], np.concatenate([image[..., 3:]] * 2, axis=-1), left, top)


def apply_style(frames: np.ndarray, style: str) -> np.ndarray:
    """Recolour float frames ``(..., 3)`` as a style looks."""
    if style not in _TINTS:
        return frames
    return (frames @ _LUMA)[..., None] * np.array(_TINTS[style], np.float32)


def draw_style(rng: np.random.Generator) -> str:
    """A style, each as often as `STYLE_SHARES` says."""
    return list(STYLES)[rng.choice(len(STYLES), p=list(STYLE_SHARES.values()))]


def make_generator(seed: int, split: Split, kind: int) -> np.random.Generator:
    """The source of all that is drawn for one sample of a kind.

    Raises:
        InputError: There is no such split or seed.
    """
    if split not in SPLITS:
        raise InputError(f"Split '{split}' is unknown. Use one of {', '.join(SPLITS)}.", "split")
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise InputError(f"Seed {seed!r} is not a whole number of at least 0.", "seed")
    return np.random.default_rng([seed, SPLITS.index(split), kind])
