"""Files of the hub: told of beforehand, received with progress, gone on with after a cut, verified.

huggingface_hub says where a file is, how large and with which checksum, and keeps the cache. Two
things it leaves to us (as of version 2.4): it throws away what came of a file when the connection
is cut, and it compares sizes, but no checksums.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

from lavie.errors import CheckpointError, first_line
from lavie.pipelines.new_folder import check_space
from lavie.types import CancelToken, OnEvent, Progress

logger = logging.getLogger(__name__)

DOWNLOAD = "download"
"""The stage that `Progress` events of a download name; their steps are bytes."""

Answer = TypeVar("Answer")

_WAITS = (1.0, 2.0, 4.0, 8.0)
"""Seconds before each new attempt since data came last."""

_SECONDS_BETWEEN_EVENTS = 0.2
_HTTP_LIBRARIES = ("httpx", "httpx2")  # which of them huggingface_hub speaks through varies
_PASSING_STATUS = (408, 429, 500, 502, 503, 504)


class HubError(CheckpointError):
    """The hub can't be reached, or doesn't give a file.

    Args:
        message: One sentence for the user.
        is_unreachable: Whether there is no connection, so that a mirror won't answer either.
    """

    def __init__(self, message: str, *, is_unreachable: bool = False) -> None:
        super().__init__(message)
        self.is_unreachable = is_unreachable


@dataclass(frozen=True)
class HubFile:
    """One file of a repository on the hub.

    Attributes:
        repository: Hub id.
        name: Its path in there.
        num_bytes: Its size.
        checksum: SHA-256 of a large file, or git's SHA-1 of a small one, in hexadecimal.
        path: Where it is on this machine, if it is.
    """

    repository: str
    name: str
    num_bytes: int
    checksum: str
    path: Path | None = None


class Hub:
    """The model hub, and its cache on this machine.

    Args:
        cache_dir: The cache; None: its usual place.
        endpoint: Address of the hub; None: ``HF_ENDPOINT``, else the public one.
        offline: Whether to do with what is in the cache; None: as ``HF_HUB_OFFLINE`` says.
        cancel: Looked at ten times a second, also while the hub says nothing.
    """

    def __init__(
        self,
        cache_dir: Path | None = None,
        endpoint: str | None = None,
        offline: bool | None = None,
        cancel: CancelToken | None = None,
    ) -> None:
        from huggingface_hub import constants, is_offline_mode
        from huggingface_hub.utils.logging import set_verbosity_error

        set_verbosity_error()  # it tells of every retry; we say once what failed
        self.cache_dir = Path(cache_dir or constants.HF_HUB_CACHE)
        self.endpoint = endpoint
        self.offline = is_offline_mode() if offline is None else offline
        self._cancel = cancel or CancelToken()
        # Whoever cancels need not wait for a hub that says nothing
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hub")

    def find(self, repository: str, name: str) -> HubFile:
        """Ask the hub about a file; without a connection, the cache.

        Raises:
            HubError: There is no such repository or file, or no answer.
            Cancelled: ``cancel`` was set.
        """
        from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache

        cached = try_to_load_from_cache(repository, name, cache_dir=self.cache_dir)
        path = Path(cached) if isinstance(cached, str) else None
        if self.offline:
            if path is not None:
                return HubFile(repository, name, path.stat().st_size, "", path)
            raise HubError(
                f"{name} of {repository} is not on this machine, and offline mode does not "
                "download it. Unset HF_HUB_OFFLINE to allow it",
                is_unreachable=True,
            )
        url = hf_hub_url(repository, name, endpoint=self.endpoint)
        waits = _WAITS[:1] if path is None else ()
        try:
            metadata = self._patiently(
                lambda: get_hf_file_metadata(url, endpoint=self.endpoint), waits
            )
        except Exception as error:
            if not _is_of_the_hub(error):
                raise
            if path is not None and _is_passing(error):
                return HubFile(repository, name, path.stat().st_size, "", path)
            raise _hub_error(error) from error
        if metadata.etag is None or metadata.size is None:
            raise HubError(f"{url} tells neither size nor checksum, so it is no model hub")
        if path is not None and metadata.commit_hash not in path.parts:
            path = None  # it has changed since
        return HubFile(repository, name, metadata.size, metadata.etag, path)

    def fetch(
        self, files: Sequence[HubFile], on_event: OnEvent | None = None
    ) -> dict[HubFile, Path]:
        """Get files into the cache; a later call goes on from the bytes that are there.

        Args:
            files: As `find` gave them.
            on_event: Hears how many bytes of all files are there.

        Returns:
            Where each is.

        Raises:
            HubError: The connection is gone for good, or a file arrived damaged.
            CheckpointError: The disk is too small.
            Cancelled: ``cancel`` was set.
        """
        missing = [file for file in files if file.path is None]
        here = sum(_size(self._partial(file)) for file in missing)
        total = sum(file.num_bytes for file in missing)
        check_space(self.cache_dir, total - here)
        meter = _Meter(on_event if missing else None, total, here)
        return {file: file.path or self._fetch(file, meter) for file in files}

    def bytes_here(self, repository: str, names: Sequence[str]) -> int:
        """How much of a repository's files is in the cache, and of those that are on the way."""
        from huggingface_hub import try_to_load_from_cache

        cached = [try_to_load_from_cache(repository, name, self.cache_dir) for name in names]
        whole = sum(_size(Path(path)) for path in cached if isinstance(path, str))
        return whole + sum(map(_size, self._blobs(repository).glob("*.partial")))

    def _fetch(self, file: HubFile, meter: "_Meter") -> Path:
        from filelock import FileLock, Timeout

        blob, partial = self._blob(file), self._partial(file)
        blob.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(partial.with_suffix(".lock"))
        while not blob.exists():
            try:
                with lock.acquire(timeout=0.1):  # another process may be getting the same file
                    self._receive(file, partial, meter)
                    self._check(file, partial)
                    partial.replace(blob)
            except Timeout:
                self._cancel.raise_if_cancelled()
        path = Path(self._into_the_cache(file))
        if not path.is_symlink():  # a system without links makes a copy
            blob.unlink(missing_ok=True)
        return path

    def _into_the_cache(self, file: HubFile) -> str:
        """Let the library note what its cache has now; it asks the hub once more."""
        from huggingface_hub import hf_hub_download

        repository, name = file.repository, file.name
        options = {"cache_dir": self.cache_dir, "endpoint": self.endpoint}
        try:
            return self._aside(lambda: hf_hub_download(repository, name, **options))
        except Exception as error:
            if not _is_of_the_hub(error):
                raise
            raise _hub_error(error) from error

    def _receive(self, file: HubFile, partial: Path, meter: "_Meter") -> None:
        """Get what is missing of a file, however often the connection is cut."""
        partial.touch()
        num_failures = 0
        while (here := _size(partial)) < file.num_bytes:
            try:
                self._append(file, partial, meter)
                if _size(partial) == here:
                    raise HubError(f"the hub sends nothing of {file.name} after byte {here}")
            except Exception as error:
                if not _is_of_the_hub(error):
                    raise
                if not _is_passing(error):
                    raise _hub_error(error) from error
                num_failures = 0 if _size(partial) > here else num_failures
                if num_failures == len(_WAITS):
                    raise HubError(
                        f"the connection was lost after {_size(partial) / 1e6:.1f} of "
                        f"{file.num_bytes / 1e6:.1f} MB of {file.name}; the next attempt goes on "
                        "from there",
                        is_unreachable=True,
                    ) from error
                logger.info("%s: %s. Going on.", file.name, first_line(error))
                self._sleep(_WAITS[num_failures])
                num_failures += 1

    def _append(self, file: HubFile, partial: Path, meter: "_Meter") -> None:
        with partial.open("ab") as opened:
            parts = _parts(file, self.endpoint, opened.tell())
            while (came := self._aside(lambda: next(parts, None))) is not None:
                place, part = came
                if place + len(part) > file.num_bytes:
                    break  # then it is another file, as its checksum will say
                if place < opened.tell():  # all of it came, not just the rest
                    meter.add(place - opened.tell())
                    opened.truncate(place)
                opened.write(part)
                meter.add(len(part))

    def _check(self, file: HubFile, partial: Path) -> None:
        """Throw a file away that is not what the hub has.

        Raises:
            HubError: Its size or checksum is another.
        """
        digest = _checksum(partial, file.checksum, self._cancel)
        if digest != file.checksum or _size(partial) != file.num_bytes:
            partial.unlink()
            raise HubError(
                f"{file.name} arrived damaged: its checksum is {digest}, expected "
                f"{file.checksum}, so it was thrown away. Download it again"
            )

    def _blobs(self, repository: str) -> Path:
        from huggingface_hub.file_download import repo_folder_name

        return self.cache_dir / repo_folder_name(repo_id=repository, repo_type="model") / "blobs"

    def _blob(self, file: HubFile) -> Path:
        return self._blobs(file.repository) / file.checksum

    def _partial(self, file: HubFile) -> Path:
        return self._blob(file).with_suffix(".partial")

    def _patiently(self, ask: Callable[[], Answer], waits: Sequence[float]) -> Answer:
        """Ask again after failures that pass."""
        for seconds in waits:
            try:
                return self._aside(ask)
            except Exception as error:
                if not _is_passing(error):
                    raise
            self._sleep(seconds)
        return self._aside(ask)

    def _aside(self, ask: Callable[[], Answer]) -> Answer:
        """Wait for an answer, but no longer than until somebody cancels."""
        self._cancel.raise_if_cancelled()
        future = self._thread.submit(ask)
        while not wait([future], timeout=0.1).done:
            self._cancel.raise_if_cancelled()
        return future.result()

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._cancel.raise_if_cancelled()
            time.sleep(min(left, 0.1))


