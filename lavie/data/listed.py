"""Sources whose files are known beforehand: a folder with captions, or a list of files."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from lavie.data.captions import MAX_BYTES, caption_of, parse_caption
from lavie.data.decode import CLIP_SUFFIXES, PICTURE_SUFFIXES, suffix_of
from lavie.data.report import SkipReport, UnusableClip
from lavie.data.sources import (
    MAX_MISSES,
    ClipReader,
    Draw,
    Sample,
    VideoSource,
    count_draw,
    derive_generator,
)
from lavie.errors import InputError

FILE_KEYS = ("file_name", "file", "video", "image", "media_path", "path")


@dataclass(frozen=True)
class ListedClip:
    """A file inside the folder and its caption; None: the caption is in a ``.txt`` beside it."""

    name: str
    caption: str | None = None


class ListedSource(VideoSource):
    """Files in a folder, each seen once per epoch, every epoch in another order.

    Args:
        folder: Nothing outside of it is read, whatever names and links say.
        clips: The files, in a fixed order.
        reader: Makes the pixels.
        report: Takes what can't be used.
        shuffle: False keeps the given order in every epoch.

    Raises:
        InputError: ``clips`` is empty.
    """

    def __init__(
        self,
        folder: Path,
        clips: list[ListedClip],
        reader: ClipReader,
        report: SkipReport,
        shuffle: bool = True,
    ) -> None:
        if not clips:
            found = report.summary() or "It holds no file of a kind that is read here."
            raise InputError(f"Folder {folder} has no captioned clips or pictures. {found}")
        self.folder = folder.resolve()
        self.clips = clips
        self.reader = reader
        self.report = report
        self.reports = (report,)
        self.shuffle = shuffle
        self.num_clips = len(clips)

    def draws(
        self, seed: int, start: int = 0, rank: int = 0, world_size: int = 1
    ) -> Iterator[Draw]:
        """The order of the samples; ``start`` costs nothing."""
        index, epoch, order = rank + start * world_size, -1, torch.empty(0)
        while True:
            if index // len(self.clips) != epoch:
                epoch = index // len(self.clips)
                order = self._order(seed, epoch)
            yield partial(self._draw, seed, index, order)
            index += world_size

    def _order(self, seed: int, epoch: int) -> Tensor:
        if not self.shuffle:
            return torch.arange(len(self.clips))
        return torch.randperm(len(self.clips), generator=derive_generator(seed, "epoch", epoch))

    def _draw(self, seed: int, index: int, order: Tensor) -> Sample:
        """The clip at this place, or the first after it that can be used."""
        num_tries = min(len(order), MAX_MISSES)
        for place in range(index, index + num_tries):
            clip = self.clips[int(order[place % len(order)])]
            sample = count_draw(self.report, clip.name, partial(self._read, clip, seed, index))
            if sample is not None:
                return sample
        raise InputError(f"{num_tries} clips in a row can't be used. {self.report.summary()}")

    def _read(self, clip: ListedClip, seed: int, index: int) -> Sample:
        path = _inside(self.folder, clip.name)
        caption = _caption_beside(self.folder, clip.name) if clip.caption is None else clip.caption
        generator = derive_generator(seed, "sample", index)
        return Sample(self.reader.read(path, clip.name, generator), caption)


def open_folder(
    folder: Path, reader: ClipReader, stills: bool = False, shuffle: bool = True
) -> ListedSource:
    """The clips (or also pictures) anywhere below a folder that have a ``.txt`` beside them.

    Hidden files are passed over. Captions are read when their clip is.

    Raises:
        InputError: It is no folder, or holds nothing that can be used.
    """
    if not folder.is_dir():
        raise InputError(f"Data folder {folder} does not exist or is no folder.")
    report = SkipReport(str(folder))
    paths = {path.relative_to(folder) for path in folder.rglob("*")}
    clips = []
    for path in sorted(paths):
        if path.name.startswith(".") or not _is_wanted(path.name, stills):
            continue
        if path.with_suffix(".txt") in paths:
            clips.append(ListedClip(path.as_posix()))
        else:
            missing = f"there is no {path.with_suffix('.txt').name} beside it"
            report.add_skip(path.as_posix(), UnusableClip("without caption", missing))
    return ListedSource(folder, clips, reader, report, shuffle)


def open_metadata(
    path: Path, reader: ClipReader, stills: bool = False, shuffle: bool = True
) -> ListedSource:
    """The files named in ``metadata.jsonl`` or ``metadata.csv``, relative to its folder.

    A row has the file under ``file_name`` (or `FILE_KEYS`) and the caption under ``caption``,
    ``text`` or ``prompt``; other columns are ignored.

    Args:
        path: The metadata file, or the folder it lies in.
        reader: Makes the pixels.
        stills: Whether pictures count.
        shuffle: False keeps the order of the rows.

    Raises:
        InputError: There is no metadata, or nothing in it can be used.
    """
    names = ("metadata.jsonl", "metadata.csv")
    candidates = [path / name for name in names] if path.is_dir() else [path]
    file = next((file for file in candidates if file.is_file()), None)
    if file is None or suffix_of(file.name) not in ("jsonl", "csv"):
        raise InputError(f"There is no metadata.jsonl or metadata.csv at {path}.")
    report = SkipReport(str(file))
    clips = []
    for number, row in enumerate(_rows(file), start=1):
        try:
            name = _file_of(row)
            if _is_wanted(name, stills):
                clips.append(ListedClip(name, caption_of(row)))
        except UnusableClip as problem:
            report.add_skip(f"row {number}", problem)
    return ListedSource(file.parent, clips, reader, report, shuffle)


def _rows(file: Path) -> Iterator[object]:
    """Rows as dictionaries; a row that can't be parsed as its error."""
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        if suffix_of(file.name) == "csv":
            yield from _until_exhausted(csv.DictReader(lines))
        else:
            yield from (_parse_json(line) for line in lines if line.strip())


def _until_exhausted(rows: Iterator[object]) -> Iterator[object]:
    while True:
        try:
            yield next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield error


def _parse_json(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        return error


def _file_of(row: object) -> str:
    if not isinstance(row, dict):
        raise UnusableClip("in a bad row", str(row)[:100])
    name = next((row[key] for key in FILE_KEYS if row.get(key)), None)
    if not isinstance(name, str) or "\0" in name:
        raise UnusableClip("in a bad row", f"no file under {', '.join(FILE_KEYS)}")
    if suffix_of(name) not in CLIP_SUFFIXES | PICTURE_SUFFIXES:
        raise UnusableClip("of an unknown kind", name[:100])
    return name


def _is_wanted(name: str, stills: bool) -> bool:
    suffix = suffix_of(name)
    return suffix in CLIP_SUFFIXES or (stills and suffix in PICTURE_SUFFIXES)


def _inside(folder: Path, name: str) -> Path:
    """The file of that name if, after all links and dots, it lies in the (resolved) folder."""
    try:
        path = (folder / name).resolve()
        is_file = path.is_file()
    except (OSError, RuntimeError) as error:  # a name too long, a circle of links
        raise UnusableClip("missing", str(error)[:100]) from error
    if not path.is_relative_to(folder):
        raise UnusableClip("outside the folder", "names and links must stay inside")
    if not is_file:
        raise UnusableClip("missing", "there is no such file")
    return path


def _caption_beside(folder: Path, name: str) -> str:
    path = _inside(folder, str(Path(name).with_suffix(".txt")))
    try:
        with path.open("rb") as file:
            return parse_caption(file.read(MAX_BYTES), "txt")
    except OSError as error:
        raise UnusableClip("without caption", str(error)) from error
