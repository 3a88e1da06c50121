"""Attention along time: each position in the image looks at itself in all frames of its video."""

import math

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from lavie.models.frame_windows import FrameWindows

ROTARY_WIDTH = 32
"""Components of each head that are rotated; the others pass through."""


class RotaryEmbedding(nn.Module):
    """Rotary position embedding of the first 32 components of each head.

    Components ``(2i, 2i+1)`` form a pair that turns by ``p * 10000**(-2i/32)`` at frame p. The
    frequencies are constants that happen to have a name in the published checkpoints. They are
    computed anew in float32: a copy cast to half precision would blur the angles by up to 4e-3
    within 16 frames.

    Source: RoFormer (arXiv:2104.09864), interleaved pairs as in the released LaVie weights.
    """

    freqs: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("freqs", self.frequencies())
        self.register_load_state_dict_pre_hook(_check_frequencies)

    @staticmethod
    def frequencies(device: torch.device | None = None) -> Tensor:
        """Radians per frame of the 16 pairs, float32."""
        exponents = torch.arange(0, ROTARY_WIDTH, 2, device=device).float() / ROTARY_WIDTH
        return 1.0 / 10000**exponents

    def rotations(self, frame_index: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Cosines and signed sines ``(..., F, 32)`` for frames ``(..., F)``."""
        precise = torch.promote_types(dtype, torch.float32)
        frequencies = self.frequencies(frame_index.device).to(precise)
        angle = frame_index[..., None].to(precise) * frequencies
        cos, sin = angle.cos().to(dtype), angle.sin().to(dtype)
        return cos.repeat_interleave(2, -1), torch.stack([-sin, sin], -1).flatten(-2)

    def forward(self, heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Rotate queries or keys ``(..., F, d)`` by what `rotations` gave."""
        turned, rest = heads.tensor_split([ROTARY_WIDTH], dim=-1)
        swapped = turned.unflatten(-1, (-1, 2)).flip(-1).flatten(-2)
        turned = turned * cos + swapped * sin
        return torch.cat([turned, rest], dim=-1) if rest.shape[-1] else turned


def _check_frequencies(  # the signature of PyTorch's hook
    module: nn.Module,
    state_dict: dict[str, Tensor],
    prefix: str,
    _metadata: dict[str, object],
    _strict: bool,
    _missing: list[str],
    _unexpected: list[str],
    error_messages: list[str],
) -> None:
    freqs = state_dict.get(f"{prefix}freqs")
    if freqs is None or freqs.is_meta or freqs.shape != (ROTARY_WIDTH // 2,):
        return
    if not torch.allclose(freqs.float(), RotaryEmbedding.frequencies(freqs.device), rtol=1e-3):
        error_messages.append(f"{prefix}freqs holds other rotary frequencies than LaVie's.")


class RelativePositionBias(nn.Module):
    """A learned number per head and distance in time, added to the attention scores.

    Distances up to 7 frames have a bucket each, longer ones share buckets whose widths grow
    logarithmically up to 32 frames; past and future have separate halves of the table.

    Source: T5 (arXiv:1910.10683), with the sizes of the released LaVie weights.
    """

    num_buckets = 32
    max_distance = 32

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.relative_attention_bias = nn.Embedding(self.num_buckets, heads)

    @classmethod
    def buckets(cls, frame_index: Tensor) -> Tensor:
        """Bucket ``(..., F, F)`` of each pair (query frame, key frame) of ``(..., F)`` frames."""
        half, exact = cls.num_buckets // 2, cls.num_buckets // 4
        difference = frame_index[..., :, None] - frame_index[..., None, :]
        distance = difference.abs()
        growth = torch.log(distance.clamp(min=1).float() / exact) / math.log(
            cls.max_distance / exact
        )
        far = (exact + (growth * (half - exact)).long()).clamp(max=half - 1)
        return torch.where(distance < exact, distance, far) + half * (difference < 0)

    def forward(self, frame_index: Tensor) -> Tensor:
        """Bias ``(..., heads, F, F)`` for frames ``(..., F)``."""
        bias = self.relative_attention_bias(self.buckets(frame_index))
        return rearrange(bias, "... query key head -> ... head query key")


class TemporalAttention(nn.Module):
    """Bidirectional self-attention over the frames of a video, position by position.

    Starts as a no-op: the output projection is zero, so a fresh video model is its image model.
    It always runs on PyTorch's fused attention, with the position bias as its mask; a backend
    chosen with ``set_attention_backend`` concerns the other attentions.

    Args:
        width: Channels C.
        heads: Number of heads.
        frame_embed_dim: Width of a learned frame embedding that is added to the input, or None.
        knows_positions: Whether rotary positions and a position bias tell the frames apart; heads
            may then not be narrower than 32.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        frame_embed_dim: int | None = None,
        knows_positions: bool = True,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(width, width, bias=False)
        self.to_v = nn.Linear(width, width, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])
        self.time_rel_pos_bias = RelativePositionBias(heads) if knows_positions else None
        self.rotary_emb = RotaryEmbedding() if knows_positions else None
        self.frame_proj = nn.Linear(frame_embed_dim, width) if frame_embed_dim else None
        for parameter in self.to_out.parameters():
            nn.init.zeros_(parameter)

    def forward(
        self,
        hidden_states: Tensor,
        frame_index: Tensor,
        frame_embed: Tensor | None = None,
        windows: FrameWindows | None = None,
    ) -> Tensor:
        """Let the frames of each video look at each other.

        Args:
            hidden_states: Tokens ``(B, F, N, C)``.
            frame_index: Places in time, ``(1, F)`` for all videos alike or ``(B, F)``.
            frame_embed: ``(1 or B, F, D)`` if the module was made with ``frame_embed_dim``.
            windows: Parts of a video of at least their length, in which frames look at each
                other; None: all at all. Positions are relative, so each window is like the first.

        Returns:
            ``(B, F, N, C)``, to be added to the input.
        """
        batch, _, num_tokens, _ = hidden_states.shape
        if self.frame_proj is not None and frame_embed is not None:
            hidden_states = hidden_states + self.frame_proj(frame_embed)[:, :, None]
        hidden_states = rearrange(hidden_states, "b f n c -> (b n) f c")
        query, key, value = (
            rearrange(project(hidden_states), "bn f (head d) -> bn head f d", head=self.heads)
            for project in (self.to_q, self.to_k, self.to_v)
        )
        bias = None
        if self.time_rel_pos_bias is not None and self.rotary_emb is not None:
            bias = self.time_rel_pos_bias(frame_index).to(query.dtype)  # (1 or B, heads, F, F)
            cos, sin = (x[:, None] for x in self.rotary_emb.rotations(frame_index, query.dtype))
            if len(frame_index) > 1:  # every video has its own places in time
                bias, cos, sin = (x.repeat_interleave(num_tokens, 0) for x in (bias, cos, sin))
            query, key = self.rotary_emb(query, cos, sin), self.rotary_emb(key, cos, sin)

        def attend(frames: slice) -> Tensor:
            parts = (x[..., frames, :] for x in (query, key, value))
            mask = None if bias is None else bias[..., frames, frames]
            return functional.scaled_dot_product_attention(*parts, attn_mask=mask)

        attended = attend(slice(None)) if windows is None else windows.merge(attend, value)
        attended = self.to_out[0](rearrange(attended, "bn head f d -> bn f (head d)"))
        return rearrange(attended, "(b n) f c -> b f n c", b=batch)
