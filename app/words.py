"""Words that can be clicked together into a sentence that a small model understands."""

import random
import re
from dataclasses import dataclass

from app.model_card import ModelCard
from lavie.data.world import MOTIONS, PLACES, STYLES, SUBJECTS, compose_caption

_NUM_EXAMPLES = 4
_WORD = re.compile(r"\w+")
_WORDINGS = {name: (name,) for name in SUBJECTS} | MOTIONS | PLACES | STYLES

Choice = tuple[str, str]
"""What is shown, and the world's word for it."""


@dataclass(frozen=True)
class Words:
    """The words of the procedural world that a model was taught; none of the lists is empty.

    The first style is the plain one, which no sentence mentions.
    """

    subjects: list[Choice]
    motions: list[Choice]
    places: list[Choice]
    styles: list[Choice]

    def complete(
        self,
        subject: str | None = None,
        motion: str | None = None,
        place: str | None = None,
        style: str | None = None,
    ) -> tuple[str, str, str, str]:
        """Fill in what was not clicked yet, by chance, so that there is always a full sentence."""
        return (
            subject or random.choice(self.subjects)[1],
            motion or random.choice(self.motions)[1],
            place or random.choice(self.places)[1],
            style or self.styles[0][1],
        )

    def find(self, prompt: str) -> tuple[str | None, str | None, str | None, str]:
        """The subject, motion, place and style that a prompt names, in any of their wordings."""
        text = " ".join(["", *_WORD.findall(prompt.lower()), ""])
        lists = self.subjects, self.motions, self.places, self.styles[1:]
        subject, motion, place, style = (_first_named(choices, text) for choices in lists)
        return subject, motion, place, style or self.styles[0][1]

    def examples(self) -> list[str]:
        """A few sentences that show different words."""
        lists = self.subjects, self.motions, self.places
        return [
            compose(*(choices[i % len(choices)][1] for choices in lists))
            for i in range(_NUM_EXAMPLES)
        ]


def compose(subject: str, motion: str, place: str, style: str = "colour") -> str:
    """The sentence for these words of the world."""
    return compose_caption(subject, place, motion, style)


def words_of(card: ModelCard) -> Words | None:
    """The words to offer for a model; None if it speaks open language, or another small one."""
    if card.vocabulary is None:
        return None
    subjects = [(f"{word.emoji} {name}", name) for name, word in SUBJECTS.items()]
    words = Words(
        subjects=[choice for choice in subjects if not card.unknown_words(choice[1])],
        motions=_known_phrases(card, MOTIONS),
        places=_known_phrases(card, PLACES),
        styles=[(name, name) for _, name in _known_phrases(card, STYLES)],
    )
    return words if words.subjects and words.motions and words.places else None


def _known_phrases(card: ModelCard, table: dict[str, tuple[str, ...]]) -> list[Choice]:
    canonical = [(phrases[0], name) for name, phrases in table.items()]
    return [choice for choice in canonical if not card.unknown_words(choice[0])]


def _first_named(choices: list[Choice], text: str) -> str | None:
    """The first choice with a wording that is in a text of words between single spaces."""
    return next(
        (name for _, name in choices if any(f" {said} " in text for said in _WORDINGS[name])), None
    )
