"""Videos that a stage is given: checked, and turned into pixels part by part."""

import numpy as np
import torch
from torch import Tensor

from lavie.errors import InputError
from lavie.media import frames_to_pixels
from lavie.types import Frames


def check_video(video: Frames | Tensor | None) -> Frames | Tensor:
    """Give the video if it is one.

    Args:
        video: uint8 frames ``(F, H, W, 3)`` or pixels ``(1, 3, F, H, W)`` in [-1, 1].

    Raises:
        InputError: It is neither.
    """
    if video is None:
        raise InputError("There is no video. Give one.", "video")
    if isinstance(video, Tensor):
        is_video = video.ndim == 5 and video.shape[:2] == (1, 3) and video.is_floating_point()
    else:
        is_video = video.ndim == 4 and video.shape[3] == 3 and video.dtype == np.uint8
    if not is_video or 0 in video.shape:
        raise InputError(
            f"A video of shape {tuple(video.shape)} and type {video.dtype} cannot be read. Give "
            "uint8 frames (F, H, W, 3) or float pixels (1, 3, F, H, W).",
            "video",
        )
    return video


def num_frames_of(video: Frames | Tensor) -> int:
    """F of what `check_video` gave."""
    return video.shape[2] if isinstance(video, Tensor) else len(video)


def pixels_of(video: Frames | Tensor, start: int = 0, stop: int | None = None) -> Tensor:
    """Frames ``start`` to ``stop - 1`` as float32 pixels ``(1, 3, f, H, W)``."""
    if isinstance(video, Tensor):
        return video[:, :, start:stop].to(torch.float32)
    return frames_to_pixels(video[None, start:stop])
