"""Words that can be clicked together into a sentence that a small model understands."""

import random
from dataclasses import dataclass

from app.model_card import ModelCard
from lavie.data.world import MOTIONS, PLACES, SUBJECTS, compose_caption

_NUM_EXAMPLES = 4

Choice = tuple[str, str]
"""What is shown, and the world's word for it."""


@dataclass(frozen=True)
class Words:
    """The words of the procedural world that a model was taught; none of the lists is empty."""

    subjects: list[Choice]
    motions: list[Choice]
    places: list[Choice]

    def complete(
        self, subject: str | None, motion: str | None, place: str | None
    ) -> tuple[str, str, str]:
        """Fill in what was not clicked yet, by chance, so that there is always a full sentence."""
        return (
            subject or random.choice(self.subjects)[1],
            motion or random.choice(self.motions)[1],
            place or random.choice(self.places)[1],
        )

    def examples(self) -> list[str]:
        """A few sentences that show different words."""
        lists = self.subjects, self.motions, self.places
        return [
            compose(*(choices[i % len(choices)][1] for choices in lists))
            for i in range(_NUM_EXAMPLES)
        ]


def compose(subject: str, motion: str, place: str) -> str:
    """The sentence for three words of the world."""
    return compose_caption(subject, place, motion)


def words_of(card: ModelCard) -> Words | None:
    """The words to offer for a model; None if it speaks open language, or another small one."""
    if card.vocabulary is None:
        return None
    subjects = [(f"{word.emoji} {name}", name) for name, word in SUBJECTS.items()]
    words = Words(
        subjects=[choice for choice in subjects if not card.unknown_words(choice[1])],
        motions=_known_phrases(card, MOTIONS),
        places=_known_phrases(card, PLACES),
    )
    return words if words.subjects and words.motions and words.places else None


def _known_phrases(card: ModelCard, table: dict[str, tuple[str, ...]]) -> list[Choice]:
    canonical = [(phrases[0], name) for name, phrases in table.items()]
    return [choice for choice in canonical if not card.unknown_words(choice[0])]
