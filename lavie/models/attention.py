"""The transformer blocks: attention in space, to the text and in time, and a feed-forward."""

from collections.abc import Callable
from functools import partial

import torch
from diffusers.models.attention import AttentionModuleMixin, FeedForward
from diffusers.models.attention_dispatch import AttentionBackendName, dispatch_attention_fn
from einops import rearrange
from torch import Tensor, nn

from lavie.models.condition import Condition, apply_in_time, spread_over_frames
from lavie.models.local_attention import attend_nearby
from lavie.models.temporal_attention import TemporalAttention
from lavie.models.temporal_convolution import TemporalResnetBlock, apply_to_video


class FrameAttnProcessor:
    """How `FrameAttention` attends: with the backend chosen by ``set_attention_backend``."""

    _attention_backend: AttentionBackendName | None = None
    _parallel_config = None

    def __call__(
        self,
        attn: "FrameAttention",
        hidden_states: Tensor,
        text: Tensor | None = None,
        height: int = 0,
        text_index: Tensor | None = None,
    ) -> Tensor:
        """Attend within frames, or to their text; see `FrameAttention.forward`."""
        batch, num_frames, num_tokens, _ = hidden_states.shape
        context = hidden_states if text is None else text
        query, key, value = attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context)
        rows = batch  # all frames of a video share its text: one long row of queries
        if text is None or text.shape[1] > 1:
            rows = batch * num_frames
            key, value = (attn.frame_context(x, num_frames, text_index) for x in (key, value))
        query, key, value = (
            x.reshape(rows, -1, attn.heads, x.shape[-1] // attn.heads) for x in (query, key, value)
        )
        attend = partial(dispatch_attention_fn, backend=self._attention_backend)
        side = attn.side
        if height and side is not None and num_tokens > (2 * side) ** 2:
            attended = attend_nearby(attend, query, key, value, height, side)
        else:
            attended = attend(query, key, value)
        return attn.to_out[0](attended.reshape(batch, num_frames, num_tokens, -1))


class FrameAttention(nn.Module, AttentionModuleMixin):
    """Attention of each frame's tokens to each other, or to the text of the frame.

    Keys and values are made once per token: of a text once per prompt, not per frame.

    Args:
        width: Channels C.
        heads: Number of heads.
        text_dim: Width of the text it attends to; None for attention within each frame.

    Attributes:
        side: Where given, attention is near by in frames of more than four times the area of a
            square of so many cells; see `attend_nearby`.
    """

    side: int | None = None

    _supports_qkv_fusion = False
    processor: Callable[..., Tensor]

    def __init__(self, width: int, heads: int, text_dim: int | None = None) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(text_dim or width, width, bias=False)
        self.to_v = nn.Linear(text_dim or width, width, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])
        self.processor = FrameAttnProcessor()

    def forward(
        self,
        hidden_states: Tensor,
        text: Tensor | None = None,
        height: int = 0,
        text_index: Tensor | None = None,
    ) -> Tensor:
        """Attend.

        Args:
            hidden_states: Tokens ``(B, F, N, C)``.
            text: ``(B, S, L, D)``, see `spread_over_frames`; None for attention within each frame.
            height: Rows of the N tokens, for attention within frames.
            text_index: Which of the texts each frame hears, see `Condition`.

        Returns:
            ``(B, F, N, C)``, to be added to the input.
        """
        return self.processor(self, hidden_states, text, height=height, text_index=text_index)

    def frame_context(
        self, context: Tensor, num_frames: int, text_index: Tensor | None = None
    ) -> Tensor:
        """Choose what each frame sees of the keys or values ``(B, F or S, N, C)``."""
        return spread_over_frames(context, num_frames, text_index)


class SparseCausalAttention(FrameAttention):
    """Attention of each frame's tokens to those of the first frame and of the one before.

    A frame does not see itself, except the first, which sees nothing else.

    Source: Tune-A-Video (arXiv:2212.11565), as in the released interpolation weights.
    """

    def frame_context(
        self, context: Tensor, num_frames: int, text_index: Tensor | None = None
    ) -> Tensor:
        """``(B, F, N, C)`` of all frames to the ``(B, F, 2N, C)`` that each of them sees."""
        first = context[:, :1]
        before = torch.cat([first, context[:, :-1]], dim=1)
        return torch.cat([first.expand_as(before), before], dim=2)


