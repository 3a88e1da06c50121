"""What the studio can do for anyone who asks: submit, follow, cancel. No web page in here."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from app import texts
from app.jobs import Job, JobStore, Runner, Worker
from app.model_card import ModelCard
from app.request import MAX_SEED, TextToVideoRequest, check_request
from lavie.errors import InputError

_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Status:
    """A job at one moment, and how many others come before it."""

    job: Job
    num_ahead: int = 0


class Service:
    """The studio without a face: checks requests, keeps jobs, has a worker do them.

    Args:
        card: What the model says about itself.
        runner: Owns the model.
        data: Folder that results are written to.
    """

    def __init__(self, card: ModelCard, runner: Runner, data: Path) -> None:
        self.card = card
        self._store = JobStore()
        self._worker = Worker(self._store, runner, data)

    def start(self) -> None:
        """Start the worker; it loads the model first."""
        self._worker.start()

    def stop(self) -> None:
        """Let the worker finish the job at hand and wait for it."""
        self._worker.stop()
        self._worker.join()

    def check(self, values: Mapping[str, object]) -> TextToVideoRequest | list[InputError]:
        """Turn the values of a form into a request, or into everything wrong with them.

        An empty seed asks for a new one; a prompt needs at least one word that the model knows.
        """
        values = dict(values)
        if values.get("seed") in (None, ""):
            values["seed"] = random.randint(0, MAX_SEED)
        request = check_request(values, self.card.ranges)
        if isinstance(request, TextToVideoRequest) and self.card.knows_nothing_of(request.prompt):
            return [InputError(texts.NO_KNOWN_WORD, "prompt")]
        return request

    def submit(self, values: Mapping[str, object]) -> Job:
        """Queue a video.

        Raises:
            InputError: The first thing that is wrong with the values, or the queue is full.
        """
        request = self.check(values)
        if isinstance(request, list):
            raise request[0]
        return self._store.add(request)

    def get(self, job_id: str) -> Job:
        """Return what is known about a job now.

        Raises:
            InputError: There is no such job.
        """
        return self._store.get(job_id)

    def knows(self, job_id: str) -> bool:
        """Whether there is such a job."""
        return job_id in self._store

    def is_busy_with(self, job_id: str) -> bool:
        """Whether there is such a job and it is not over."""
        return self.knows(job_id) and not self.get(job_id).is_over

    def cancel(self, job_id: str) -> Job:
        """Ask a job to stop: at once if it is queued, as soon as it can if it is running.

        Raises:
            InputError: There is no such job.
        """
        return self._store.cancel(job_id)

    def wait(self, job_id: str, timeout: float | None = None) -> Job:
        """Wait until a job is over, at most ``timeout`` seconds, and return it."""
        return self._store.wait(job_id, lambda job: job.is_over, timeout)

    async def follow(self, job_id: str) -> AsyncIterator[Status]:
        """Tell each change of a job until it is over; anyone who has its id may follow.

        Raises:
            InputError: There is no such job.
        """
        last: tuple[int, int] | None = None
        while True:
            job = self._store.get(job_id)
            num_ahead = self._store.num_ahead(job_id) if job.state == "queued" else 0
            if (job.revision, num_ahead) != last:
                last = (job.revision, num_ahead)
                yield Status(job, num_ahead)
            if job.is_over:
                return
            await asyncio.sleep(_POLL_SECONDS)
