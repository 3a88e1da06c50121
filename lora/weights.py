"""A LoRA in memory: what it adds to which layers, in the networks' own names."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
# (the libraries say little of their types)

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from lora.keys import Network


@dataclass(frozen=True, eq=False)
class LoraLayer:
    """What is added to one linear layer or convolution: ``alpha / rank * up @ down``.

    Args:
        down: ``(r, D_in)``, or ``(r, C_in, k, k)`` of a convolution.
        up: ``(D_out, r)``, or ``(C_out, r, 1, 1)``.
        alpha: See above; the rank makes the factor 1.

    Source: Hu et al. (arXiv:2106.09685), Eq. 3.
    """

    down: Tensor
    up: Tensor
    alpha: float

    @property
    def rank(self) -> int:
        """R."""
        return self.down.shape[0]

    @property
    def scale(self) -> float:
        """The factor of the product."""
        return self.alpha / self.rank

    def product(self) -> Tensor:
        """What merging adds to the weight of the layer, of its shape, float32."""
        up, down = self.up.float(), self.down.float()
        product = up.flatten(1) @ down.flatten(1)
        return self.scale * product.reshape(len(up), *down.shape[1:])


@dataclass(frozen=True, eq=False)
class Lora:
    """A LoRA of one model.

    Args:
        layers: By network, by name of the module.
        embeddings: What words new to the text encoder mean, ``(n, D)`` for each: a trigger word
            that its vocabulary had no place for.
        metadata: As in the file: text by name, such as ``modelspec.title``.
    """

    layers: Mapping[Network, Mapping[str, LoraLayer]]
    embeddings: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def ranks(self) -> tuple[int, ...]:
        """All ranks in use, rising."""
        layers = [layer for of_one in self.layers.values() for layer in of_one.values()]
        return tuple(sorted({layer.rank for layer in layers}))

    def to(self, dtype: torch.dtype) -> "Lora":
        """The same in another precision."""
        layers = {
            network: {
                name: replace(layer, down=layer.down.to(dtype), up=layer.up.to(dtype))
                for name, layer in of_one.items()
            }
            for network, of_one in self.layers.items()
        }
        embeddings = {word: vectors.to(dtype) for word, vectors in self.embeddings.items()}
        return replace(self, layers=layers, embeddings=embeddings)


def adaptable_layers(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Shapes of the weights that a LoRA can change, by name of their layer.

    Args:
        network: Any; where LoRAs are on a layer, the layer itself counts.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for name, module in cast(Iterable[tuple[str, Any]], network.named_modules()):
        is_part_of_lora = ".base_layer" in name or ".lora_" in name
        layer: Any = getattr(module, "base_layer", module)
        if isinstance(layer, nn.Linear | nn.Conv2d) and not is_part_of_lora:
            weight: Tensor = layer.weight
            shapes[name] = tuple(weight.shape)
    return shapes


def nearest_layer(change: Tensor, rank: int) -> LoraLayer:
    """The LoRA of a rank that is nearest to a change of a layer's weight.

    Args:
        change: ``(D_out, D_in)``, or ``(C_out, C_in, k, k)`` of a convolution.
        rank: At most; a matrix of fewer rows or columns needs no more of it, and gets none.

    Source: Eckart and Young (1936): the first singular values, and nothing else.
    """
    up, values, down = torch.linalg.svd(change.flatten(1).float(), full_matrices=False)
    rank = min(rank, len(values))
    root = values[:rank].sqrt()
    ones = (1,) * (change.dim() - 2)
    return LoraLayer(
        (root[:, None] * down[:rank]).reshape(rank, *change.shape[1:]).contiguous(),
        (up[:, :rank] * root).reshape(-1, rank, *ones).contiguous(),
        float(rank),
    )


def shape_wanted(layer: LoraLayer) -> tuple[int, ...]:
    """Shape of the weight that a layer of a LoRA was made for."""
    return (layer.up.shape[0], *layer.down.shape[1:])
