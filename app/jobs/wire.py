"""What server and workers tell each other, on a key-value store and queue of huey's.

huey has one for the memory of a process, for a SQLite file and for Redis, with the same methods,
of which one is atomic: to put a value where there is none. With it a worker claims an order, and
the server withdraws one; whoever comes first has it, so no job is ever done by two.
"""

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

from app.jobs.document import Document
from app.jobs.job import Animation
from app.jobs.store import DATABASE
from app.request import Request
from app.result import Effort, Result
from lavie.errors import InputError, MissingDependencyError, first_line
from lavie.runtime.profiles import ProfileName
from lavie.types import Progress, StageName

T = TypeVar("T")

_WITHDRAWN = "withdrawn"
_SAID = ("report", "preview", "stop", "finish")


@dataclass(frozen=True)
class Order:
    """What the server asks a worker to do.

    Args:
        ticket: Names this try at the job.
        job_id: The job.
        request: What to make.
        results: What is done of it.
        folder: Where its files go, inside the data folder.
        is_memory_short: It ran out of memory before.
        is_checked: Its video has to pass a safety checker.
        profile: What to do about memory; None: what the worker was told when it was started.
        is_finishing: Whether it is only to make something of what it has learnt.
        stages: Those that the server's model has.
    """

    ticket: str
    job_id: str
    request: Annotated[Request, Field(discriminator="kind")]
    results: tuple[Result, ...]
    folder: Path
    is_memory_short: bool = False
    is_checked: bool = False
    profile: ProfileName | None = None
    is_finishing: bool = False
    stages: tuple[StageName, ...] = ()


Outcome = Literal["done", "cancelled", "failed", "out_of_memory"]


@dataclass(frozen=True)
class Report:
    """How far a worker is with an order.

    Args:
        results: One for each stage that is done.
        progress: Of the stage at hand.
        outcome: How it ended; None before.
        error: Why it failed.
    """

    results: tuple[Result, ...]
    progress: Progress | None = None
    outcome: Outcome | None = None
    error: str | None = None


@dataclass(frozen=True)
class Setup:
    """How a worker has its model.

    Args:
        device: On which it works, in words.
        profile: What is done about memory: name of a `lavie.runtime.profiles.Profile`.
        asked: The profile that was asked for; auto: the one that the free memory is enough for.
        free_bytes: Memory that was free before it was loaded; None where the system does not say.
        ran_short: Whether a job ran out of memory, so that it takes less than what was asked for.
        model_hash: Of its weights; empty if it does not say.
    """

    device: str
    profile: str
    asked: ProfileName
    free_bytes: int | None = None
    ran_short: bool = False
    model_hash: str = ""


@dataclass(frozen=True)
class WorkerStatus:
    """A sign of life.

    Args:
        name: Of the worker.
        beat: Grows; what counts is that it changes, so clocks need not agree.
        state: Whether its model is loaded.
        error: Why it could not be loaded.
        sample: What it asked of its model to see how fast it is...
        seconds: ...and how long that took.
        setup: How it has its model, once that is loaded.
    """

    name: str
    beat: int
    state: Literal["loading", "ready", "broken"] = "loading"
    error: str | None = None
    sample: Effort | None = None
    seconds: float | None = None
    setup: Setup | None = None


