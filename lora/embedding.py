"""An embedding of its own for a word that a model has none for."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
# (the libraries say little of their types)

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextModel, CLIPTokenizer

from lavie.data.sources import derive_generator
from lavie.data.world import STYLES, SUBJECTS
from lora.words import WORD_END, knows, world_words


def initial_vector(
    tokenizer: CLIPTokenizer,
    table: Tensor,
    class_word: str,
    is_style: bool,
    generator: torch.Generator,
) -> Tensor:
    """What a trigger word means before anything is learnt, ``(1, D)``.

    The meaning of the class word where the model knows it; else a point drawn as far from the mean
    of all subjects of the world, or of all styles, as these are, on a way that leads to none of
    them; else drawn around the mean of all whole words. A subject that is nearer than others would
    become the new thing; the mean itself is near all of them.

    Args:
        tokenizer: The model's.
        table: Its embeddings, ``(V, D)``.
        class_word: What the new thing is; may be empty.
        is_style: Whether it is a style.
        generator: Of what is drawn.
    """
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    if class_word and knows(tokenizer, class_word):
        return table[[vocabulary[class_word + WORD_END]]].clone()
    world = {word for phrase in STYLES.values() for word in phrase[0].split()} - {"in", "and"}
    kin = [word for word in (world if is_style else SUBJECTS) if knows(tokenizer, word)]
    if not world_words(tokenizer) or not kin:
        kin = [token.removesuffix(WORD_END) for token in vocabulary if token.endswith(WORD_END)]
    vectors = table[[vocabulary[word + WORD_END] for word in sorted(kin)]].float()
    away = vectors - vectors.mean(0)
    noise = torch.randn(1, table.shape[1], generator=generator).to(vectors)
    if len(kin) < table.shape[1]:  # else there is no way that leads away from all of them
        noise -= noise @ torch.linalg.pinv(away) @ away
    return vectors.mean(0) + functional.normalize(noise) * away.norm(dim=1).mean()


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
    word: str,
    class_word: str,
    is_style: bool,
    tokenizer: CLIPTokenizer,
    encoder: CLIPTextModel,
    seed: int = 0,
) -> LearnedWords:
    """Make a word one token of a model, with an embedding that learns.

    Args:
        word: The trigger word.
        class_word: See `initial_vector`, as for the next.
        is_style: Whether it is a style.
        tokenizer: Gets the word.
        encoder: Gets the embedding.
        seed: Decides where it begins, each word elsewhere.
    """
    known = cast(nn.Embedding, encoder.get_input_embeddings())
    start = initial_vector(
        tokenizer, known.weight.detach(), class_word, is_style, derive_generator(seed, "word", word)
    )
    tokenizer.add_tokens([word])
    learned = LearnedWords(known, start)
    encoder.set_input_embeddings(learned)
    return learned
