"""Attention in space whose cost grows with the picture, not with its square."""

from collections.abc import Callable
from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor2_0
from torch import Tensor
from torch.nn import functional

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Query, key and value ``(B, N, heads, D)`` to ``(B, N, heads, D)``."""


def attend_nearby(
    attend: Attend, query: Tensor, key: Tensor, value: Tensor, height: int, block: int
) -> Tensor:
    """Let every block of cells attend to itself and to half a block around it.

    Args:
        attend: Attention of some cells to others.
        query: ``(B, N, heads, D)``, N cells of a picture row by row.
        key: The same of one or more pictures of that size, one behind the other.
        value: As ``key``.
        height: Rows of the picture.
        block: Side of a block, in cells, at least 1.

    Returns:
        ``(B, N, heads, D)``.
    """
    query = query.unflatten(1, (height, -1))
    key, value = (x.unflatten(1, (-1, height, query.shape[2])) for x in (key, value))
    attended = torch.empty_like(query)
    for top in range(0, height, block):
        rows = slice(max(top - block // 2, 0), top + block + block // 2)
        for left in range(0, query.shape[2], block):
            columns = slice(max(left - block // 2, 0), left + block + block // 2)
            near = (x[:, :, rows, columns].flatten(1, 3) for x in (key, value))
            part = query[:, top : top + block, left : left + block]
            result = attend(part.flatten(1, 2), *near)
            attended[:, top : top + block, left : left + block] = result.view_as(part)
    return attended.flatten(1, 2)


class NearbyAttnProcessor(AttnProcessor2_0):
    """The attention of an image autoencoder, near by where pictures are very large.

    Args:
        side: Cells along a side of the pictures that it was trained on. It attends to the whole
            picture up to 64 times their area, which the published models never reach.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def __call__(  # pyright: ignore[reportIncompatibleMethodOverride] - all that a VAE gives
        self,
        attn: Any,  # noqa: ANN401 - diffusers' Attention, whose parts all are "or None"
        hidden_states: Tensor,
        temb: Tensor | None = None,
        **nothing: None,
    ) -> Tensor:
        """Frames ``(B, C, h, w)`` to frames of the same shape, the input added."""
        height, width = hidden_states.shape[-2:]
        if height * width <= (8 * self.side) ** 2:
            return super().__call__(attn, hidden_states, temb=temb, **nothing)
        tokens = hidden_states.flatten(2).transpose(1, 2)  # (B, N, C)
        if attn.group_norm is not None:
            tokens = attn.group_norm(tokens.transpose(1, 2)).transpose(1, 2)
        query, key, value = (
            layer(tokens).unflatten(2, (attn.heads, -1))
            for layer in (attn.to_q, attn.to_k, attn.to_v)
        )
        tokens = attend_nearby(_attend, query, key, value, height, 2 * self.side).flatten(2)
        frames = attn.to_out[0](tokens).transpose(1, 2).unflatten(2, (height, width))
        if attn.residual_connection:
            frames = frames + hidden_states
        return frames / attn.rescale_output_factor


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    query, key, value = (x.transpose(1, 2) for x in (query, key, value))
    return functional.scaled_dot_product_attention(query, key, value).transpose(1, 2)
