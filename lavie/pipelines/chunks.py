"""Long videos smoothed chunk by chunk, so that memory does not grow with their length."""

import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from lavie.pipelines.between import FACTOR, num_result_frames
from lavie.pipelines.coding import latent_shape
from lavie.pipelines.interpolation import InterpolationPipeline, InterpolationSettings
from lavie.pipelines.windows import plan_windows
from lavie.pipelines.work import OnProgress
from lavie.types import Frames, FrameSequence

WINDOWS_PER_CHUNK = 4
"""A chunk has so many windows' length of given frames; what is not longer is smoothed at once."""


class Chunk(NamedTuple):
    """A part of a video that is smoothed on its own.

    Args:
        given: Its frames, of those that are given.
        kept: Which frames of what it becomes are those of the whole video's.
    """

    given: slice
    kept: slice


def plan_chunks(num_given: int, size: int, overlap: int) -> list[Chunk]:
    """Cover a video with chunks.

    Neighbours share given frames, so that each sees what lies behind the frame where they meet:
    the middle one of those, as given frames come out of both nearly the same.

    Args:
        num_given: F, frames of the given video.
        size: Given frames of a chunk at most.
        overlap: Given frames that two neighbours share at least; 1 to ``size - 1``.

    Returns:
        Chunks of equal size in order; what is kept of them is all 4F - 3 frames, each once.
    """
    count = len(plan_windows(num_given, size, overlap))
    even = -(-(num_given + (count - 1) * overlap) // count)  # rounded up
    windows = plan_windows(num_given, even, overlap)
    meet = [(after.start + before.stop - 1) // 2 for before, after in pairwise(windows)]
    return [
        Chunk(
            slice(start, stop),
            slice(FACTOR * (first - start), None if end is None else FACTOR * (end - start)),
        )
        for (start, stop), first, end in zip(windows, [0, *meet], [*meet, None], strict=True)
    ]


def smooth_in_chunks(
    pipeline: InterpolationPipeline,
    video: FrameSequence,
    settings: InterpolationSettings,
    generator: torch.Generator,
    on_progress: OnProgress | None = None,
    **options: Any,  # noqa: ANN401 - of a chunk's call, which checks them
) -> Iterator[Frames]:
    """Smooth a video of any length, of which only a chunk is in memory.

    Frames that two chunks share begin from the same noise in both.

    Args:
        pipeline: The model.
        video: uint8 frames ``(F, H, W, 3)``, F at least 2, read chunk by chunk.
        settings: What `InterpolationPipeline.check_settings` gave.
        generator: Source of all noise; a video of one chunk becomes what the pipeline makes of it.
        on_progress: Hears of every part of the work on all chunks.
        **options: Of every chunk's call, such as ``prompt`` or ``cancel``.

    Yields:
        Frames ``(f, H, W, 3)`` in order, 4F - 3 in all.

    Raises:
        Cancelled: The token ``cancel`` among the options was set.
    """
    size = WINDOWS_PER_CHUNK * pipeline.config.default_num_frames
    chunks = plan_chunks(len(video), size, settings.window_overlap)
    noise: Tensor | None = None
    for index, chunk in enumerate(chunks):
        given = video[chunk.given]
        if len(chunks) > 1:
            _, C, F, h, w = latent_shape(pipeline.vae, given)
            before, shape = noise, (1, C, num_result_frames(F), h, w)
            noise = randn_tensor(shape, generator, dtype=torch.float32)
            if before is not None:
                num_shared = num_result_frames(chunks[index - 1].given.stop - chunk.given.start)
                noise[:, :, :num_shared] = before[:, :, -num_shared:]
        output: Any = pipeline(
            given,
            generator=generator,
            latents=noise,
            on_progress=on_progress and _count_all(on_progress, index, len(chunks)),
            **asdict(settings),
            **options,
        )
        yield output.frames[0, chunk.kept]


def _count_all(on_progress: OnProgress, index: int, count: int) -> OnProgress:
    """Tell of a chunk's progress as of that of all, which take equally long."""
    started = time.perf_counter()

    def tell(done: int, total: int, seconds_left: float) -> None:
        seconds = time.perf_counter() - started + seconds_left
        rest = seconds_left + (count - 1 - index) * seconds
        on_progress(index * total + done, count * total, rest)

    return tell
