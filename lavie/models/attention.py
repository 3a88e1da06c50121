"""The spatio-temporal block: attention in space, to the text and in time, then a feed-forward."""

from collections.abc import Callable

import torch
from diffusers.models.attention import AttentionModuleMixin, FeedForward
from diffusers.models.attention_dispatch import AttentionBackendName, dispatch_attention_fn
from einops import rearrange
from torch import Tensor, nn

from lavie.models.condition import Condition, spread_over_frames
from lavie.models.temporal_attention import TemporalAttention


class FrameAttnProcessor:
    """How `FrameAttention` attends: with the backend chosen by ``set_attention_backend``."""

    _attention_backend: AttentionBackendName | None = None
    _parallel_config = None

    def __call__(
        self, attn: "FrameAttention", hidden_states: Tensor, text: Tensor | None = None
    ) -> Tensor:
        """Attend within frames, or to their text; see `FrameAttention.forward`."""
        batch, num_frames, num_tokens, _ = hidden_states.shape
        context = hidden_states if text is None else text
        query, key, value = attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context)
        rows = batch  # all frames of a video share its text: one long row of queries
        if text is None or text.shape[1] > 1:
            rows = batch * num_frames
            key, value = (spread_over_frames(x, num_frames) for x in (key, value))
        query, key, value = (
            x.reshape(rows, -1, attn.heads, x.shape[-1] // attn.heads) for x in (query, key, value)
        )
        attended = dispatch_attention_fn(query, key, value, backend=self._attention_backend)
        return attn.to_out[0](attended.reshape(batch, num_frames, num_tokens, -1))


class FrameAttention(nn.Module, AttentionModuleMixin):
    """Attention of each frame's tokens to each other, or to the text of the frame.

    Text keys and values are made once per prompt, not per frame.

    Args:
        width: Channels C.
        heads: Number of heads.
        text_dim: Width of the text it attends to; None for attention within each frame.
    """

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

    def forward(self, hidden_states: Tensor, text: Tensor | None = None) -> Tensor:
        """Attend.

        Args:
            hidden_states: Tokens ``(B, F, N, C)``.
            text: ``(B, S, L, D)``, see `spread_over_frames`; None for attention within each frame.

        Returns:
            ``(B, F, N, C)``, to be added to the input.
        """
        return self.processor(self, hidden_states, text)


class SpatioTemporalBlock(nn.Module):
    """One transformer block on video tokens, every part pre-normalised and residual.

    Args:
        width: Channels C.
        heads: Number of attention heads.
        cross_attention_dim: Width of the text embedding.
        frame_embed_dim: Width of a learned frame embedding for the temporal attention, or None.
    """

    def __init__(
        self, width: int, heads: int, cross_attention_dim: int, frame_embed_dim: int | None = None
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn1 = FrameAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.attn2 = FrameAttention(width, heads, cross_attention_dim)
        self.norm_temp = nn.LayerNorm(width)
        self.attn_temp = TemporalAttention(width, heads, frame_embed_dim)
        self.norm3 = nn.LayerNorm(width)
        self.ff = FeedForward(width, activation_fn="geglu")

    def forward(self, hidden_states: Tensor, condition: Condition) -> Tensor:
        """Tokens ``(B, F, N, C)`` to tokens of the same shape."""
        hidden_states = hidden_states + self.attn1(self.norm1(hidden_states))
        hidden_states = hidden_states + self.attn2(self.norm2(hidden_states), condition.text)
        hidden_states = self.attend_in_time(hidden_states, condition)
        return hidden_states + self.ff(self.norm3(hidden_states))

    def attend_in_time(self, hidden_states: Tensor, condition: Condition) -> Tensor:
        """Add temporal attention to the video frames; independent images pass unchanged."""
        num_video_frames = condition.num_frames - condition.num_images
        if num_video_frames == 0:
            return hidden_states
        video, images = hidden_states.tensor_split([num_video_frames], dim=1)
        video = video + self.attn_temp(
            self.norm_temp(video), condition.frame_index, condition.frame_embed
        )
        return torch.cat([video, images], dim=1) if condition.num_images else video


class SpatioTemporalTransformer(nn.Module):
    """A spatio-temporal block between two projections, on feature maps.

    Args:
        width: Channels C.
        heads: Number of attention heads.
        cross_attention_dim: Width of the text embedding.
        norm_num_groups: Groups of the normalisation, whose statistics are per frame here.
        frame_embed_dim: Width of a learned frame embedding for the temporal attention, or None.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        cross_attention_dim: int,
        norm_num_groups: int,
        frame_embed_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(norm_num_groups, width, eps=1e-6)
        self.proj_in = nn.Conv2d(width, width, kernel_size=1)
        block = SpatioTemporalBlock(width, heads, cross_attention_dim, frame_embed_dim)
        self.transformer_blocks = nn.ModuleList([block])
        self.proj_out = nn.Conv2d(width, width, kernel_size=1)

    def forward(self, hidden_states: Tensor, condition: Condition) -> Tensor:
        """Frames ``(B*F, C, h, w)`` to frames of the same shape."""
        height = hidden_states.shape[-2]
        tokens = self.proj_in(self.norm(hidden_states))
        tokens = rearrange(tokens, "(b f) c h w -> b f (h w) c", f=condition.num_frames)
        for block in self.transformer_blocks:
            tokens = block(tokens, condition)
        frames = rearrange(tokens, "b f (h w) c -> (b f) c h w", h=height)
        return hidden_states + self.proj_out(frames)
