"""Residual blocks, samplers, and the down, middle and up blocks of the U-Net family."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from lavie.models.condition import Condition
from lavie.models.normalization import VideoGroupNorm
from lavie.models.temporal_convolution import EPS, NUM_GROUPS, TemporalResnetBlock

TimeScaleShift = Literal["default", "scale_shift"]


class ResnetBlock(nn.Module):
    """Two 3x3 convolutions per frame with the time embedding between them, and a shortcut.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        time_embed_dim: Width of the time embedding.
        groups: Groups of both normalisations.
        eps: Epsilon of both normalisations.
        time_scale_shift: "default" adds the time embedding; "scale_shift" lets it scale and shift
            the second normalisation.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        time_embed_dim: int,
        groups: int,
        eps: float = 1e-5,
        time_scale_shift: TimeScaleShift = "default",
    ) -> None:
        super().__init__()
        self.time_scale_shift = time_scale_shift
        time_channels = out_channels if time_scale_shift == "default" else 2 * out_channels
        self.norm1 = VideoGroupNorm(groups, in_channels, eps=eps)
        self.conv1 = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)
        self.time_emb_proj = nn.Linear(time_embed_dim, time_channels)
        self.norm2 = VideoGroupNorm(groups, out_channels, eps=eps)
        self.conv2 = nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1)
        self.conv_shortcut = (
            nn.Conv2d(in_channels, out_channels, kernel_size=1)
            if in_channels != out_channels
            else None
        )

    def forward(self, hidden_states: Tensor, time_embed: Tensor, num_frames: int) -> Tensor:
        """Transform every frame.

        Args:
            hidden_states: Frames ``(B*F, C, h, w)``.
            time_embed: ``(B, 1, D)`` or ``(B, F, D)``.
            num_frames: F.

        Returns:
            Frames ``(B*F, C_out, h, w)``.
        """
        shortcut = hidden_states
        hidden_states = self.conv1(functional.silu(self.norm1(hidden_states, num_frames)))
        time = self.time_emb_proj(functional.silu(time_embed))
        time = time.expand(-1, num_frames, -1).flatten(0, 1)[:, :, None, None]  # (B*F, C, 1, 1)
        if self.time_scale_shift == "default":
            hidden_states = self.norm2(hidden_states + time, num_frames)
        else:
            scale, shift = time.chunk(2, dim=1)
            hidden_states = self.norm2(hidden_states, num_frames) * (1 + scale) + shift
        hidden_states = self.conv2(functional.silu(hidden_states))
        if self.conv_shortcut is not None:
            shortcut = self.conv_shortcut(shortcut)
        return shortcut + hidden_states


class TemporalModule(nn.Module):
    """Residual blocks in time and in space behind one level; fresh, they change nothing.

    Args:
        channels: Channels C, a multiple of 32.
        time_embed_dim: Width of the time embedding.
    """

    def __init__(self, channels: int, time_embed_dim: int) -> None:
        super().__init__()
        self.resblocks_3d_t = TemporalResnetBlock(channels, 5, time_embed_dim)
        self.resblocks_3d_s = ResnetBlock(channels, channels, time_embed_dim, NUM_GROUPS, EPS)
        self.shift_conv = nn.Conv2d(channels, channels, kernel_size=1)
        for parameter in self.shift_conv.parameters():
            nn.init.zeros_(parameter)

    def forward(self, hidden_states: Tensor, time_embed: Tensor, num_frames: int) -> Tensor:
        """Frames ``(B*F, C, h, w)`` to the same shape; see `ResnetBlock.forward`."""
        moved = self.resblocks_3d_t(hidden_states, time_embed, num_frames)
        moved = self.resblocks_3d_s(moved, time_embed, num_frames)
        return hidden_states + self.shift_conv(moved)


class Downsample(nn.Module):
    """Halve height and width with a strided 3x3 convolution per frame."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel_size=3, stride=2, padding=1)

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Frames ``(B*F, C, h, w)`` to ``(B*F, C, ceil(h/2), ceil(w/2))``."""
        return self.conv(hidden_states)


