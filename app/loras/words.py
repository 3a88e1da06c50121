"""Words for what was taught: a trigger word that nothing else answers to, a sentence to begin."""

import re
import unicodedata
from typing import TYPE_CHECKING

from app.loras.check import language_of
from app.model_card import ModelCard

if TYPE_CHECKING:
    from lora.registry import Entry

_LENGTH = 6
_FILLING = "zqxz"


def suggest_token(name: str) -> str:
    """A rare word that still looks like a name: its letters without most vowels.

    Args:
        name: What somebody calls it; empty gives an empty word.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    letters = re.sub("[^a-z]", "", plain)
    if not letters:
        return ""
    rare = letters[0] + re.sub("[aeiou]", "", letters[1:])
    return (rare + _FILLING)[:_LENGTH]


def first_prompt(card: ModelCard, entry: "Entry") -> str:
    """A sentence that shows what was taught, said as it was learnt; none without a trigger word.

    Args:
        card: Of the model, which may know few words.
        entry: What was taught.
    """
    if not entry.token:
        return ""
    kind = "style" if entry.kind == "style" else "thing"  # others' files say anything
    return language_of(card, entry.token, entry.class_word, kind).sample_prompts()[0]
