"""What the tensors of LoRA files are called: the parts of layers, and trigger words."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, cast

from lavie.errors import CheckpointError
from lora.limits import MAX_VECTORS, MAX_WORDS, WORD
from lora.refusals import one_line

Network = Literal["unet", "text_encoder"]
NETWORKS: tuple[Network, ...] = ("unet", "text_encoder")
Part = Literal["down", "up", "alpha"]

PEFT_PREFIX = "base_model.model."

_PREFIXES: tuple[tuple[str, Network | None], ...] = (
    ("lora_unet_", "unet"),
    ("lora_te1_", "text_encoder"),
    ("lora_te_", "text_encoder"),
    (f"{PEFT_PREFIX}unet.", "unet"),
    (f"{PEFT_PREFIX}text_encoder.", "text_encoder"),
    (PEFT_PREFIX, None),
    ("unet.", "unet"),
    ("text_encoder.", "text_encoder"),
    ("", None),
)
_PART = re.compile(
    r"(?P<layer>.+?)(?:[._](?:(?P<down>lora_A|lora_down|lora\.down|lora_linear_layer\.down)|"
    r"lora_B|lora_up|lora\.up|lora_linear_layer\.up)(?:\.default)?\.weight|\.(?P<alpha>alpha))"
)
_EMBEDDING = re.compile(r"bundle_emb\.(?P<word>.*)\.string_to_param\.\*", re.DOTALL)


class LayerKey(NamedTuple):
    """A key that stands for a part of a layer.

    Args:
        layer: As the file calls it.
        part: Which of its tensors.
    """

    layer: str
    part: Part


def layer_of(key: str) -> LayerKey | None:
    """The layer that a key belongs to; None if it is of something else."""
    match = _PART.fullmatch(key)
    if match is None:
        return None
    part = match["alpha"] or ("down" if match["down"] else "up")
    return LayerKey(match["layer"], cast(Part, part))


def split_prefix(layer: str) -> tuple[Network | None, str]:
    """The network that a layer is of, as far as its name says that, and the name without it."""
    prefix, network = next(each for each in _PREFIXES if layer.startswith(each[0]))
    return network, layer.removeprefix(prefix)


def word_of(key: str) -> str | None:
    """The trigger word that a key says the meaning of; None if it is of something else."""
    match = _EMBEDDING.fullmatch(key)
    return match and match["word"]


def key_of_word(word: str) -> str:
    """The key under which a file says the meaning of a trigger word."""
    return f"bundle_emb.{word}.string_to_param.*"


def tokens_of(word: str, num_vectors: int) -> list[str]:
    """The tokens that a trigger word takes up, as diffusers names those of several vectors."""
    return [word, *(f"{word}_{index}" for index in range(1, num_vectors))]


def tokens_needed(word: str, num_vectors: int) -> list[str]:
    """Those, and the next one: if another word had it, diffusers would take it for this one's."""
    return tokens_of(word, num_vectors + 1)


def find_words(name: str, shapes: Mapping[str, Sequence[int]]) -> list[str]:
    """The trigger words of a file, of which none stands in the way of another.

    Args:
        name: Of the file, for the sentence.
        shapes: Of its tensors, by key.

    Raises:
        CheckpointError: There are more words than a LoRA has; a word is none, is too
            long for a prompt, or takes up a token of another.
    """
    found = {word: shape for key, shape in shapes.items() if (word := word_of(key)) is not None}
    if len(found) > MAX_WORDS:
        raise CheckpointError(
            f"'{name}' has {len(found)} trigger words. A LoRA has at most {MAX_WORDS}; choose "
            "another file."
        )
    owners: dict[str, str] = {}
    for word, shape in found.items():
        if not WORD.fullmatch(word):
            raise CheckpointError(
                f"'{name}' has a trigger word '{one_line(word, 40)}'. A word has letters, digits, "
                "_ and - alone, and not too many; choose another file."
            )
        if len(shape) != 2 or not 0 < shape[0] <= MAX_VECTORS:
            raise CheckpointError(
                f"'{name}' has a trigger word of shape {one_line(str(list(shape)), 40)}. Words "
                f"have 1 to {MAX_VECTORS} vectors; choose another file."
            )
        for token in tokens_needed(word, shape[0]):
            if (other := owners.setdefault(token, word)) != word:
                raise CheckpointError(
                    f"'{name}' has trigger words '{other}' and '{word}', which both need the "
                    f"token '{token}'. Choose another file."
                )
    return list(found)
