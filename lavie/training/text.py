"""A small CLIP text encoder and its tokenizer, for languages of a few hundred words."""

import json
from collections.abc import Iterable

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789,.!?-'"


def make_tokenizer(words: Iterable[str], max_length: int) -> CLIPTokenizer:
    """A CLIP tokenizer that knows these words as whole tokens and spells out all others.

    Args:
        words: Lower-case words.
        max_length: Tokens of a text, its start and its end included.
    """
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    bpe.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=100_000,  # never reached: training ends when every word is one token
        special_tokens=[START, END],
        end_of_word_suffix="</w>",
        initial_alphabet=list(_CHARACTERS),
        show_progress=False,
    )
    bpe.train_from_iterator([*sorted(words), " ".join(_CHARACTERS)], trainer)
    merges = [tuple(pair) for pair in json.loads(bpe.to_str())["model"]["merges"]]
    return CLIPTokenizer(vocab=bpe.get_vocab(), merges=merges, model_max_length=max_length)


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
