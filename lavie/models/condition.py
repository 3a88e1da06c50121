"""What every block of the network is told besides the hidden states."""

from typing import NamedTuple

import torch
from torch import Tensor


class Condition(NamedTuple):
    """Everything a block needs to know about the videos in the batch.

    Args:
        time_embed: ``(B, 1, D)`` for all frames alike, or ``(B, F, D)``.
        text: Prompt tokens ``(B, S, L, D)``; `spread_over_frames` says which frame hears which.
        num_frames: F, independent images at the end included.
        num_images: How many of the last frames are independent images.
        frame_index: Places of the video frames in time, ``(1, F - num_images)`` when all videos
            agree, else ``(B, F - num_images)``.
        frame_embed: Learned embedding of ``frame_index``, ``(1 or B, F - num_images, D)``, for
            networks that have one.
    """

    time_embed: Tensor
    text: Tensor
    num_frames: int
    num_images: int
    frame_index: Tensor
    frame_embed: Tensor | None = None


def spread_over_frames(slots: Tensor, num_frames: int) -> Tensor:
    """Give every frame the entry of its own prompt.

    The first of S slots belongs to the video and serves all its frames; the others belong to the
    images behind it, one each. A batch of images only has as many slots as frames.

    Args:
        slots: ``(B, S, ...)`` with ``1 <= S <= num_frames``.
        num_frames: F.

    Returns:
        ``(B, F, ...)``; a view when there is one slot.
    """
    repeats = num_frames - slots.shape[1] + 1
    first = slots[:, :1].expand(-1, repeats, *slots.shape[2:])
    return first if repeats == num_frames else torch.cat([first, slots[:, 1:]], dim=1)
