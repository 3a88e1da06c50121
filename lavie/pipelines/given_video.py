"""Videos that a stage is given: checked, and turned into pixels part by part."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lavie.errors import InputError
from lavie.media import frames_to_pixels
from lavie.pipelines.limits import check_video_size
from lavie.types import FrameSequence


def check_video(video: FrameSequence | Tensor | None) -> FrameSequence | Tensor:
    """Give the video if it is one.

    Args:
        video: uint8 frames ``(F, H, W, 3)``, in memory or read as they are needed, or pixels
            ``(1, 3, F, H, W)`` in [-1, 1]; height and width 8 to 4,096.

    Raises:
        InputError: It is neither, or too small or too large.
    """
    if video is None:
        raise InputError("There is no video. Give one.", "video")
    if isinstance(video, str | Path | list | tuple):
        raise InputError(
            f"A {type(video).__name__} is no video. Open a file with lavie.media.open_video, or "
            "give uint8 frames (F, H, W, 3) as an array.",
            "video",
        )
    shape, dtype = tuple(getattr(video, "shape", ())), getattr(video, "dtype", None)
    if isinstance(video, Tensor):
        is_video = len(shape) == 5 and shape[:2] == (1, 3) and video.is_floating_point()
    else:
        is_video = len(shape) == 4 and shape[3] == 3 and dtype == np.uint8
    if not is_video or 0 in shape:
        raise InputError(
            f"A video of shape {shape} and type {dtype} cannot be read. Give "
            "uint8 frames (F, H, W, 3) or float pixels (1, 3, F, H, W).",
            "video",
        )
    _, height, width = size_of(video)
    check_video_size(width, height)
    return video


def check_given_latents(latents: Tensor, channels: int) -> Tensor:
    """Give the latents of a video, if something can be put between its frames.

    Args:
        latents: ``(1, C, F, h, w)``, F at least 2.
        channels: C, as the network makes them.

    Raises:
        InputError: They are no such thing.
    """
    shape, dtype = tuple(getattr(latents, "shape", ())), getattr(latents, "dtype", None)
    is_float = isinstance(latents, Tensor) and latents.is_floating_point()
    if not is_float or len(shape) != 5 or shape[:2] != (1, channels) or 0 in shape:
        raise InputError(
            f"Latents of shape {shape} and type {dtype} cannot be read. Give floats "
            f"(1, {channels}, F, h, w).",
            "given_latents",
        )
    if shape[2] < 2:
        raise InputError("Latents of one frame have nothing between them.", "given_latents")
    return latents


def size_of(video: FrameSequence | Tensor) -> tuple[int, int, int]:
    """Frames, height and width of what `check_video` gave."""
    shape = video.shape[2:] if isinstance(video, Tensor) else video.shape[:3]
    return shape[0], shape[1], shape[2]


def pixels_of(video: FrameSequence | Tensor, start: int = 0, stop: int | None = None) -> Tensor:
    """Frames ``start`` to ``stop - 1`` as float32 pixels ``(1, 3, f, H, W)``."""
    if isinstance(video, Tensor):
        return video[:, :, start:stop].to(torch.float32).contiguous()
    return frames_to_pixels(np.ascontiguousarray(video[start:stop])[None]).contiguous()


def pad_to_multiple(pixels: Tensor, factor: int) -> Tensor:
    """Repeat the last row and column until both sides are multiples of ``factor``."""
    rows, columns = (-side % factor for side in pixels.shape[-2:])
    padding = (0, columns, 0, rows, 0, 0)
    return torch.nn.functional.pad(pixels, padding, mode="replicate")
