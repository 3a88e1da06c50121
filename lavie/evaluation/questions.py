"""What a model is asked to show: captions of the world, with the answers."""

from dataclasses import dataclass

import numpy as np

from lavie.data.world import (
    MOTIONS,
    PLACES,
    STILL_ONLY_SUBJECTS,
    STYLES,
    SUBJECTS,
    compose_caption,
    triples,
)
from lavie.errors import InputError

CAPTION_SETS = ("seen", "held_out", "still_only", "stills")

_STYLE_EVERY = 8  # one question in so many asks for another style than the usual


@dataclass(frozen=True)
class Question:
    """One caption and what it asks for.

    Args:
        caption: The prompt.
        caption_set: Where its combination of words comes from.
        attributes: subject, place, style and, unless a still, motion.
        is_canonical: In the wording that the page offers, not in a varied one.
        seed: Of its noise.
    """

    caption: str
    caption_set: str
    attributes: dict[str, str]
    is_canonical: bool
    seed: int


def make_questions(caption_set: str, count: int, seed: int = 0) -> list[Question]:
    """Ask for all combinations of a set in turn, in a mixed order.

    Every second question is in canonical words; one in eight asks for another style.

    Args:
        caption_set: ``seen`` in training clips, ``held_out`` of them, ``still_only`` subjects set
            in motion, or ``stills``: every subject in every place, without a motion.
        count: How many, at least 1.
        seed: Decides order, wording and noise. The noise of question i is the same in all sets.

    Raises:
        InputError: The set is unknown or the count too small.
    """
    if caption_set not in CAPTION_SETS:
        known = ", ".join(CAPTION_SETS)
        raise InputError(f"Caption set '{caption_set}' is unknown. Use some of {known}.", "sets")
    if count < 1:
        raise InputError(f"{count} clips measure nothing. Use 1 or more.", "num_clips")
    rng = np.random.default_rng([seed, CAPTION_SETS.index(caption_set)])
    combinations = _combinations(caption_set)
    order = np.concatenate(
        [rng.permutation(len(combinations)) for _ in range(-(-count // len(combinations)))]
    )
    return [
        _ask(caption_set, combinations[order[i]], i, seed * 1_000_003 + i, rng)
        for i in range(count)
    ]


def _ask(
    caption_set: str,
    combination: tuple[str, str, str | None],
    index: int,
    seed: int,
    rng: np.random.Generator,
) -> Question:
    subject, place, motion = combination
    usual, *others = STYLES
    asks_style = index % _STYLE_EVERY == _STYLE_EVERY - 1
    style = others[index // _STYLE_EVERY % len(others)] if asks_style else usual
    attributes = {"subject": subject, "place": place, "style": style}
    if motion is not None:
        attributes["motion"] = motion
    canonical = compose_caption(subject, place, motion, style)
    wants_varied = (index // 2) % 2 == 1
    caption = _vary(canonical, attributes, rng) if wants_varied else canonical
    return Question(caption, caption_set, attributes, caption == canonical, seed)


def _vary(canonical: str, attributes: dict[str, str], rng: np.random.Generator) -> str:
    """Another wording than the canonical one; some combinations may take a few draws."""
    words = (attributes["subject"], attributes["place"], attributes.get("motion"))
    while True:
        caption = compose_caption(*words, attributes["style"], rng)
        if caption != canonical:
            return caption


def _combinations(caption_set: str) -> list[tuple[str, str, str | None]]:
    if caption_set == "stills":
        return [(subject, place, None) for subject in SUBJECTS for place in PLACES]
    if caption_set == "still_only":
        return [(s, p, m) for s in STILL_ONLY_SUBJECTS for p in PLACES for m in MOTIONS]
    return [*triples("train" if caption_set == "seen" else "test")]