class TransformerBlock(nn.Module):
    """What the blocks of all three networks share; every part is pre-normalised and residual.

    Args:
        width: Channels C.
        heads: Number of attention heads.
        cross_attention_dim: Width of the text embedding.
        attn1: The first attention, in space.
    """

    def __init__(
        self, width: int, heads: int, cross_attention_dim: int, attn1: FrameAttention
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn1 = attn1
        self.norm2 = nn.LayerNorm(width)
        self.attn2 = FrameAttention(width, heads, cross_attention_dim)
        self.norm3 = nn.LayerNorm(width)
        self.ff = FeedForward(width, activation_fn="geglu")


class SpatioTemporalBlock(TransformerBlock):
    """The base network's block: in space, to the text, in time, feed-forward.

    Args:
        width: Channels C.
        heads: Number of attention heads.
        cross_attention_dim: Width of the text embedding.
        frame_embed_dim: Width of a learned frame embedding for the temporal attention, or None.
    """

    def __init__(
        self, width: int, heads: int, cross_attention_dim: int, frame_embed_dim: int | None = None
    ) -> None:
        super().__init__(width, heads, cross_attention_dim, FrameAttention(width, heads))
        self.norm_temp = nn.LayerNorm(width)
        self.attn_temp = TemporalAttention(width, heads, frame_embed_dim)

    def forward(self, hidden_states: Tensor, condition: Condition) -> Tensor:
        """Tokens ``(B, F, N, C)`` to tokens of the same shape."""
        hidden_states = hidden_states + self.attn1(self.norm1(hidden_states))
        hidden_states = attend_to_text(hidden_states, condition, self.norm2, self.attn2)
        hidden_states = attend_in_time(hidden_states, condition, self.norm_temp, self.attn_temp)
        return hidden_states + self.ff(self.norm3(hidden_states))


class InterpolationBlock(TransformerBlock):
    """The interpolation network's block: temporal attention, without positions, comes last.

    Args:
        width: Channels C.
        heads: Number of attention heads.
        cross_attention_dim: Width of the text embedding.
        frame_embed_dim: Width of a learned frame embedding for the temporal attention, or None.
    """

    def __init__(
        self, width: int, heads: int, cross_attention_dim: int, frame_embed_dim: int | None = None
    ) -> None:
        super().__init__(width, heads, cross_attention_dim, SparseCausalAttention(width, heads))
        self.norm_temp = nn.LayerNorm(width)
        self.attn_temp = TemporalAttention(width, heads, frame_embed_dim, knows_positions=False)

    def forward(self, hidden_states: Tensor, condition: Condition) -> Tensor:
        """Tokens ``(B, F, N, C)`` to tokens of the same shape."""
        hidden_states = hidden_states + self.attn1(
            self.norm1(hidden_states), height=condition.height
        )
        hidden_states = attend_to_text(hidden_states, condition, self.norm2, self.attn2)
        hidden_states = hidden_states + self.ff(self.norm3(hidden_states))
        return attend_in_time(hidden_states, condition, self.norm_temp, self.attn_temp)


class SuperResolutionBlock(TransformerBlock):
    """The super-resolution network's block: in space or to the text, to the text, in time, ff.

    Args:
        width: Channels C.
        heads: Number of attention heads.
        cross_attention_dim: Width of the text embedding.
        only_cross_attention: Attend to the text in place of space, twice in a row with the second.
    """

    def __init__(
        self, width: int, heads: int, cross_attention_dim: int, only_cross_attention: bool
    ) -> None:
        text_dim = cross_attention_dim if only_cross_attention else None
        attn1 = FrameAttention(width, heads, text_dim)
        super().__init__(width, heads, cross_attention_dim, attn1)
        self.only_cross_attention = only_cross_attention
        self.norm_temporal = nn.LayerNorm(width)
        self.attn_temporal = TemporalAttention(width, heads)

    def forward(self, hidden_states: Tensor, condition: Condition) -> Tensor:
        """Tokens ``(B, F, N, C)`` to tokens of the same shape."""
        if self.only_cross_attention:
            hidden_states = attend_to_text(hidden_states, condition, self.norm1, self.attn1)
        else:
            hidden_states = hidden_states + self.attn1(self.norm1(hidden_states))
        hidden_states = attend_to_text(hidden_states, condition, self.norm2, self.attn2)
        hidden_states = attend_in_time(
            hidden_states, condition, self.norm_temporal, self.attn_temporal
        )
        return hidden_states + self.ff(self.norm3(hidden_states))


def attend_to_text(
    hidden_states: Tensor, condition: Condition, norm: nn.Module, attention: FrameAttention
) -> Tensor:
    """Add to ``(B, F, N, C)`` what each frame finds in its text."""
    found = attention(norm(hidden_states), condition.text, text_index=condition.text_index)
    return hidden_states + found


def attend_in_time(
    hidden_states: Tensor, condition: Condition, norm: nn.Module, attention: TemporalAttention
) -> Tensor:
    """Add temporal attention to the video frames of ``(B, F, N, C)``; images pass unchanged."""
    told = (condition.frame_index, condition.frame_embed, condition.frame_windows)
    return apply_in_time(
        lambda video: video + attention(norm(video), *told), hidden_states, condition
    )


class SpatioTemporalTransformer(nn.Module):
    """A transformer block between two 1x1 convolutions, on feature maps.

    Args:
        width: Channels C.
        norm_num_groups: Groups of the normalisation, whose statistics are per frame here.
        block: The block.
    """

    def __init__(self, width: int, norm_num_groups: int, block: TransformerBlock) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(norm_num_groups, width, eps=1e-6)
        self.proj_in = nn.Conv2d(width, width, kernel_size=1)
        self.transformer_blocks = nn.ModuleList([block])
        self.proj_out = nn.Conv2d(width, width, kernel_size=1)

    def forward(self, hidden_states: Tensor, condition: Condition) -> Tensor:
        """Frames ``(B*F, C, h, w)`` to frames of the same shape."""
        height = hidden_states.shape[-2]
        tokens = self.proj_in(self.norm(hidden_states))
        tokens = rearrange(tokens, "(b f) c h w -> b f (h w) c", f=condition.num_frames)
        condition = condition._replace(height=height)
        for block in self.transformer_blocks:
            tokens = block(tokens, condition)
        frames = rearrange(tokens, "b f (h w) c -> (b f) c h w", h=height)
        return hidden_states + self.proj_out(frames)


class SuperResolutionTransformer(nn.Module):
    """A temporal convolution, then a transformer block between two linear layers.

    Args:
        width: Channels C.
        norm_num_groups: Groups of the normalisation, whose statistics are per frame here.
        block: The block.
    """

    def __init__(self, width: int, norm_num_groups: int, block: TransformerBlock) -> None:
        super().__init__()
        self.resblock_temporal = TemporalResnetBlock(width, kernel_size=3)
        self.norm = nn.GroupNorm(norm_num_groups, width, eps=1e-6)
        self.proj_in = nn.Linear(width, width)
        self.transformer_blocks = nn.ModuleList([block])
        self.proj_out = nn.Linear(width, width)

    def forward(self, hidden_states: Tensor, condition: Condition) -> Tensor:
        """Frames ``(B*F, C, h, w)`` to frames of the same shape."""
        height = hidden_states.shape[-2]
        hidden_states = apply_to_video(self.resblock_temporal, hidden_states, condition)
        tokens = rearrange(
            self.norm(hidden_states), "(b f) c h w -> b f (h w) c", f=condition.num_frames
        )
        tokens = self.proj_in(tokens)
        for block in self.transformer_blocks:
            tokens = block(tokens, condition)
        frames = rearrange(self.proj_out(tokens), "b f (h w) c -> (b f) c h w", h=height)
        return hidden_states + frames
