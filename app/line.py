"""The line of jobs that are not over: what comes before each one, and how long that takes."""

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass

from app.costs import Costs
from app.jobs.dispatcher import Dispatcher
from app.jobs.job import Job
from app.jobs.store import JobStore
from app.request import efforts_left


@dataclass(frozen=True)
class Status:
    """A job at one moment, and what comes before it.

    Args:
        job: The job.
        num_ahead: How many other jobs come before a queued one.
        seconds_ahead: After how many seconds a worker is free for it, as far as that is known.
        is_held: Whether a queued job waits until somebody lets the queue go on.
    """

    job: Job
    num_ahead: int = 0
    seconds_ahead: float | None = None
    is_held: bool = False


class Line:
    """Who is next, and when.

    Args:
        store: The jobs, which know their order.
        dispatcher: Knows the workers.
        costs: Knows how long each stage takes.
    """

    def __init__(self, store: JobStore, dispatcher: Dispatcher, costs: Costs) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._costs = costs

    def __iter__(self) -> Iterator[Status]:
        """All jobs that are not over: those that run, then those that wait, in their order."""
        running, queued = self._store.running(), self._store.queued()
        yield from map(Status, running)
        is_held = self._dispatcher.is_paused
        begins = self._begins(running, queued)
        for num_ahead, (job, begin) in enumerate(zip(queued, begins, strict=True), len(running)):
            yield Status(job, num_ahead, begin if math.isfinite(begin) else None, is_held)

    def status_of(self, job: Job) -> Status:
        """A job, and what comes before it if it is queued."""
        if job.state != "queued":
            return Status(job)
        return next((status for status in self if status.job.id == job.id), Status(job))

    def _begins(self, running: list[Job], queued: list[Job]) -> Iterator[float]:
        """In how many seconds each job that waits is begun: by the worker that is free first.

        A job of which nobody knows how long it takes never ends, so that what is told of those
        behind it is what they wait at most; infinite if all workers are at such jobs.
        """
        num_free = max(self._dispatcher.num_workers - len(running), 0)
        free = [0.0] * num_free + [self._seconds_left(job) for job in running]
        heapq.heapify(free)
        for job in queued:
            yield free[0]
            heapq.heapreplace(free, free[0] + self._seconds_left(job))

    def _seconds_left(self, job: Job) -> float:
        """How long a job will still take; infinite unless every stage's speed is known here."""
        total, progress = 0.0, job.progress
        for effort in efforts_left(job.request, job.results, progress):
            cost = self._costs.estimate(effort)
            if cost.seconds is None:
                return math.inf
            seconds = cost.seconds
            if progress is not None and progress.stage == effort.stage:
                seconds = progress.seconds_left
                if seconds is None:
                    share = progress.step / max(progress.total, 1)
                    seconds = cost.seconds - share * (cost.seconds - cost.seconds_after)
            total += seconds
        return total
