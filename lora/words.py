"""Trigger words: whether a word can be one, and what a model makes of it."""

from collections.abc import Container
from typing import Protocol

from lavie.data.world import caption_words
from lavie.errors import InputError
from lora.limits import MAX_TRIGGER_LENGTH, TRIGGER_WORD

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


def check_trigger(word: str, known: Container[str] = ()) -> None:
    """Raise unless a word can call something new.

    Args:
        word: The trigger word.
        known: Words that mean something; see `known_words`.

    Raises:
        InputError: It is no plain word, or means something already.
    """
    if not TRIGGER_WORD.fullmatch(word):
        raise InputError(
            f"'{word[:40]}' cannot be a trigger word. Use 2 to {MAX_TRIGGER_LENGTH} small letters "
            "and digits, beginning with a letter, such as zog.",
            "token",
        )
    if word in known:
        raise InputError(
            f"The word '{word}' already means something to the model. Make one up, such as zog.",
            "token",
        )


def known_words(tokenizer: Tokenizer) -> frozenset[str]:
    """The whole words of a model of the procedural world; none of others, whose words can be used.

    Those mean little alone, and are called together with what the new thing is.
    """
    if not world_words(tokenizer):
        return frozenset()
    tokens = tokenizer.get_vocab()
    return frozenset(token.removesuffix(WORD_END) for token in tokens if token.endswith(WORD_END))


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
