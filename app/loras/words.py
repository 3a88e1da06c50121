"""Words for what was taught: a trigger word that nothing else answers to, a sentence to begin."""

import re
import unicodedata

from app.texts import loras as texts
from app.words import Words

_LENGTH = 6
_FILLING = "zqxz"
_OPEN_SCENES = {"style": "a sailing boat on a calm sea", "": "walking through a forest"}


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


def first_prompt(token: str, class_word: str, kind: str, words: Words | None) -> str:
    """A sentence that shows what was taught.

    Args:
        token: The trigger word.
        class_word: What it is; may be empty.
        kind: A style is not the one who acts.
        words: Of a small model, which knows no others.
    """
    if words is None:
        scene = _OPEN_SCENES.get(kind, _OPEN_SCENES[""])
        return texts.first_prompt(token, class_word, kind, scene)
    (move, _), (place, _) = words.motions[0], words.places[0]
    scene = f"{move} {place}"
    if kind == "style":
        scene = f"a {words.subjects[0][1]} {scene}"
    return texts.first_prompt(token, class_word, kind, scene)
