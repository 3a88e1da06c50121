"""A small CLIP text encoder and its tokenizer, for languages of a few hundred words."""

from collections.abc import Iterable
from itertools import pairwise

from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
_WORD_END = "</w>"
_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789,.!?-'"


def make_tokenizer(words: Iterable[str], max_length: int) -> CLIPTokenizer:
    """A CLIP tokenizer that knows these words as whole tokens and spells out all others.

    The same words always get the same ids, in every process: the BPE trainer of the tokenizers
    library doesn't promise that, and two processes that read words differently train nonsense.

    Args:
        words: Lower-case words.
        max_length: Tokens of a text, its start and its end included.
    """
    merges = _merges(words)
    letters = [*_CHARACTERS, *(letter + _WORD_END for letter in _CHARACTERS)]
    tokens = [START, END, *letters, *map("".join, merges)]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=max_length)


def _merges(words: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs to join, in order, until each word is one token.

    A word's own pairs come after those of the words before it, so they cannot break those apart.
    """
    ranks: dict[tuple[str, str], int] = {}
    for word in sorted(set(words)):
        pieces = [*word[:-1], word[-1] + _WORD_END]
        while len(pieces) > 1:
            pairs = list(pairwise(pieces))
            pair = min(pairs, key=lambda pair: ranks.get(pair, len(ranks)))
            ranks.setdefault(pair, len(ranks))
            pieces = _join(pieces, pair)
    return list(ranks)


def _join(pieces: list[str], pair: tuple[str, str]) -> list[str]:
    """Pieces with every occurrence of a pair made one, from the left."""
    joined: list[str] = []
    for piece in pieces:
        if joined and (joined[-1], piece) == pair:
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


def make_text_encoder(
    tokenizer: CLIPTokenizer, width: int, num_layers: int, num_heads: int
) -> CLIPTextModel:
    """An untrained CLIP text encoder for a tokenizer.

    Args:
        tokenizer: Says the vocabulary and the length of texts.
        width: Width of its output, the U-Net's ``cross_attention_dim``.
        num_layers: Transformer layers.
        num_heads: Heads of each.
    """
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=4 * width,
        projection_dim=width,
        num_hidden_layers=num_layers,
        num_attention_heads=num_heads,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config)
