"""The jobs that there are, for whoever may see them. Nothing is changed here."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from app import texts
from app.jobs.job import RESULTS, Job
from app.jobs.store import JobStore, no_such_job
from app.line import Line, Status
from app.policy import Policy
from app.shown import is_shown
from lavie.errors import InputError

_POLL_SECONDS = 0.1


class JobBook:
    """Finds jobs, lists them and follows them.

    Args:
        store: The jobs.
        line: Those that are not over, in their order.
        data: The data folder.
        policy: Whether visitors are told apart.
    """

    def __init__(self, store: JobStore, line: Line, data: Path, policy: Policy) -> None:
        self.policy = policy
        self.data = data
        self.results = data / RESULTS
        self._store = store
        self._line = line

    def get(self, job_id: str) -> Job:
        """Return what is known about a job now.

        Raises:
            InputError: There is no such job.
        """
        return self._store.get(job_id)

    def find(self, job_id: str, owner: str = "") -> Job:
        """As `get`, but in public what was thrown away is there for its owner only.

        Raises:
            InputError: There is no such job, or not for this one.
        """
        job = self.get(job_id)
        if job.deleted and self.policy.is_public and job.owner != owner:
            raise no_such_job(job_id)
        return job

    def find_to_use(self, job_id: str) -> Job:
        """As `get`, for whoever wants its files, or to go on from them.

        Raises:
            InputError: There is no such job, or it was thrown away.
        """
        job = self.get(job_id)
        if job.deleted:
            raise InputError(texts.THROWN_AWAY, "job_id")
        return job

    def _own(self, job_id: str, owner: str) -> Job:
        """A job that its owner wants to change: an id is no secret once a file was passed on."""
        job = self.get(job_id)
        if self.policy.is_public and job.owner != owner:
            raise InputError(texts.NOT_YOURS, "job_id")
        return job

    def knows(self, job_id: str) -> bool:
        """Whether there is such a job."""
        return job_id in self._store

    def is_busy_with(self, job_id: str) -> bool:
        """Whether there is such a job and it is not over."""
        return self.knows(job_id) and not self.get(job_id).is_over

    def is_shown(self, file: Path) -> bool:
        """Whether a file may be given to anybody who knows its name, if Gradio gives it at all.

        Args:
            file: Resolved.
        """
        results = self.results.resolve()
        return not file.is_relative_to(results) or is_shown(file, results, self._store)

    def history(
        self,
        owner: str | None = None,
        search: str = "",
        limit: int = 50,
        before: str | None = None,
        only_starred: bool = False,
    ) -> list[Job]:
        """The jobs that have made something, newest first. Arguments: `JobStore.history`.

        In public an owner sees what is his, or what is everybody's if the server has a gallery; on
        a private server, whose visitors have no names, all that was ever made.
        """
        if self.policy.is_public and not self.policy.has_gallery:
            if not owner:
                return []
        elif self.policy.has_gallery or not owner:
            owner = None
        return self._store.history(owner, search, limit, before, only_starred)

    def queue(self, owner: str = "") -> list[Status]:
        """The jobs that run and those that wait, in their order; in public only an owner's."""
        return [status for status in self._line if self._may_list(status.job, owner)]

    def interrupted(self, owner: str = "") -> list[Job]:
        """The jobs that ran when the server stopped, as `queue` lists them."""
        return [job for job in self._store.interrupted() if self._may_list(job, owner)]

    def stopped(self, kind: str, owner: str = "") -> list[Job]:
        """The jobs of a kind that stopped before they were done, as `queue` lists them."""
        jobs = self._store.stopped_before(datetime.now(UTC), kind)
        return [job for job in jobs if self._may_list(job, owner)]

    def _may_list(self, job: Job, owner: str) -> bool:
        return not self.policy.is_public or job.owner == owner

    def wait(self, job_id: str, timeout: float | None = None) -> Job:
        """Wait until a job is over, at most ``timeout`` seconds, and return it."""
        return self._store.wait(job_id, lambda job: job.is_over, timeout)

    async def follow(self, job_id: str) -> AsyncIterator[Status]:
        """Tell each change of a job until it is over; anyone who has its id may follow.

        Raises:
            InputError: There is no such job.
        """
        last: tuple[object, ...] | None = None
        while True:
            status = self.status(self._store.get(job_id))
            now = status.job.revision, status.num_ahead, status.is_held, _whole(status)
            if now != last:
                last = now
                yield status
            if status.job.is_over:
                return
            await asyncio.sleep(_POLL_SECONDS)

    def status(self, job: Job) -> Status:
        """A job, and what comes before it if it is queued."""
        return self._line.status_of(job)


def _whole(status: Status) -> int | None:
    """Seconds that a job waits, as they are told."""
    return None if status.seconds_ahead is None else round(status.seconds_ahead)
