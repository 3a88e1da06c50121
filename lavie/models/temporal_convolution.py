"""Convolutions along time, which only the super-resolution network has."""

from collections.abc import Callable

from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from lavie.models.condition import Condition, apply_in_time
from lavie.models.normalization import VideoGroupNorm

NUM_GROUPS = 32
"""Groups of every normalisation here, whatever the rest of the network has."""

EPS = 1e-6


class TemporalConv(nn.Conv3d):
    """A convolution over neighbouring frames of each pixel, with zeros before and after the clip.

    Args:
        channels: Channels C of the input and the output.
        kernel_size: Frames it sees, odd.
    """

    def __init__(self, channels: int, kernel_size: int) -> None:
        padding = (kernel_size // 2, 0, 0)
        super().__init__(channels, channels, (kernel_size, 1, 1), padding=padding)

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride] - it must know the frames
        self, hidden_states: Tensor, num_frames: int
    ) -> Tensor:
        """Frames ``(B*F, C, h, w)`` to the same shape; channels-last memory needs no copy."""
        height = hidden_states.shape[-2]
        tall = rearrange(hidden_states, "(b f) c h w -> b c f (h w)", f=num_frames)
        tall = functional.conv2d(
            tall, self.weight.squeeze(-1), self.bias, padding=(self.weight.shape[2] // 2, 0)
        )
        return rearrange(tall, "b c f (h w) -> (b f) c h w", h=height)


class TemporalResnetBlock(nn.Module):
    """Two convolutions along time with the time embedding between them, and a shortcut.

    Fresh, it changes nothing: the second convolution is zero.

    Args:
        channels: Channels C, a multiple of 32.
        kernel_size: Frames the first convolution sees; the second sees 3.
        time_embed_dim: Width of the time embedding, None to do without.
    """

    def __init__(self, channels: int, kernel_size: int, time_embed_dim: int | None = None) -> None:
        super().__init__()
        self.norm1 = VideoGroupNorm(NUM_GROUPS, channels, eps=EPS)
        self.conv1 = TemporalConv(channels, kernel_size)
        self.time_emb_proj = nn.Linear(time_embed_dim, channels) if time_embed_dim else None
        self.norm2 = VideoGroupNorm(NUM_GROUPS, channels, eps=EPS)
        self.conv2 = TemporalConv(channels, kernel_size=3)
        for parameter in self.conv2.parameters():
            nn.init.zeros_(parameter)

    def forward(self, hidden_states: Tensor, time_embed: Tensor, num_frames: int) -> Tensor:
        """Transform every pixel's course through time.

        Args:
            hidden_states: Frames ``(B*F, C, h, w)``.
            time_embed: ``(B, 1, D)`` or ``(B, F, D)``; unused without ``time_embed_dim``.
            num_frames: F.

        Returns:
            Frames ``(B*F, C, h, w)``.
        """
        shortcut = hidden_states
        hidden_states = functional.silu(self.norm1(hidden_states, num_frames))
        hidden_states = self.conv1(hidden_states, num_frames)
        if self.time_emb_proj is not None:
            time = self.time_emb_proj(functional.silu(time_embed))
            time = time.expand(-1, num_frames, -1).flatten(0, 1)
            hidden_states = hidden_states + time[:, :, None, None]
        hidden_states = functional.silu(self.norm2(hidden_states, num_frames))
        return shortcut + self.conv2(hidden_states, num_frames)


def apply_to_video(
    block: Callable[[Tensor, Tensor, int], Tensor], hidden_states: Tensor, condition: Condition
) -> Tensor:
    """Run a residual block on the video frames only; independent images pass unchanged.

    Args:
        block: Takes frames ``(B*F, C, h, w)``, the time embedding and F, as `ResnetBlock` does.
        hidden_states: Frames ``(B*F, C, h, w)``, images at the end of each F.
        condition: Says how many of the frames are images.

    Returns:
        Frames ``(B*F, C, h, w)``.
    """
    num_frames = condition.num_video_frames
    time_embed = condition.time_embed[:, :num_frames]
    return apply_in_time(
        lambda video: block(video.flatten(0, 1), time_embed, num_frames).unflatten(
            0, (-1, num_frames)
        ),
        hidden_states.unflatten(0, (-1, condition.num_frames)),
        condition,
    ).flatten(0, 1)
