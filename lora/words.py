"""Trigger words: whether a word can be one, and what a model makes of it."""

from typing import Protocol

from lavie.data.world import caption_words
from lavie.errors import InputError
from lora.limits import TRIGGER_WORD

WORD_END = "</w>"


class Tokenizer(Protocol):
    """What is asked of a CLIP tokenizer."""

    def __len__(self) -> int:
        """Number of its tokens."""
        ...

    def get_vocab(self) -> dict[str, int]:
        """Tokens and their numbers."""
        ...

    def tokenize(self, text: str, /) -> list[str]:
        """The tokens of a text."""
        ...


def check_trigger(word: str, tokenizer: Tokenizer) -> None:
    """Raise unless a word can call something new.

    Args:
        word: The trigger word.
        tokenizer: The model's.

    Raises:
        InputError: It is no plain word, or a small model means something by it.
    """
    if not TRIGGER_WORD.fullmatch(word):
        raise InputError(
            f"'{word[:40]}' can't be a trigger word. Use 2 to 32 small letters and digits, "
            "beginning with a letter, such as zog.",
            "token",
        )
    if world_words(tokenizer) and knows(tokenizer, word):
        raise InputError(
            f"The word '{word}' already means something to the model. Make one up, such as zog.",
            "token",
        )


def knows(tokenizer: Tokenizer, word: str) -> bool:
    """Whether a word is one token of a model."""
    return word + WORD_END in tokenizer.get_vocab()


def spells(tokenizer: Tokenizer, word: str) -> bool:
    """Whether a model knows a word only as spelled letters."""
    pieces = tokenizer.tokenize(word)
    return all(len(piece.removesuffix(WORD_END)) == 1 for piece in pieces)


def world_words(tokenizer: Tokenizer) -> list[str]:
    """The words that a model of the procedural world knows; none for other models.

    Other models know these words among ten thousands of others, so the number tells them apart.
    """
    words = sorted(word for word in caption_words() if word.isalpha())
    is_small = len(tokenizer) < 10 * len(words)
    return [word for word in words if is_small and knows(tokenizer, word)]
