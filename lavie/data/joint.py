"""Batches for joint image-video training: clips with independent stills behind them."""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from lavie.data.prefetch import prefetch
from lavie.data.sources import Sample, VideoSource, derive_seed
from lavie.errors import ConfigError


@dataclass(frozen=True)
class JointBatch:
    """Clips and stills on one frame axis.

    Args:
        pixels: float32 ``(B, 3, F + M, H, W)`` in [-1, 1]: F frames of a clip, then M stills.
        captions: For each of the B rows the clip's caption, then those of its M stills; only the
            latter if F is 0.
        num_images: M.
        focus: float32 ``(B, F + M, H, W)``, where a loss may look closer; None if not all know it.
        begins_at: For each row the first frame that the clip's caption is about; none: all are.
    """

    pixels: Tensor
    captions: list[list[str]]
    num_images: int
    focus: Tensor | None = None
    begins_at: tuple[int, ...] = ()


def joint_batch(
    video_samples: Sequence[Sample], image_samples: Sequence[Sample], num_images: int
) -> JointBatch:
    """Put ``num_images`` stills behind each clip, on the frame axis.

    Args:
        video_samples: B clips of one shape; none for a batch of stills alone.
        image_samples: ``B * num_images`` stills, first those of the first clip.
        num_images: Stills in each row, 0 for clips alone.

    Raises:
        ConfigError: The counts don't fit, or there is nothing to batch.

    Source: LaVie (arXiv:2309.15103), joint image-video fine-tuning, Eq. 3.
    """
    num_rows = len(video_samples) or (len(image_samples) // num_images if num_images else 0)
    if num_rows == 0 or len(image_samples) != num_rows * num_images:
        raise ConfigError(
            f"{len(video_samples)} clips with {num_images} images each "
            f"can't be made of {len(image_samples)} images."
        )
    rows = [
        [*video_samples[i : i + 1], *image_samples[i * num_images : (i + 1) * num_images]]
        for i in range(num_rows)
    ]
    return JointBatch(
        pixels=torch.stack([torch.cat([s.pixels for s in row], dim=1) for row in rows]),
        captions=[[sample.caption for sample in row] for row in rows],
        num_images=num_images,
        focus=_join_focus(rows),
        begins_at=tuple(sample.begins_at for sample in video_samples),
    )


def load_batches(
    videos: VideoSource | None,
    images: VideoSource | None,
    *,
    batch_size: int,
    num_images: int,
    seed: int,
    start: int = 0,
    rank: int = 0,
    world_size: int = 1,
    num_threads: int = 1,
    num_ahead: int = 2,
) -> Generator[JointBatch, None, None]:
    """Batches without end, read and decoded in the background while training goes on.

    The order is exact: batch k is the same after a restart with ``start=k`` and for any number of
    threads. Close the generator to stop its threads.

    Args:
        videos: Clips. None: rows of stills alone.
        images: Stills, of the same height and width. Needed if ``num_images`` is not 0.
        batch_size: Rows of one process in a batch.
        num_images: Stills in each row.
        seed: Decides the order.
        start: Batches of this process to leave out.
        rank: Number of this process, in [0, world_size).
        world_size: Processes that share the data.
        num_threads: Decoding threads for clips, and again for stills. 0 and ``num_ahead=0`` do
            all the work in the caller's thread.
        num_ahead: Batches kept ready.

    Raises:
        ConfigError: A source is missing.
        InputError: Nothing in a source can be used.
    """
    if (images is None) != (num_images == 0) or (videos is None and images is None):
        raise ConfigError(f"{num_images} images in a row need a source of stills, and only then.")
    share = (rank, world_size, num_threads)

    def batches() -> Generator[JointBatch, None, None]:
        with (
            closing(_stream(videos, derive_seed(seed, "videos"), start * batch_size, share)) as v,
            closing(_stream(images, derive_seed(seed, "images"), start * per_batch, share)) as i,
        ):
            while True:
                clips = list(islice(v, batch_size))
                yield joint_batch(clips, list(islice(i, per_batch)), num_images)

    per_batch = batch_size * num_images
    return prefetch(batches(), num_ahead)


def _stream(
    source: VideoSource | None, seed: int, start: int, share: tuple[int, int, int]
) -> Generator[Sample, None, None]:
    """The source's samples; none without a source."""
    if source is not None:
        yield from source.iterate(seed, start, *share)


def _join_focus(rows: list[list[Sample]]) -> Tensor | None:
    known = [[sample.focus for sample in row if sample.focus is not None] for row in rows]
    if any(len(focus) < len(row) for focus, row in zip(known, rows, strict=True)):
        return None
    return torch.stack([torch.cat(focus) for focus in known])
