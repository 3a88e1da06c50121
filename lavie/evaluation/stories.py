"""What a model is asked to film: stories of the world in two lines."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np

from lavie.data.world import MOTIONS, PLACES, SPLITS, Line, compose_caption, triples
from lavie.errors import InputError
from lavie.evaluation.spoiling import pick_word

Change = Literal["place", "motion", "both"]
CHANGES: tuple[Change, ...] = ("place", "motion", "both")


@dataclass(frozen=True)
class FilmStory:
    """A subject, what is told of it, and what is told of it next.

    Args:
        subject: It stays.
        first: The first line.
        second: The second, which says another place, motion, or both.
        change: Which of these.
        seed: Of the film's noise.
    """

    subject: str
    first: Line
    second: Line
    change: Change
    seed: int

    @property
    def prompts(self) -> tuple[str, str]:
        """Both lines in the wording that the page offers."""
        first, second = (
            compose_caption(self.subject, line.place, line.motion)
            for line in (self.first, self.second)
        )
        return first, second

    @property
    def new_words(self) -> dict[str, str]:
        """What the second line says anew, by attribute."""
        words = {"place": self.second.place, "motion": self.second.motion}
        return {name: words[name] for name in words if self.change in (name, "both")}


def make_stories(count: int, seed: int = 0) -> list[FilmStory]:
    """Begin with all that clips of the world may show in turn, in a mixed order.

    Args:
        count: How many, at least 1; the kinds of change take turns.
        seed: Decides order, second lines and noise.

    Raises:
        InputError: The count is too small.
    """
    if count < 1:
        raise InputError(f"{count} stories measure nothing. Use 1 or more.", "num_stories")
    rng = np.random.default_rng([seed, 5])
    words = [triple for split in SPLITS for triple in triples(split)]
    stories = []
    for index, (subject, place, motion) in enumerate(islice(_in_turn(words, rng), count)):
        change = CHANGES[index % len(CHANGES)]
        second = Line(
            place if change == "motion" else pick_word(rng, PLACES, but=place),
            motion if change == "place" else pick_word(rng, MOTIONS, but=motion),
        )
        own_seed = seed * 1_000_003 + index
        stories.append(FilmStory(subject, Line(place, motion), second, change, own_seed))
    return stories


def _in_turn(
    words: Sequence[tuple[str, str, str]], rng: np.random.Generator
) -> Iterator[tuple[str, str, str]]:
    """All in a mixed order, again and again; each order is drawn when it begins."""
    while True:
        for number in rng.permutation(len(words)):
            yield words[number]
