"""Long work belongs to the server: a store of jobs, and a worker that does them one by one.

The store holds what is known about each job; the worker owns the model. They share nothing but
the store's methods, so a store on disk and workers in other processes can take their place.
"""

import itertools
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from app import texts
from app.costs import Costs
from app.request import Request, StageRequest
from app.result import Effort, Result
from lavie.errors import Cancelled, InputError, LaVieError
from lavie.types import CancelToken, Event, OnEvent, Preview, Progress

logger = logging.getLogger(__name__)

MAX_QUEUED = 20
MAX_FINISHED = 200

JobState = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class Job:
    """What is known about a job at one moment; ``revision`` grows with each change.

    ``results`` has one for each stage that is done, and those that the job was given to go on from.
    """

    id: str
    request: Request
    created: datetime
    state: JobState = "queued"
    progress: Progress | None = None
    preview: Preview | None = None
    results: tuple[Result, ...] = ()
    error: str | None = None
    is_cancel_requested: bool = False
    revision: int = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ("done", "failed", "cancelled")

    def result_of(self, stage: str) -> Result | None:
        """What a stage left, or None if it did not run."""
        return next((result for result in self.results if result.stage == stage), None)


class Runner(Protocol):
    """Owns a model and turns a request into files."""

    def prepare(self) -> tuple[Effort, float] | None:
        """Load what the first job needs; may tell how many seconds a small sample of it took."""
        ...

    def run(
        self, request: Request, folder: Path, on_event: OnEvent, cancel: CancelToken
    ) -> Iterator[Result]:
        """Run the stages and give each one's result, whose files are in ``folder`` by then.

        Args:
            request: What to make.
            folder: Does not exist yet.
            on_event: Hears of every step.
            cancel: Stops the stage at hand; those that are done keep their files.
        """
        ...


class JobStore:
    """The jobs of this server, in memory, safe to use from any thread.

    Of those that are over, the latest `MAX_FINISHED` are remembered; their files stay on disk.
    """

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._cancel_tokens: dict[str, CancelToken] = {}
        self._changed = threading.Condition()

    def add(self, request: Request) -> Job:
        """Queue a request. Its id sorts by time and cannot be guessed.

        Raises:
            InputError: `MAX_QUEUED` jobs are waiting already.
        """
        now = datetime.now(UTC)
        given = request.given if isinstance(request, StageRequest) else ()
        job = Job(f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(6)}", request, now, results=given)
        with self._changed:
            if len(self._queued()) >= MAX_QUEUED:
                raise InputError(texts.queue_is_full(MAX_QUEUED))
            self._forget_old()
            self._jobs[job.id] = job
            self._cancel_tokens[job.id] = CancelToken()
            self._changed.notify_all()
        return job

    def __contains__(self, job_id: str) -> bool:
        with self._changed:
            return job_id in self._jobs

    def get(self, job_id: str) -> Job:
        """Return what is known about a job now.

        Raises:
            InputError: There is no such job.
        """
        with self._changed:
            if job_id not in self._jobs:
                raise InputError(f"There is no job {job_id:.40} on this server.", "job_id")
            return self._jobs[job_id]

    def update(self, job_id: str, **changes: Any) -> Job:  # noqa: ANN401 - the fields of Job
        """Note changes of a job; what is over stays as it is."""
        with self._changed:
            job = self.get(job_id)
            if not job.is_over:
                job = replace(job, **changes, revision=job.revision + 1)
                self._jobs[job_id] = job
                self._changed.notify_all()
            return job

    def take(self, timeout: float | None = None) -> Job | None:
        """Wait for the oldest queued job and mark it as running; None after ``timeout`` seconds."""
        with self._changed:
            queued = self._changed.wait_for(self._queued, timeout)
            return self.update(queued[0].id, state="running") if queued else None

    def cancel(self, job_id: str) -> Job:
        """Drop a queued job, or ask the worker to stop a running one as soon as it can."""
        with self._changed:
            if self.get(job_id).state == "queued":
                return self.update(job_id, state="cancelled", is_cancel_requested=True)
            self._cancel_tokens[job_id].cancel()
            return self.update(job_id, is_cancel_requested=True)

    def cancel_token(self, job_id: str) -> CancelToken:
        """The token that `cancel` sets; whoever does the job looks at it."""
        with self._changed:
            return self._cancel_tokens[job_id]

    def num_ahead(self, job_id: str) -> int:
        """How many jobs come before a queued one, the running ones included."""
        with self._changed:
            before = itertools.takewhile(lambda job: job.id != job_id, self._jobs.values())
            return sum(not job.is_over for job in before)

    def wait(self, job_id: str, is_met: Callable[[Job], bool], timeout: float | None) -> Job:
        """Wait until a job meets a condition, and return it as it is then (or at the timeout)."""
        with self._changed:
            self._changed.wait_for(lambda: is_met(self.get(job_id)), timeout)
            return self.get(job_id)

    def _forget_old(self) -> None:
        over = [job.id for job in self._jobs.values() if job.is_over]
        for job_id in over[:-MAX_FINISHED]:
            del self._jobs[job_id], self._cancel_tokens[job_id]

    def _queued(self) -> list[Job]:
        return [job for job in self._jobs.values() if job.state == "queued"]


class Worker(threading.Thread):
    """Takes jobs from a store, one at a time, and has its runner do them.

    Args:
        store: Where jobs come from and progress goes to.
        runner: Owns the model. Its `prepare` is called first, in this thread.
        data: Results are written to ``data/<year-month-day>/<job id>``.
        costs: Learns how long each stage takes.
    """

    def __init__(self, store: JobStore, runner: Runner, data: Path, costs: Costs) -> None:
        super().__init__(name="lavie-worker", daemon=True)
        self._store = store
        self._runner = runner
        self._data = data
        self._costs = costs
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Stop after the job at hand."""
        self._stopping.set()

    def run(self) -> None:
        """Work until stopped."""
        try:
            sample = self._runner.prepare()
            if sample is not None:
                self._costs.hint(*sample)
        except LaVieError as error:
            logger.error("The model could not be loaded: %s", error)
        except Exception:
            logger.exception("The model could not be loaded")
        while not self._stopping.is_set():
            job = self._store.take(timeout=0.5)
            if job is not None:
                self._do(job)

    def _do(self, job: Job) -> None:
        def on_event(event: Event) -> None:
            if isinstance(event, Progress | Preview):
                change = {"preview" if isinstance(event, Preview) else "progress": event}
                self._store.update(job.id, **change)

        logger.info("Job %s starts: seed %d", job.id, job.request.seed)
        try:
            folder = self._data / f"{job.created:%Y-%m-%d}" / job.id
            cancel = self._store.cancel_token(job.id)
            results = job.results
            for result in self._runner.run(job.request, folder, on_event, cancel):
                results = (*results, result)
                self._costs.learn(result.effort, result.seconds)
                self._store.update(job.id, results=results, progress=None, preview=None)
            self._store.update(job.id, state="done")
            logger.info("Job %s is done", job.id)
        except Cancelled:
            self._store.update(job.id, state="cancelled", preview=None)
            logger.info("Job %s was cancelled", job.id)
        except LaVieError as error:
            logger.warning("Job %s was refused: %s", job.id, error)
            self._store.update(job.id, state="failed", error=str(error), preview=None)
        except Exception:
            logger.exception("Job %s failed", job.id)
            self._store.update(
                job.id, state="failed", error=texts.unexpected_failure(job.id), preview=None
            )
