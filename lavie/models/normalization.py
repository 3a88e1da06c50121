"""Group normalisation of videos whose frames are folded into the batch."""

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional


class VideoGroupNorm(nn.GroupNorm):
    """Group normalisation whose statistics run over all frames of a video together.

    The released networks normalise ``(B, C, F, h, w)`` in their residual blocks: one mean and one
    variance per group and video, not per frame.
    """

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride] - it must know the frames
        self, hidden_states: Tensor, num_frames: int = 1
    ) -> Tensor:
        """Normalise each group of channels of each video.

        Args:
            hidden_states: Frames ``(B*F, C, h, w)``; channels-last memory needs no copy.
            num_frames: F. 1 is the ordinary group normalisation of images.

        Returns:
            The same shape and memory layout.
        """
        is_training = torch.is_grad_enabled() and self.weight.requires_grad
        if is_training and not hidden_states.requires_grad:
            # PyTorch 2.13 crashes on CPUs where weights need a gradient, but not what comes in
            hidden_states = hidden_states.detach().requires_grad_()
        tall = rearrange(hidden_states, "(b f) c h w -> b c (f h) w", f=num_frames)
        tall = functional.group_norm(tall, self.num_groups, self.weight, self.bias, self.eps)
        return rearrange(tall, "b c (f h) w -> (b f) c h w", f=num_frames)
