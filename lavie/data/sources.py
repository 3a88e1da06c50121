"""The one interface of all training data, and what its sources share."""

import hashlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from lavie.data.decode import PICTURE_SUFFIXES, decode_clip, read_picture, suffix_of
from lavie.data.prefetch import run_in_order
from lavie.data.report import SkipReport, UnusableClip
from lavie.data.transforms import fit_frame
from lavie.errors import InputError
from lavie.media import frames_to_pixels

logger = logging.getLogger(__name__)

MAX_MISSES = 1000


@dataclass(frozen=True)
class Sample:
    """One captioned clip or still, ready for training.

    Args:
        pixels: float32 ``(3, F, H, W)`` in [-1, 1]; F is 1 for a still.
        caption: What it shows.
        focus: float32 ``(F, H, W)`` in [0, 1], where a loss may look closer; None if unknown.
        begins_at: First frame that the caption is about; those before it show what came before.
    """

    pixels: Tensor
    caption: str
    focus: Tensor | None = None
    begins_at: int = 0


Draw = Callable[[], Sample | None]
"""The slow part of one sample, to run in any thread. None: its clip can't be used."""


class VideoSource(ABC):
    """Captioned clips or stills in an endless, repeatable order.

    Sample k of a process depends on ``(seed, rank, world_size, k)`` and nothing else: not on what
    was read before, nor on the number of threads. So a run that resumes at k sees what it would
    have seen.
    """

    num_clips: int | None = None
    """Clips in one pass over the data, where that is known."""

    reports: tuple[SkipReport, ...] = ()
    """What was left out, one report for each place that data comes from."""

    @abstractmethod
    def draws(
        self, seed: int, start: int = 0, rank: int = 0, world_size: int = 1
    ) -> Iterator[Draw]:
        """The order of the samples, with nothing decoded yet; arguments as for `iterate`."""

    def iterate(
        self,
        seed: int,
        start: int = 0,
        rank: int = 0,
        world_size: int = 1,
        num_threads: int = 0,
    ) -> Generator[Sample, None, None]:
        """Samples of one process without end. A clip that can't be used is replaced by the next.

        What was left out is logged as soon as there is something, each time it has more than
        doubled, and at the end.

        Args:
            seed: Decides the order and every random choice.
            start: Number of samples of this process to leave out, without decoding them.
            rank: Number of this process, in [0, world_size).
            world_size: Processes that share the data; each sees another part.
            num_threads: Threads that decode ahead. 0 decodes in the caller's.

        Raises:
            InputError: Nothing in the source can be used.
        """
        draws = self.draws(seed, start, rank, world_size)
        results = run_in_order(draws, num_threads, 2 * num_threads)
        misses = num_told = 0
        try:
            for sample in results:
                num_skipped = sum(report.num_skipped for report in self.reports)
                if num_skipped > 2 * num_told:
                    num_told = num_skipped
                    logger.warning(self.summary())
                if sample is None:
                    misses += 1
                    if misses >= MAX_MISSES:
                        raise InputError(f"{misses} clips in a row can't be used. {self.summary()}")
                    continue
                for _ in range(misses + 1):
                    yield sample
                misses = 0
        finally:
            results.close()
            if self.summary():
                logger.warning(self.summary())

    def summary(self) -> str:
        """What was left out so far, in a sentence for each place; empty if nothing was."""
        return " ".join(filter(None, (report.summary() for report in self.reports)))


@dataclass(frozen=True)
class ClipReader:
    """Turns a file into pixels of one fixed shape.

    Args:
        num_frames: Frames of a sample; 1 for stills.
        height: Height of a sample.
        width: Width of a sample.
        fps: Frames per second of a sample.
        random_moment: Whether the part of a longer clip is drawn; else it is the middle.
        random_crop: Whether the part of a wider or higher picture is drawn; else the centre.
    """

    num_frames: int
    height: int
    width: int
    fps: float
    random_moment: bool = True
    random_crop: bool = False

    def read(self, file: Path | BinaryIO, name: str, generator: torch.Generator) -> Tensor:
        """Pixels ``(3, F, H, W)`` of a clip or picture; ``name`` tells which of the two.

        Raises:
            UnusableClip: The file is broken, too short or too large.
        """
        moment, y, x = torch.rand(3, generator=generator).tolist()
        moment = moment if self.random_moment else 0.5
        y, x = (y, x) if self.random_crop else (0.5, 0.5)
        if suffix_of(name) in PICTURE_SUFFIXES:
            frames = iter([read_picture(file)])
        else:
            frames = decode_clip(file, self.num_frames, self.fps, moment)
        # One by one, so that only frames of the training size are held.
        fitted = [fit_frame(frame, self.height, self.width, y, x) for frame in frames]
        return frames_to_pixels(np.stack(fitted)[None])[0]


def derive_seed(*key: int | str) -> int:
    """A seed in [0, 2**63) for the thing that ``key`` names, unrelated to all other keys."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def derive_generator(*key: int | str) -> torch.Generator:
    """A CPU generator for the thing that ``key`` names."""
    return torch.Generator().manual_seed(derive_seed(*key))


def count_draw(report: SkipReport, name: str, read: Callable[[], Sample]) -> Sample | None:
    """The sample that ``read`` gives, or None and a note in the report if its clip is unusable."""
    try:
        sample = read()
    except UnusableClip as problem:
        report.add_skip(name, problem)
        return None
    report.add_sample()
    return sample
