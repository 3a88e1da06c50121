"""Does memory grow with the length of a video? Super-resolution, asked in fresh processes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lavie.pipelines.super_resolution import SuperResolutionPipeline
from lavie.runtime.benchmark import in_fresh_process
from lavie.runtime.devices import choose_device, choose_dtype
from lavie.runtime.loading import silence_loading_bars
from lavie.runtime.memory import peak_memory
from lavie.types import Frames

NUM_FRAMES = (8, 61, 244)


@dataclass(frozen=True)
class MemoryUse:
    """What enlarging a video took.

    Args:
        num_frames: Of the video.
        size: Height and width of the enlarged frames.
        loaded: Bytes the process had held at most when the model was ready.
        peak: Bytes it had held at most when the last frame had left.
    """

    num_frames: int
    size: tuple[int, int]
    loaded: int
    peak: int


class MovingPattern:
    """A video that is computed as it is read: slanted stripes that move.

    Args:
        num_frames: F.
        height: Pixels.
        width: Pixels.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, num_frames: int, height: int, width: int) -> None:
        self.shape = (num_frames, height, width, 3)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, part: slice) -> Frames:
        places = np.arange(len(self))[part, None, None, None]
        rows, columns = np.ogrid[: self.shape[1], : self.shape[2]]
        stripes = (rows + 2 * columns)[None, :, :, None] + 3 * places
        return np.repeat(stripes % 256, 3, axis=-1).astype(np.uint8)


def compare_memory(
    model: str,
    height: int,
    width: int,
    num_frames: Sequence[int] = NUM_FRAMES,
    num_inference_steps: int = 2,
    device: str | None = None,
) -> list[MemoryUse]:
    """Enlarge videos of several lengths, each in a fresh process.

    Args:
        model: A model folder or ``"miniature"``.
        height: Pixels of the small video, the same for all; likewise ``width``.
        width: As above.
        num_frames: The lengths.
        num_inference_steps: Few do: every further step keeps the same little of a window.
        device: None: the GPU if there is one.
    """
    return [
        in_fresh_process(measure_memory, model, count, height, width, num_inference_steps, device)
        for count in num_frames
    ]


def measure_memory(
    model: str,
    num_frames: int,
    height: int,
    width: int,
    num_inference_steps: int,
    device: str | None,
) -> MemoryUse:
    """Enlarge one video whose frames come one by one and leave as soon as they are final."""
    silence_loading_bars()
    where = choose_device(device)
    pipeline = SuperResolutionPipeline.from_pretrained(model, dtype=choose_dtype(where)).to(where)
    pipeline.set_progress_bar_config(disable=True)
    loaded = peak_memory() or 0
    sizes = set()
    pipeline(
        MovingPattern(num_frames, height, width),
        num_inference_steps=num_inference_steps,
        on_frames=lambda frames: sizes.add(frames.shape[1:3]),
    )
    return MemoryUse(num_frames, sizes.pop(), loaded, peak_memory() or 0)


def memory_table(uses: Sequence[MemoryUse]) -> list[str]:
    """Lengths in rows, with what each took relative to the first, as lines of text."""
    titles = ("frames", "model loaded", "peak", "of the first's", "frames' own bytes")
    lines = ["".join(f"{title:>20}" for title in titles)]
    for use in uses:
        cells = (
            str(use.num_frames),
            f"{use.loaded / 1e6:.0f} MB",
            f"{use.peak / 1e6:.0f} MB",
            f"{use.peak / uses[0].peak:.3f}",
            f"{3 * use.num_frames * use.size[0] * use.size[1] / 1e6:.0f} MB",
        )
        lines.append("".join(f"{cell:>20}" for cell in cells))
    return lines
