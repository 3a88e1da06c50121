"""A sentence for those who do not know what to ask for."""

from functools import cache
from pathlib import Path
from random import Random

from app.model_card import ModelCard
from app.words import Words, compose

PROMPTS_FILE = Path(__file__).parents[1] / "assets" / "prompts" / "surprise.txt"

_MAX_WORDS = 3  # of a small model of whose language no more than the words is known


def surprise(card: ModelCard, words: Words | None, random: Random) -> str:
    """Think of a sentence that a model can show.

    Args:
        card: The model.
        words: What can be clicked together for it; None for open language.
        random: Decides.

    Returns:
        A sentence of its words; for a model of open language one of `PROMPTS_FILE`.
    """
    if words is not None:
        lists = words.subjects, words.motions, words.places, words.styles
        return compose(*(random.choice(choices)[1] for choices in lists))
    if card.vocabulary is not None:
        known = sorted(card.vocabulary)
        return " ".join(random.sample(known, min(_MAX_WORDS, len(known))))
    return random.choice(_prompts())


@cache
def _prompts() -> tuple[str, ...]:
    """The lines of the file; what begins with # is a comment."""
    lines = (line.strip() for line in PROMPTS_FILE.read_text(encoding="utf-8").splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))