class _Meter:
    """Tells how many bytes are here, a few times a second.

    Args:
        on_event: Hears of it.
        total: Bytes of all files.
        here: Bytes of them that were here before.
    """

    def __init__(self, on_event: OnEvent | None, total: int, here: int) -> None:
        self._on_event = on_event
        self._total = total
        self._here = here
        self._came = 0
        self._started = time.monotonic()
        self._told = 0.0
        self.add(0)

    def add(self, num_bytes: int) -> None:
        self._here += num_bytes
        self._came += max(num_bytes, 0)
        now = time.monotonic()
        is_last = self._here == self._total
        if self._on_event is None or not (is_last or now - self._told > _SECONDS_BETWEEN_EVENTS):
            return
        self._told = now
        pace = self._came / max(now - self._started, 1e-9)
        left = (self._total - self._here) / pace if pace else None
        self._on_event(Progress(DOWNLOAD, self._here, self._total, left))


def _parts(file: HubFile, endpoint: str | None, start: int) -> Iterator[tuple[int, bytes]]:
    """What the hub sends of a file from a byte on: places and the bytes that belong there."""
    from huggingface_hub import constants, get_session, hf_hub_url
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    url = hf_hub_url(file.repository, file.name, endpoint=endpoint)
    timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
    with get_session().stream("GET", url, headers=headers, timeout=timeout) as response:
        hf_raise_for_status(response)
        place = start if response.status_code == HTTPStatus.PARTIAL_CONTENT else 0
        for part in response.iter_bytes():
            yield place, part
            place += len(part)


def _checksum(path: Path, expected: str, cancel: CancelToken) -> str:
    """Of the kind that is expected: SHA-256, or the SHA-1 that git gives a small file."""
    digest = hashlib.sha256()
    if len(expected) == hashlib.sha1(usedforsecurity=False).digest_size * 2:
        digest = hashlib.sha1(f"blob {_size(path)}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            cancel.raise_if_cancelled()
            digest.update(part)
    return digest.hexdigest()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _is_of_the_hub(error: Exception) -> bool:
    return type(error).__module__.split(".")[0] in (*_HTTP_LIBRARIES, "huggingface_hub")


def _is_passing(error: Exception) -> bool:
    """Whether a failure may be gone in a second: no connection, or a hub that is busy."""
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in _PASSING_STATUS
    return type(error).__module__.split(".")[0] in _HTTP_LIBRARIES


def _hub_error(error: Exception) -> HubError:
    reason = first_line(error).split(". ")[0].rstrip(".")
    return HubError(reason, is_unreachable=_is_passing(error))
