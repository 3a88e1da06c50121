"""Tar shards in the WebDataset layout, on disk or over http(s), as a data source.

A shard is read once from front to back, so it may be a remote stream. To resume, the records of
this process that were already used are counted off: read, but not decoded. Each process reads its
own shards; where there are fewer shards than processes, each reads all of them and takes its share
of the records.
"""

import http.client
import io
import lzma
import tarfile
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch

from lavie.data.captions import parse_caption
from lavie.data.decode import CLIP_SUFFIXES, PICTURE_SUFFIXES, suffix_of
from lavie.data.report import SkipReport, UnusableClip
from lavie.data.sources import (
    ClipReader,
    Draw,
    Sample,
    VideoSource,
    count_draw,
    derive_generator,
)
from lavie.errors import InputError, MissingDependencyError

MAX_MEMBER_BYTES = 1 << 29
TIMEOUT_SECONDS = 60
NUM_ATTEMPTS = 3

_BROKEN_SHARD = (
    tarfile.TarError,
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    http.client.HTTPException,
)


@dataclass(frozen=True)
class Record:
    """One clip or picture of a shard, not decoded yet."""

    name: str
    media: bytes
    caption: bytes
    caption_suffix: str


class WebDatasetSource(VideoSource):
    """Records of tar shards, shuffled by shard and in a buffer.

    Args:
        urls: Shards: paths or http(s) addresses. ``{00..99}`` counts.
        reader: Makes the pixels.
        stills: Whether pictures count.
        shuffle: False keeps the order of shards and records.
        shuffle_buffer: Records kept in memory, of which one is drawn at random.

    Raises:
        InputError: An address is of a kind that is not read.
        MissingDependencyError: The webdataset package is not installed.
    """

    def __init__(
        self,
        urls: Iterable[str],
        reader: ClipReader,
        stills: bool = False,
        shuffle: bool = True,
        shuffle_buffer: int = 64,
    ) -> None:
        self.urls = _expand(urls)
        self.reader = reader
        self.suffixes = CLIP_SUFFIXES | PICTURE_SUFFIXES if stills else CLIP_SUFFIXES
        self.shuffle = shuffle
        self.shuffle_buffer = shuffle_buffer
        self.report = SkipReport(", ".join(self.urls[:2]) + (" ..." if len(self.urls) > 2 else ""))
        self.reports = (self.report,)

    def draws(
        self, seed: int, start: int = 0, rank: int = 0, world_size: int = 1
    ) -> Iterator[Draw]:
        """The order of the samples; ``start`` costs reading that many records.

        Raises:
            InputError: No shard has a record that can be used.
        """
        records = self._records(seed, rank, world_size)
        if self.shuffle and self.shuffle_buffer > 1:
            generator = derive_generator(seed, "buffer", rank, world_size)
            records = _shuffle(records, self.shuffle_buffer, generator)
        for index, record in enumerate(islice(records, start, None), start):
            key = (seed, "sample", rank, world_size, index)
            yield partial(count_draw, self.report, record.name, partial(self._read, record, key))

    def _read(self, record: Record, key: tuple[int | str, ...]) -> Sample:
        caption = parse_caption(record.caption, record.caption_suffix)
        media = io.BytesIO(record.media)
        return Sample(self.reader.read(media, record.name, derive_generator(*key)), caption)

    def _records(self, seed: int, rank: int, world_size: int) -> Iterator[Record]:
        """Records of one process, epoch after epoch."""
        if len(self.urls) < world_size:
            yield from islice(self._records(seed, 0, 1), rank, None, world_size)
        for epoch in count():
            shards = self._shard_order(seed, epoch)
            # All shards stand in for a process whose own are all broken.
            for candidates in (shards[rank::world_size], shards):
                num_found = 0
                for record in chain.from_iterable(map(self._shard, candidates)):
                    num_found += 1
                    yield record
                if num_found:
                    break
            else:
                found = self.report.summary() or "They hold no clip with a caption."
                raise InputError(f"No record of the shards {self.report.source} is usable. {found}")

    def _shard_order(self, seed: int, epoch: int) -> list[str]:
        if not self.shuffle:
            return self.urls
        generator = derive_generator(seed, "shards", epoch)
        return [self.urls[i] for i in torch.randperm(len(self.urls), generator=generator).tolist()]

    def _shard(self, url: str) -> Iterator[Record]:
        """Usable records of one shard; a shard that breaks off ends early, with a note."""
        from webdataset.tariterators import group_by_keys

        members = self._members(url)
        for group in group_by_keys(members, handler=partial(self._note_bad_group, url)):
            try:
                record = self._record(group)
            except UnusableClip as problem:
                self.report.add_skip(f"{url}: {group['__key__']}", problem)
            else:
                if record is not None:
                    yield record

    def _members(self, url: str) -> Iterator[dict[str, Any]]:
        """Regular files of a tar that can matter, in the form that webdataset groups."""
        try:
            with (
                closing(_open_shard(url)) as stream,
                tarfile.open(fileobj=stream, mode="r|*") as tar,
            ):
                for member in tar:
                    cast(Any, tar).members = []  # else every header stays in memory
                    if not member.isfile() or not self._matters(member.name):
                        continue
                    if member.size > MAX_MEMBER_BYTES:
                        problem = UnusableClip("too large", f"{member.size} bytes")
                        self.report.add_skip(f"{url}: {member.name}", problem)
                        continue
                    file = tar.extractfile(member)
                    if file is not None:
                        yield {"fname": member.name, "data": file.read(), "__url__": url}
        except _BROKEN_SHARD as error:
            self.report.add_skip(url, UnusableClip("in a broken shard", str(error)[:200]))

    def _matters(self, name: str) -> bool:
        return suffix_of(name) in self.suffixes | {"txt", "json"}

    def _record(self, group: dict[str, Any]) -> Record | None:
        """The record of one group of files; None if it holds nothing of the wanted kind."""
        fields = {suffix_of(name): (name, data) for name, data in group.items() if name[:2] != "__"}
        media = next((suffix for suffix in fields if suffix in self.suffixes), None)
        if media is None:
            return None
        caption = next((suffix for suffix in ("txt", "json") if suffix in fields), None)
        if caption is None:
            raise UnusableClip("without caption", "there is no .txt or .json of the same name")
        name, data = fields[media]
        return Record(f"{group['__key__']}.{name}", data, fields[caption][1], caption)

    def _note_bad_group(self, url: str, error: Exception) -> bool:
        self.report.add_skip(url, UnusableClip("unreadable", str(error.args[0])[:200]))
        return True


