"""What a visitor may do: everything on a server of one's own, less on one open to others."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from app import texts
from app.jobs.job import Job
from app.rate_limit import RateLimit
from lavie.errors import InputError


@dataclass(frozen=True)
class Policy:
    """The rules of a server.

    Args:
        is_public: Whether it is open to others, who are told apart and see only what is theirs.
        has_gallery: Whether they see each other's finished videos all the same.
        is_checked: Whether every video has to pass a safety checker before its files are written.
        has_training: Whether LoRAs are trained here.
    """

    is_public: bool = False
    has_gallery: bool = False
    is_checked: bool = False
    has_training: bool = True


class Allowance(NamedTuple):
    """How much one may ask for.

    Args:
        num_waiting: Videos that wait at a time.
        num_per_minute: Videos that are asked for within a minute.
    """

    num_waiting: int
    num_per_minute: int


PER_VISITOR = Allowance(3, 10)
"""Nobody watches more than a few videos being made; ten a minute is faster than anybody types."""

PER_ADDRESS = Allowance(20, 60)
"""Tokens are free, addresses are less so: a class room may share one, but not fill the queue."""


TRAININGS_WAITING = 1
"""Of a visitor: one takes as long as many videos."""


class Quota:
    """Keeps one visitor of a public server from taking the queue from all others.

    Args:
        clock: Seconds, ever growing.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._by_owner = RateLimit(PER_VISITOR.num_per_minute, 60, clock)
        self._by_address = RateLimit(PER_ADDRESS.num_per_minute, 60, clock)
        self._addresses: dict[str, str] = {}  # of owners

    @contextmanager
    def admit(
        self,
        owner: str,
        address: str,
        queued: Callable[[], Sequence[Job]],
        num_jobs: int = 1,
        is_training: bool = False,
    ) -> Iterator[None]:
        """Queue jobs in here: nobody else does meanwhile, so that the count holds.

        Args:
            owner: Who asks.
            address: From where; empty if that is not known.
            queued: Gives the jobs that wait.
            num_jobs: How many more it is to be.
            is_training: Whether it is a LoRA that is to be trained.

        Raises:
            InputError: That would be too many, or too fast.
        """
        with self._lock:
            jobs = queued()
            waiting = Counter(job.owner for job in jobs)
            self._addresses = {o: a for o, a in self._addresses.items() if o in waiting}
            from_here = sum(n for o, n in waiting.items() if self._addresses.get(o) == address)
            own = sum(job.request.kind == "lora" for job in jobs if job.owner == owner)
            if is_training and own >= TRAININGS_WAITING:
                raise InputError(texts.TRAINING_IS_WAITING)
            if waiting[owner] + num_jobs > PER_VISITOR.num_waiting:
                raise InputError(texts.too_many_waiting(PER_VISITOR.num_waiting))
            if address and from_here + num_jobs > PER_ADDRESS.num_waiting:
                raise InputError(texts.too_many_from_there(PER_ADDRESS.num_waiting))
            if not self._by_owner.take(owner, num_jobs):
                raise InputError(texts.too_fast(self._by_owner.limit))
            if address and not self._by_address.take(address, num_jobs):
                raise InputError(texts.too_fast(self._by_address.limit))
            self._addresses[owner] = address
            yield
