"""Trigger words: what a model makes of them, and an embedding where it makes nothing of them."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
# (the libraries say little of their types)

import re
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextModel, CLIPTokenizer

from lavie.data.world import STYLES, SUBJECTS, caption_words
from lavie.errors import InputError

_WORD_END = "</w>"
_WORD = re.compile(r"[a-z][a-z0-9]{1,31}")


def check_trigger(word: str, tokenizer: CLIPTokenizer) -> None:
    """Raise unless a word can call something new.

    Args:
        word: The trigger word.
        tokenizer: The model's.

    Raises:
        InputError: It is no plain word, or a small model means something by it.
    """
    if not _WORD.fullmatch(word):
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


def knows(tokenizer: CLIPTokenizer, word: str) -> bool:
    """Whether a word is one token of a model."""
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    return word + _WORD_END in vocabulary


def spells(tokenizer: CLIPTokenizer, word: str) -> bool:
    """Whether a model knows a word only as spelled letters."""
    pieces: list[str] = tokenizer.tokenize(word)
    return all(len(piece.removesuffix(_WORD_END)) == 1 for piece in pieces)


def world_words(tokenizer: CLIPTokenizer) -> list[str]:
    """The words that a model of the procedural world knows; none for other models.

    Other models know these words among ten thousands of others, so the number tells them apart.
    """
    words = sorted(word for word in caption_words() if word.isalpha())
    is_small = len(tokenizer) < 10 * len(words)
    return [word for word in words if is_small and knows(tokenizer, word)]


def initial_vector(
    tokenizer: CLIPTokenizer, table: Tensor, class_word: str, is_style: bool
) -> Tensor:
    """What a trigger word means before anything is learnt, ``(1, D)``.

    The meaning of the class word where the model knows it; else the mean of all subjects, or
    styles, of the world; else the mean of all whole words.

    Args:
        tokenizer: The model's.
        table: Its embeddings, ``(V, D)``.
        class_word: What the new thing is; may be empty.
        is_style: Whether it is a style.
    """
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    if class_word and knows(tokenizer, class_word):
        return table[[vocabulary[class_word + _WORD_END]]].clone()
    world = {word for phrase in STYLES.values() for word in phrase[0].split()} - {"in", "and"}
    kin = [word for word in (world if is_style else SUBJECTS) if knows(tokenizer, word)]
    if not world_words(tokenizer) or not kin:
        kin = [token.removesuffix(_WORD_END) for token in vocabulary if token.endswith(_WORD_END)]
    rows = [vocabulary[word + _WORD_END] for word in sorted(kin)]
    return table[rows].mean(dim=0, keepdim=True)


class LearnedWords(nn.Module):
    """The embeddings of a text encoder, and behind them those of words that it learns.

    Args:
        known: What the text encoder has.
        vectors: ``(n, D)``, of the tokens after its own.
    """

    def __init__(self, known: nn.Embedding, vectors: Tensor) -> None:
        super().__init__()
        self.known = known
        self.vectors = nn.Parameter(vectors.float())

    @property
    def weight(self) -> Tensor:
        """All embeddings, ``(V + n, D)``."""
        return torch.cat([self.known.weight, self.vectors.to(self.known.weight)])

    def forward(self, ids: Tensor) -> Tensor:
        """Embeddings of tokens."""
        return functional.embedding(ids, self.weight)


def learn_word(
    word: str, class_word: str, is_style: bool, tokenizer: CLIPTokenizer, encoder: CLIPTextModel
) -> LearnedWords:
    """Make a word one token of a model, with an embedding that learns.

    Args:
        word: The trigger word.
        class_word: See `initial_vector`, as for the next.
        is_style: Whether it is a style.
        tokenizer: Gets the word.
        encoder: Gets the embedding.
    """
    known = cast(nn.Embedding, encoder.get_input_embeddings())
    start = initial_vector(tokenizer, known.weight.detach(), class_word, is_style)
    tokenizer.add_tokens([word])
    learned = LearnedWords(known, start)
    encoder.set_input_embeddings(learned)
    return learned