def _shuffle(records: Iterator[Record], size: int, generator: torch.Generator) -> Iterator[Record]:
    """The records in an order that is random within about ``size`` places."""
    buffer: list[Record] = []
    for record in records:
        if len(buffer) < size:
            buffer.append(record)
            continue
        place = int(torch.randint(size, (1,), generator=generator))
        buffer[place], record = record, buffer[place]
        yield record


def _expand(urls: Iterable[str]) -> list[str]:
    try:
        from webdataset.shardlists import expand_urls
    except ImportError as error:
        raise MissingDependencyError(
            "Reading tar shards needs webdataset; install it with: pip install 'webdataset>=1,<2'"
        ) from error
    expanded = [shard for url in urls for shard in expand_urls(url)]
    for url in expanded:
        # Not webdataset's own opener: it runs shell commands that an address can contain.
        is_remote = url.startswith(("http://", "https://"))
        if not is_remote and ("://" in url or url.startswith("pipe:")):
            raise InputError(f"Shard '{url}' is of a kind not read here; use a path or http(s).")
    return expanded


def _open_shard(url: str) -> BinaryIO:
    if not url.startswith(("http://", "https://")):
        return Path(url).open("rb")
    return _with_retries(partial(urllib.request.urlopen, url, timeout=TIMEOUT_SECONDS))


def _with_retries(connect: Callable[[], BinaryIO]) -> BinaryIO:
    for _ in range(NUM_ATTEMPTS - 1):
        try:
            return connect()
        except urllib.error.HTTPError as error:
            if error.code < 500:  # not found, not allowed: asking again won't help
                error.close()
                raise
            error.close()
        except OSError:
            continue
    return connect()
