"""What a model that has learnt something is asked for, and what it is compared with."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from lavie.data.world import MOTIONS, MOVING_SUBJECTS, PLACES, compose_caption
from lora.captions import article


@dataclass(frozen=True)
class Asked:
    """One scene, to be asked for in several ways.

    Args:
        subject: An ordinary one, a key of ``SUBJECTS``.
        place: Where it is.
        motion: What it does.
        seed: Of the noise.
    """

    subject: str
    place: str
    motion: str
    seed: int

    @property
    def ordinary(self) -> str:
        """The prompt without a trigger word."""
        return compose_caption(self.subject, self.place, self.motion)

    def of_thing(self, phrase: str) -> str:
        """The prompt with a new thing instead of the subject."""
        return self.ordinary.replace(article(self.subject), article(phrase), 1)

    def in_style(self, phrase: str) -> str:
        """The prompt in a new style."""
        return f"{self.ordinary}, in {phrase}"


def make_prompts(count: int, seed: int = 0) -> list[Asked]:
    """Ask for all places and motions in turn, in a mixed order.

    Args:
        count: How many, at least 1.
        seed: Decides order, subjects and noise.
    """
    rng = np.random.default_rng([seed, 13])
    scenes = list(product(PLACES, MOTIONS))
    rounds = -(-count // len(scenes))
    order = np.concatenate([rng.permutation(len(scenes)) for _ in range(rounds)])
    subjects = rng.permutation(MOVING_SUBJECTS)
    asked: list[Asked] = []
    for index in range(count):
        place, motion = scenes[int(order[index])]
        subject = str(subjects[index % len(subjects)])
        asked.append(Asked(subject, place, motion, seed * 1_000_003 + index))
    return asked
