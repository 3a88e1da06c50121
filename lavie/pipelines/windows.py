"""Large videos in parts that overlap, and agree where they do."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Window(NamedTuple):
    """Frames ``start`` to ``stop - 1``."""

    start: int
    stop: int


def plan_windows(num_frames: int, size: int, overlap: int) -> list[Window]:
    """Cover a video with windows.

    Args:
        num_frames: Frames of the video, at least 1.
        size: Frames of a window, but no more than there are.
        overlap: Frames that two neighbours share at least; less than ``size``.

    Returns:
        Windows of equal size in order, spread evenly: the first begins at 0, the last ends at
        ``num_frames``.
    """
    if num_frames <= size:
        return [Window(0, num_frames)]
    count = -(-(num_frames - overlap) // (size - overlap))  # rounded up
    last = num_frames - size
    starts = [round(last * i / (count - 1)) for i in range(count)]
    return [Window(start, start + size) for start in starts]


def blend_windows(
    predict: Callable[[Tensor], Tensor], sample: Tensor, windows: Sequence[Window], dim: int = 2
) -> Tensor:
    """Run a network window by window and blend what they say where they overlap.

    A window's weight rises from its borders to its middle, so none begins or ends suddenly.

    Args:
        predict: Takes a part of the video ``(B, C, f, h, w)`` and gives ``(B, D, f, h, w)``.
        sample: The whole video ``(B, C, F, h, w)``.
        windows: What `plan_windows` gave; together they cover everything.
        dim: What they are windows of: 2 for frames, 3 for rows, 4 for columns.

    Returns:
        ``(B, D, F, h, w)``, summed in float32.

    Source: MultiDiffusion (arXiv:2302.08113).
    """
    if len(windows) == 1:
        return predict(sample)
    total, weights = None, sample.new_zeros(sample.shape[dim], dtype=torch.float32)
    along = [1] * (sample.ndim - dim - 1)
    for start, stop in windows:
        part = predict(sample.narrow(dim, start, stop - start))
        if total is None:
            shape = (*part.shape[:2], *sample.shape[2:])
            total = part.new_zeros(shape, dtype=torch.float32)
        ramp = torch.arange(1.0, stop - start + 1, device=part.device)
        weight = torch.minimum(ramp, ramp.flip(0))
        total.narrow(dim, start, stop - start).add_(part * weight.view(-1, *along))
        weights[start:stop] += weight
    if total is None:
        raise ValueError("There are no windows.")
    return total.div_(weights.view(-1, *along)).to(sample.dtype)


def count_tiles(height: int, width: int, size: int | None, overlap: int) -> int:
    """How many tiles `blend_tiles` makes of a picture."""
    if size is None:
        return 1
    return len(plan_windows(height, size, overlap)) * len(plan_windows(width, size, overlap))


def blend_tiles(
    predict: Callable[[Tensor], Tensor], sample: Tensor, size: int | None, overlap: int
) -> Tensor:
    """Run a network tile by tile of the picture and blend the tiles, as `blend_windows` does.

    Args:
        predict: Takes a tile of the video ``(B, C, F, h, w)`` and gives ``(B, D, F, h, w)``.
        sample: The whole video ``(B, C, F, H, W)``.
        size: Side of a tile; None: the whole picture at once.
        overlap: Cells that two neighbours share at least.

    Returns:
        ``(B, D, F, H, W)``.
    """
    if size is None:
        return predict(sample)
    rows = plan_windows(sample.shape[3], size, overlap)
    columns = plan_windows(sample.shape[4], size, overlap)
    return blend_windows(
        lambda strip: blend_windows(predict, strip, columns, dim=4), sample, rows, dim=3
    )
