"""Windows in time: a network made for short videos looks at a long one part by part."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

WeightingScheme = Literal["flat", "pyramid", "delayed_reverse_sawtooth"]


class FrameWindows(NamedTuple):
    """Which frames look at each other in temporal attention, and how overlaps are merged.

    Every window has as many frames as the network was made for. One begins every ``stride``
    frames, and the last is aligned to the end of the video, so every frame is in one at least.

    Args:
        length: Frames of a window, at least 1.
        stride: Frames from one window's beginning to the next one's, 1 to ``length``.
        weighting: What a place in the window weighs: "flat" the same everywhere, "pyramid" most in
            the middle, "delayed_reverse_sawtooth" next to nothing before the middle.

    Source: FreeNoise (arXiv:2310.15169), section 3.2; the schemes are those of diffusers, which
        takes from a last window that does not fit only the frames that no other window has. Here
        it counts in full, so that the video does not change suddenly where it begins.
    """

    length: int
    stride: int
    weighting: WeightingScheme = "pyramid"

    def starts(self, num_frames: int) -> list[int]:
        """First frames of the windows of a video of at least ``length`` frames, in order."""
        last = num_frames - self.length
        return [*range(0, last, self.stride), last]

    def weights(self, device: torch.device | None = None) -> Tensor:
        """Weight of every place in a window, ``(length,)``, above 0."""
        rise = torch.arange(1.0, self.length + 1, device=device)
        if self.weighting == "flat":
            return torch.ones_like(rise)
        pyramid = torch.minimum(rise, rise.flip(0))  # 1 2 3 2 1
        if self.weighting == "pyramid":
            return pyramid
        return torch.where(rise < (self.length + 1) // 2, 0.01, pyramid)

    def shares(self, num_frames: int, device: torch.device | None = None) -> Tensor:
        """Each window's share in each frame, ``(number of windows, F)``; columns add up to 1."""
        starts = torch.tensor(self.starts(num_frames), device=device)
        places = torch.arange(num_frames, device=device) - starts[:, None]
        is_inside = (places >= 0) & (places < self.length)
        weights = self.weights(device)[places.clamp(0, self.length - 1)] * is_inside
        return weights / weights.sum(0)

    def merge(self, attend: Callable[[slice], Tensor], value: Tensor) -> Tensor:
        """Let the frames of each window see each other, and average what the windows say.

        Args:
            attend: Gives for the frames of a slice what they see, ``(..., length, D)``.
            value: ``(..., F, D)``; only shape and type count.

        Returns:
            ``(..., F, D)`` of the same type, summed in float32 at least.
        """
        num_frames = value.shape[-2]
        merged = torch.zeros_like(value, dtype=torch.promote_types(value.dtype, torch.float32))
        shares = self.shares(num_frames, value.device)
        for start, share in zip(self.starts(num_frames), shares, strict=True):
            frames = slice(start, start + self.length)
            merged[..., frames, :] += attend(frames) * share[frames, None]
        return merged.to(value.dtype)

    def stretch(self, frame_index: Tensor) -> Tensor:
        """Moments in a clip of ``length`` frames that the frames of a longer video stand for.

        Args:
            frame_index: ``(1 or B, F)``, F above 1.

        Returns:
            Float32 of the same shape; 0, 1, 2, ... become fractions up to ``length - 1``.
        """
        return frame_index * ((self.length - 1) / (frame_index.shape[-1] - 1))