class Wire:
    """Orders, claims, reports and signs of life.

    Args:
        address: ``memory:`` within one process, ``sqlite:`` for the processes of this machine (in
            the file of the job store), or the address of a Redis for those of many.
        data: The data folder of this process.

    Raises:
        InputError: There is no such kind of address, or no Redis there.
    """

    def __init__(self, address: str, data: Path) -> None:
        self._storage = _open_storage(address, data)
        self._orders = Document(Order, data)
        self._reports = Document(Report, data)
        self._animations = Document(Animation, data)
        self._statuses = Document(WorkerStatus, data)

    # What the server does

    def offer(self, order: Order) -> None:
        """Leave an order for the next worker that is free."""
        self._storage.enqueue(self._orders.write(order).encode())

    def withdraw(self, ticket: str) -> bool:
        """Take an order back; False if a worker has it already."""
        return self._storage.put_if_empty(f"claim:{ticket}", _WITHDRAWN.encode())

    @property
    def is_empty(self) -> bool:
        """Whether no order waits for a worker."""
        return self._storage.queue_size() == 0

    def claimant(self, ticket: str) -> str | None:
        """The worker that has an order, if any."""
        name = self._peek(f"claim:{ticket}")
        return None if name in (None, _WITHDRAWN) else name

    def report(self, ticket: str) -> Report | None:
        """How far an order is."""
        return self._read(self._reports, f"report:{ticket}")

    def preview(self, ticket: str) -> Animation | None:
        """What the video of an order looks like so far."""
        return self._read(self._animations, f"preview:{ticket}")

    def ask_to_stop(self, ticket: str) -> None:
        """Ask the worker that has an order to stop at its next step."""
        self._storage.put_data(f"stop:{ticket}", b"1")

    def ask_to_finish(self, ticket: str) -> None:
        """Ask the worker that has an order to make something of what it has learnt so far."""
        self._storage.put_data(f"finish:{ticket}", b"1")

    def forget(self, ticket: str) -> None:
        """Remove what was said about an order, but for who claimed it: it may still be read."""
        for kind in _SAID:
            self._storage.delete_data(f"{kind}:{ticket}")

    def start_anew(self, running: Container[str]) -> None:
        """Drop what an earlier server left, but for the orders that are ``running``.

        Signs of life go, too: who lives gives the next one within a second.
        """
        self._storage.flush_queue()
        for key in self._storage.result_items():
            kind, _, ticket = key.partition(":")
            if kind == "worker":
                self.forget_worker(ticket)
            elif kind in ("claim", *_SAID) and ticket not in running:
                self._storage.delete_data(key)

    def status(self, worker: str) -> WorkerStatus | None:
        """The latest sign of life of a worker."""
        return self._read(self._statuses, f"worker:{worker}")

    def forget_worker(self, worker: str) -> None:
        """Remove the signs of life of a worker that gives no more."""
        self._storage.delete_data(f"worker:{worker}")

    # What a worker does

    def take(self) -> Order | None:
        """The next order, which has still to be claimed; None if there is none for now."""
        data = self._storage.dequeue()
        return None if data is None else self._orders.read(bytes(data))

    def claim(self, ticket: str, worker: str) -> bool:
        """Make an order this worker's; False if it was withdrawn."""
        return self._storage.put_if_empty(f"claim:{ticket}", worker.encode())

    def send_report(self, ticket: str, report: Report) -> None:
        """Tell how far an order is."""
        self._storage.put_data(f"report:{ticket}", self._reports.write(report).encode())

    def send_preview(self, ticket: str, preview: Animation) -> None:
        """Show what the video of an order looks like so far."""
        self._storage.put_data(f"preview:{ticket}", self._animations.write(preview).encode())

    def is_stop_asked(self, ticket: str) -> bool:
        """Whether the server wants an order to stop."""
        return self._storage.has_data_for_key(f"stop:{ticket}")

    def is_finish_asked(self, ticket: str) -> bool:
        """Whether the server wants an order to end with what it has learnt so far."""
        return self._storage.has_data_for_key(f"finish:{ticket}")

    def send_status(self, status: WorkerStatus) -> None:
        """Give a sign of life."""
        self._storage.put_data(f"worker:{status.name}", self._statuses.write(status).encode())

    def _read(self, documents: Document[T], key: str) -> T | None:
        """What is there, if it is of this version of the studio."""
        text = self._peek(key)
        return None if text is None else documents.read_if_valid(text, key)

    def _peek(self, key: str) -> str | None:
        from huey.constants import EmptyData

        data: Any = self._storage.peek_data(key)
        return None if data is EmptyData else bytes(data).decode()


def _open_storage(address: str, data: Path) -> Any:  # noqa: ANN401 - huey has no types
    from huey.storage import MemoryStorage, SqliteStorage

    if address == "memory:":
        return MemoryStorage("lavie")
    if address == "sqlite:":
        return SqliteStorage("lavie", filename=str(data / DATABASE), timeout=30)
    if address.startswith(("redis://", "rediss://", "unix://")):
        return _open_redis(address)
    raise InputError(
        f"'{_public(address)}' is no address for jobs. Use redis://host:port, or none.", "wire"
    )


def _open_redis(address: str) -> Any:  # noqa: ANN401 - huey has no types
    try:
        from redis.exceptions import RedisError
    except ImportError as error:
        raise MissingDependencyError(
            "Jobs over Redis need the package redis. Install it with: pip install 'redis>=6'"
        ) from error
    from huey.storage import RedisStorage

    try:
        storage = RedisStorage("lavie", url=address)
        storage.conn.ping()
    except (RedisError, ValueError) as error:
        raise InputError(
            f"There is no Redis at {_public(address)}: {first_line(error)}. Start one, or name "
            "another.",
            "wire",
        ) from error
    return storage


def _public(address: str) -> str:
    """An address without its password."""
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if rest else address
