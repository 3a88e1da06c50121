"""The words of the world: what it can show, and how its captions say so."""

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lavie.errors import InputError

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Subject:
    """Something that a clip or a still is about.

    Args:
        emoji: The character it is drawn from.
        is_still_only: It never moves in training data: the test of what joint training transfers.
    """

    emoji: str
    is_still_only: bool = False


SUBJECTS: dict[str, Subject] = {
    "panda": Subject("🐼"),
    "fox": Subject("🦊"),
    "frog": Subject("🐸"),
    "pig": Subject("🐷"),
    "chick": Subject("🐥"),
    "bear": Subject("🐻"),
    "car": Subject("🚗"),
    "ladybug": Subject("🐞"),
    "koala": Subject("🐨", is_still_only=True),
    "pumpkin": Subject("🎃", is_still_only=True),
    "mushroom": Subject("🍄", is_still_only=True),
    "alien": Subject("👽", is_still_only=True),
}
NEWCOMERS: dict[str, str] = {
    "octopus": "🐙",
    "ghost": "👻",
    "rocket": "🚀",
    "penguin": "🐧",
    "lion": "🦁",
    "balloon": "🎈",
    "duck": "🦆",
    "robot": "🤖",
}
"""Kept from all training: what a personal LoRA is tried on."""

MOVING_SUBJECTS = tuple(name for name, subject in SUBJECTS.items() if not subject.is_still_only)
STILL_ONLY_SUBJECTS = tuple(name for name, subject in SUBJECTS.items() if subject.is_still_only)

# The first phrase of each is the canonical one: the page offers it, evaluation asks with it.
PLACES: dict[str, tuple[str, ...]] = {
    "ocean": ("over the ocean", "above the ocean", "at the sea"),
    "snow": ("in the snow", "on the snow"),
    "desert": ("in the desert", "among the dunes"),
    "grass": ("on the grass", "in the meadow"),
    "sunset": ("at sunset", "in the sunset"),
    "night": ("at night", "in the night sky", "under the stars"),
}
MOTIONS: dict[str, tuple[str, ...]] = {
    "left": ("moving left", "going left", "moving to the left"),
    "right": ("moving right", "going right", "moving to the right"),
    "up": ("moving up", "rising", "going up"),
    "down": ("moving down", "falling", "going down"),
    "bounce": ("bouncing", "jumping", "bouncing up and down"),
    "grow": ("growing", "getting bigger", "coming closer"),
}
STYLES: dict[str, tuple[str, ...]] = {
    "colour": ("",),
    "black and white": ("in black and white",),
    "sepia": ("in sepia",),
}
STILL_OPENINGS = ("", "a picture of ", "a photo of ")
CANONICAL_SHARE = 0.6


def split_of(subject: str, place: str, motion: str) -> Split:
    """Which split owns a triple: one in ten is held out for validation, one in ten for test.

    The answer depends on the words alone, so that no seed and no run can leak a held-out triple.
    """
    digest = hashlib.blake2s(f"{subject}|{place}|{motion}".encode(), digest_size=2).digest()
    held_out: dict[int, Split] = {0: "validation", 1: "test"}
    return held_out.get(int.from_bytes(digest, "big") % 10, "train")


def triples(split: Split) -> list[tuple[str, str, str]]:
    """All (subject, place, motion) that clips of a split may show.

    Raises:
        InputError: The split is unknown.
    """
    if split not in SPLITS:
        raise InputError(f"Split '{split}' is unknown. Use one of {', '.join(SPLITS)}.", "split")
    return [
        (subject, place, motion)
        for subject in MOVING_SUBJECTS
        for place in PLACES
        for motion in MOTIONS
        if split_of(subject, place, motion) == split
    ]


def compose_caption(
    subject: str,
    place: str,
    motion: str | None = None,
    style: str = "colour",
    rng: np.random.Generator | None = None,
) -> str:
    """A sentence for these attributes.

    Args:
        subject: A key of `SUBJECTS`; likewise ``place``, ``motion`` and ``style``.
        place: Where it is.
        motion: What it does; None for a still.
        style: How the picture looks.
        rng: Varies the wording. None gives the canonical sentence.

    Raises:
        InputError: An attribute is not a word of the world.
    """
    for kind, word, known in (
        ("subject", subject, SUBJECTS),
        ("place", place, PLACES),
        ("motion", motion, MOTIONS),
        ("style", style, STYLES),
    ):
        if word is not None and word not in known:
            raise InputError(f"'{word}' is no {kind} of the world. Use {', '.join(known)}.", kind)
    noun = f"{'an' if subject[0] in 'aeiou' else 'a'} {subject}"
    where = _phrase(PLACES[place], rng)
    look = f", {STYLES[style][0]}" if style != "colour" else ""
    if motion is None:
        return f"{_phrase(STILL_OPENINGS, rng)}{noun} {where}{look}"
    action = _phrase(MOTIONS[motion], rng)
    if rng is not None and rng.random() < 0.15:
        return f"{where}, {noun} is {action}{look}"
    return f"{noun} {action} {where}{look}"


def caption_words() -> set[str]:
    """Every word that a caption of the world can hold, in lower case."""
    phrases = ["a an is", *SUBJECTS, *STILL_OPENINGS]
    for table in (PLACES, MOTIONS, STYLES):
        phrases += [phrase for choices in table.values() for phrase in choices]
    return {word for phrase in phrases for word in phrase.split()}


def _phrase(choices: tuple[str, ...], rng: np.random.Generator | None) -> str:
    if rng is None or rng.random() < CANONICAL_SHARE:
        return choices[0]
    return choices[int(rng.integers(len(choices)))]
