"""What every block of the network is told besides the hidden states."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from lavie.models.frame_windows import FrameWindows


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
        on_layer: Called after every layer of the network, so that a long call can tell how far it
            is, and be stopped by an error.
        height: Rows of the cells that a transformer sees; 0 elsewhere.
        text_index: Which of the S prompts each frame hears, ``(F,)``; None: the rule of
            `spread_over_frames`.
        frame_windows: Parts in which a long video is seen in temporal attention; None: all frames
            see each other.
    """

    time_embed: Tensor
    text: Tensor
    num_frames: int
    num_images: int
    frame_index: Tensor
    frame_embed: Tensor | None = None
    on_layer: Callable[[], None] | None = None
    height: int = 0
    text_index: Tensor | None = None
    frame_windows: FrameWindows | None = None

    @property
    def num_video_frames(self) -> int:
        """How many of the frames are a video, from the first on."""
        return self.num_frames - self.num_images


def spread_over_frames(slots: Tensor, num_frames: int, text_index: Tensor | None = None) -> Tensor:
    """Give every frame the entry of its own prompt.

    The first of S slots belongs to the video and serves all its frames; the others belong to the
    images behind it, one each. A batch of images only has as many slots as frames.

    Args:
        slots: ``(B, S, ...)`` with ``1 <= S <= num_frames``.
        num_frames: F.
        text_index: ``(F,)``, the entry of each frame where it is not as said above.

    Returns:
        ``(B, F, ...)``; a view when there is one slot.
    """
    if text_index is not None:
        return slots[:, text_index]
    repeats = num_frames - slots.shape[1] + 1
    first = slots[:, :1].expand(-1, repeats, *slots.shape[2:])
    return first if repeats == num_frames else torch.cat([first, slots[:, 1:]], dim=1)


def share_equal_neighbours(text: Tensor) -> tuple[Tensor, Tensor | None]:
    """Keep one of neighbouring frames with the same text, so that it is read once.

    Args:
        text: One prompt per frame, ``(B, F, L, D)``.

    Returns:
        The S different ones ``(B, S, L, D)`` and the ``(F,)`` that says which frame hears which,
        None where all hear the same.
    """
    is_new = (text[:, 1:] != text[:, :-1]).flatten(2).any(dim=2).any(dim=0)
    is_new = torch.cat([is_new.new_ones(1), is_new])
    slots = text[:, is_new]
    return slots, (is_new.long().cumsum(0) - 1 if slots.shape[1] > 1 else None)


def apply_in_time(
    layer: Callable[[Tensor], Tensor], hidden_states: Tensor, condition: Condition
) -> Tensor:
    """Run a temporal layer on the video frames; independent images pass unchanged.

    Args:
        layer: Takes and returns ``(B, F - num_images, ...)``.
        hidden_states: ``(B, F, ...)``.
        condition: Says how many of the frames are images.

    Returns:
        ``(B, F, ...)``.
    """
    if condition.num_video_frames == 0:
        return hidden_states
    if condition.num_images == 0:
        return layer(hidden_states)
    video, images = hidden_states.tensor_split([condition.num_video_frames], dim=1)
    return torch.cat([layer(video), images], dim=1)