class Upsample(nn.Module):
    """Enlarge by repeating the nearest pixel, then a 3x3 convolution per frame."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel_size=3, padding=1)

    def forward(self, hidden_states: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Frames ``(B*F, C, h, w)`` to twice the size, or to ``size`` (height, width) exactly."""
        scale = 2.0 if size is None else None
        hidden_states = functional.interpolate(hidden_states, size, scale, mode="nearest")
        return self.conv(hidden_states)


class Level(nn.Module):
    """Residual blocks, each followed by a transformer where the level has attention."""

    _gradient_checkpointing_func: Callable[..., Tensor]

    def __init__(self, resnets: list[ResnetBlock], attentions: list[nn.Module]) -> None:
        super().__init__()
        self.gradient_checkpointing = False
        self.resnets = nn.ModuleList(resnets)
        self.attentions = nn.ModuleList(attentions) if attentions else None

    def layer(self, index: int, hidden_states: Tensor, condition: Condition) -> Tensor:
        """Run residual block number ``index`` and its transformer, if there is one."""
        if torch.is_grad_enabled() and self.gradient_checkpointing:
            return self._gradient_checkpointing_func(self._layer, index, hidden_states, condition)
        hidden_states = self._layer(index, hidden_states, condition)
        if condition.on_layer is not None:
            condition.on_layer()
        return hidden_states

    def _layer(self, index: int, hidden_states: Tensor, condition: Condition) -> Tensor:
        resnet = self.resnets[index]
        hidden_states = resnet(hidden_states, condition.time_embed, condition.num_frames)
        if self.attentions is not None:
            hidden_states = self.attentions[index](hidden_states, condition)
        return hidden_states


class DownBlock(Level):
    """A level on the way down: its layers, then a downsampler unless it is the last."""

    def __init__(
        self,
        resnets: list[ResnetBlock],
        attentions: list[nn.Module],
        downsample: Downsample | None,
    ) -> None:
        super().__init__(resnets, attentions)
        self.downsamplers = nn.ModuleList([downsample]) if downsample else None

    def forward(self, hidden_states: Tensor, condition: Condition) -> tuple[Tensor, list[Tensor]]:
        """The hidden states for the next level, and one skip per layer and downsampler."""
        skips = []
        for index in range(len(self.resnets)):
            hidden_states = self.layer(index, hidden_states, condition)
            skips.append(hidden_states)
        if self.downsamplers is not None:
            hidden_states = self.downsamplers[0](hidden_states)
            skips.append(hidden_states)
        return hidden_states, skips


class MidBlock(Level):
    """The bottom of the U: a residual block, a transformer, a residual block."""

    def forward(self, hidden_states: Tensor, condition: Condition) -> Tensor:
        """Frames ``(B*F, C, h, w)`` to frames of the same shape."""
        hidden_states = self.layer(0, hidden_states, condition)
        return self.resnets[1](hidden_states, condition.time_embed, condition.num_frames)


class UpBlock(Level):
    """A level on the way up: layers that take up the skips, then an upsampler unless the last."""

    def __init__(
        self,
        resnets: list[ResnetBlock],
        attentions: list[nn.Module],
        upsample: Upsample | None,
    ) -> None:
        super().__init__(resnets, attentions)
        self.upsamplers = nn.ModuleList([upsample]) if upsample else None

    def forward(
        self,
        hidden_states: Tensor,
        skips: list[Tensor],
        condition: Condition,
        upsample_to_skip: bool = False,
    ) -> Tensor:
        """Frames for the next level.

        Args:
            hidden_states: Frames ``(B*F, C, h, w)``.
            skips: Everything the way down has left; the last ones are taken off.
            condition: See `Condition`.
            upsample_to_skip: Enlarge to the size of the next skip instead of doubling.
        """
        for index in range(len(self.resnets)):
            hidden_states = torch.cat([hidden_states, skips.pop()], dim=1)
            hidden_states = self.layer(index, hidden_states, condition)
        if self.upsamplers is not None:
            size = (skips[-1].shape[-2], skips[-1].shape[-1]) if upsample_to_skip else None
            hidden_states = self.upsamplers[0](hidden_states, size)
        return hidden_states
