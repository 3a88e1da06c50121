"""The finished parts of a film on disk: what is there is whole, and the film goes on from it.

All lie in the folder of their job. The latents are the last file of a part to appear, so a part
counts as done once they are there.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from app.films.request import KeptParts
from lavie.types import Frames

if TYPE_CHECKING:
    from torch import Tensor

GIVEN = -1
"""The place of the video that a film goes on from, before its first part."""

_LATENTS = "latents"
_MODEL_HASH = "model_hash"


class PartFiles(NamedTuple):
    """The files of a part.

    Args:
        poster: A frame of its second half as a small picture.
        frames: The exact frames.
        video: An MP4 to be looked at.
        latents: What the next part goes on from.
    """

    poster: Path
    frames: Path
    video: Path
    latents: Path


def part_files(folder: Path, index: int) -> PartFiles:
    """Where the files of a part are, or will be.

    Args:
        folder: Of the job.
        index: Which part, or `GIVEN`.
    """
    name = "part-given" if index == GIVEN else f"part-{index:05}"
    endings = ("-poster.webp", ".mkv", ".mp4", ".safetensors")
    return PartFiles(*(folder / f"{name}{ending}" for ending in endings))


def is_done(folder: Path, index: int) -> bool:
    """Whether a part is there; what a film goes on from has no latents of its own."""
    files = part_files(folder, index)
    return (files.video if index == GIVEN else files.latents).exists()


def count_done(folder: Path) -> int:
    """How many parts are there, from the first on."""
    count = 0
    while is_done(folder, count):
        count += 1
    return count


def write_part(
    folder: Path,
    index: int,
    frames: "Frames | Iterator[Frames]",
    fps: float,
    latents: "Tensor | None",
    model_hash: str = "",
) -> None:
    """Write a part; its files appear when all are complete.

    Args:
        folder: Of the job.
        index: Which part, or `GIVEN`.
        frames: uint8 ``(H, W, 3)`` pictures.
        fps: Frames per second.
        latents: What the next part goes on from.
        model_hash: Of the weights that made it.
    """
    from safetensors.torch import save_file

    from app.files import all_or_nothing, enlarge_to_view, make_small
    from lavie.media import LOSSLESS, open_video, write_video, write_webp

    with all_or_nothing(folder) as unfinished:
        files = part_files(unfinished, index)
        write_video(files.frames, frames, fps, format=LOSSLESS)
        with open_video(files.frames) as exact:
            write_video(files.video, enlarge_to_view(exact), fps)
            shown = 3 * len(exact) // 4  # the first ones still look like the line before
            write_webp(files.poster, make_small(exact[shown : shown + 1]), fps)
        if latents is not None:
            tensors, made_by = {_LATENTS: latents.contiguous().cpu()}, {_MODEL_HASH: model_hash}
            save_file(tensors, files.latents, made_by if model_hash else None)


def read_latents(folder: Path, index: int) -> "Tensor":
    """What the part after this one goes on from."""
    from safetensors.torch import load_file

    return load_file(part_files(folder, index).latents)[_LATENTS]


def read_model_hash(folder: Path, index: int) -> str | None:
    """Which weights made a part; None if its file does not say."""
    from safetensors import safe_open

    with safe_open(part_files(folder, index).latents, "pt") as file:
        return (file.metadata() or {}).get(_MODEL_HASH)


def keep_parts(kept: KeptParts, folder: Path) -> None:
    """Have the kept parts of an earlier film in a new one's folder, too.

    The files are shared where the disk can do that, and outlive the earlier film.

    Args:
        kept: Which.
        folder: Of the new job.
    """
    source = kept.latents.parent
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(GIVEN, kept.num_parts):
        for file in part_files(source, index):
            if file.exists():
                _link(file, folder / file.name)


def _link(source: Path, target: Path) -> None:
    if target.exists():
        return
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        partial = target.with_name(f"{target.name}.part")
        shutil.copyfile(source, partial)
        partial.replace(target)


class FilmFrames:
    """The frames of a film, read part by part; a `lavie.types.FrameSequence`.

    Args:
        folder: Of the job.
        num_parts: So many of the film's parts, besides what it goes on from.

    Attributes:
        shape: ``(F, H, W, 3)``.
        dtype: uint8.
        lengths: Frames of what it goes on from, if anything, and of each part.
    """

    def __init__(self, folder: Path, num_parts: int) -> None:
        from lavie.media import open_video

        first = GIVEN if is_done(folder, GIVEN) else 0
        self._files = [part_files(folder, index).frames for index in range(first, num_parts)]
        self.lengths: list[int] = []
        size = (0, 0)
        for file in self._files:
            with open_video(file) as video:
                self.lengths.append(len(video))
                size = video.shape[1:3]
        self.shape = (sum(self.lengths), *size, 3)
        self.dtype = np.dtype(np.uint8)

    def __len__(self) -> int:
        """F."""
        return self.shape[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        """Every frame in order, uint8 ``(H, W, 3)``; one part is open at a time."""
        from lavie.media import open_video

        for file in self._files:
            with open_video(file) as video:
                yield from video

    def __getitem__(self, part: slice, /) -> Frames:
        """Some frames in a row, uint8 ``(f, H, W, 3)``."""
        start, stop, step = part.indices(len(self))
        frames = [frame for place, frame in enumerate(self._until(stop)) if place >= start]
        return np.stack(frames)[::step]

    def _until(self, stop: int) -> Iterator[np.ndarray]:
        for place, frame in enumerate(self):
            if place >= stop:
                return
            yield frame
