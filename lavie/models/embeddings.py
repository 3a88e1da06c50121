"""Embeddings that small networks trained from nothing may add; the published ones have none."""

import math

import torch
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from torch import Tensor, nn


class PositionEmbedding(nn.Module):
    """Tells every latent cell where in the picture it is.

    Fixed Fourier features of the normalised coordinates (y, x) go through a learned 1x1
    convolution, so any height and width is possible.

    Args:
        channels: Channels of the hidden states it is added to.
        num_frequencies: Octaves, from one half-wave across the picture up.
    """

    def __init__(self, channels: int, num_frequencies: int = 4) -> None:
        super().__init__()
        self.num_frequencies = num_frequencies
        self.proj = nn.Conv2d(4 * num_frequencies, channels, kernel_size=1, bias=False)

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Frames ``(B*F, C, h, w)`` plus the embedding of their places."""
        features = self.features(*hidden_states.shape[-2:], device=hidden_states.device)
        return hidden_states + self.proj(features.to(hidden_states.dtype))

    def features(self, height: int, width: int, device: torch.device) -> Tensor:
        """Sines and cosines ``(1, 4 * num_frequencies, h, w)`` of the cell centres."""
        octaves = math.pi * 2.0 ** torch.arange(self.num_frequencies, device=device)
        y, x = (
            torch.outer(octaves, (torch.arange(size, device=device) + 0.5) / size)
            for size in (height, width)
        )
        y, x = y[:, :, None].expand(-1, -1, width), x[:, None, :].expand(-1, height, -1)
        return torch.cat([y.sin(), y.cos(), x.sin(), x.cos()])[None]


class TextTimeEmbedding(nn.Module):
    """The whole prompt in one vector, for the residual blocks, which see no text otherwise.

    Args:
        text_dim: Width of the text embedding.
        time_embed_dim: Width of the time embedding it is added to.
    """

    def __init__(self, text_dim: int, time_embed_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(text_dim)
        self.mlp = TimestepEmbedding(text_dim, time_embed_dim)

    def forward(self, text: Tensor) -> Tensor:
        """Prompt tokens ``(B, S, L, D)`` to ``(B, S, time_embed_dim)``."""
        return self.mlp(self.norm(text.mean(dim=-2)))


class FrameEmbedding(nn.Module):
    """Tells every frame where in time it is, and what the prompt says about that moment.

    Attention with rotary positions knows distances in time but hardly the place: in pure noise all
    frames are exchangeable. This embedding breaks the tie. What a prompt says about a moment is the
    product of the two: "left" and "right" ask for opposite things at the same moment, and a product
    can say so from the first step of training on. It starts as a no-op.

    Args:
        num_features: Width of the sinusoid of the frame index.
        text_dim: Width of the text embedding.
        time_embed_dim: Width of the time embedding.
    """

    def __init__(self, num_features: int, text_dim: int, time_embed_dim: int) -> None:
        super().__init__()
        self.sinusoid = Timesteps(num_features, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.mlp = TimestepEmbedding(num_features, time_embed_dim)
        self.norm = nn.LayerNorm(time_embed_dim)
        self.text_norm = nn.LayerNorm(2 * text_dim)
        self.text_proj = nn.Linear(2 * text_dim, time_embed_dim)
        self.moment_mlp = TimestepEmbedding(time_embed_dim, time_embed_dim)
        nn.init.zeros_(self.moment_mlp.linear_2.weight)
        nn.init.zeros_(self.moment_mlp.linear_2.bias)

    def forward(self, frame_index: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """Embed places in time, alone and together with the video's prompt.

        Args:
            frame_index: ``(1 or B, F)``; may be fractional.
            text: Tokens of the video's prompt, ``(B, 1, L, D)``, or of each frame's,
                ``(B, F, L, D)``.

        Returns:
            The frame embedding ``(1 or B, F, time_embed_dim)``, and what to add to the time
            embedding, ``(B, F, time_embed_dim)``.
        """
        features = self.sinusoid(frame_index.flatten()).unflatten(0, frame_index.shape)
        frames = self.mlp(features.to(text.dtype))
        # The mean alone would thin one word out among all tokens; the maximum keeps it.
        pooled = self.text_norm(torch.cat([text.mean(dim=2), text.amax(dim=2)], dim=-1))
        moment = self.norm(frames) * (1 + self.text_proj(pooled))
        return frames, self.moment_mlp(moment)
