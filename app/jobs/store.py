"""The jobs of a server, on disk: what was submitted, in which order, and what became of it."""

import logging
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from app import texts
from app.jobs.document import Document
from app.jobs.job import Job, JobState
from app.request import Request, StageRequest
from app.result import Result
from lavie.errors import InputError

logger = logging.getLogger(__name__)

DATABASE = "jobs.sqlite3"
MAX_QUEUED = 100
"""So that fifty who come at once all get a place; more would wait for hours."""

_GOES_ON_FROM = "id != ? AND deleted IS NULL AND document LIKE ?"
_AT_HAND = ("queued", "running", "interrupted")
_NOT_KEPT = ("progress", "preview")
_MIGRATIONS = (
    """
    CREATE TABLE job (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, state TEXT NOT NULL, prompt TEXT NOT NULL,
        has_results INTEGER NOT NULL, is_starred INTEGER NOT NULL, deleted TEXT,
        document TEXT NOT NULL
    );
    CREATE INDEX job_by_owner ON job (owner, id);
    CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
    """,
)
"""Each makes of one version of the schema the next; an old file is brought up to date."""


class JobStore:
    """The jobs of this server, safe to use from any thread of its one process.

    Every change is on disk before anybody hears of it, but for progress and previews, which are
    only in memory: they are worth nothing after a restart.

    Args:
        data: Folder of the database and of the files that jobs leave.

    Raises:
        InputError: The database is of a newer version of the studio, or none.
    """

    def __init__(self, data: Path) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.path = data / DATABASE
        self._documents = Document(Job, data, exclude=_NOT_KEPT)
        self._changed = threading.Condition(threading.RLock())
        self._database = _open(self.path)
        self._active = {job.id: job for job in self._select(f"state IN {_AT_HAND}")}
        self._moment = datetime.min.replace(tzinfo=UTC)

    def close(self) -> None:
        """Let go of the file."""
        with self._changed:
            self._database.close()

    def add(self, request: Request, owner: str = "", kept: tuple[Result, ...] = ()) -> Job:
        """Queue a request, last.

        Args:
            request: What to make.
            owner: Who asks.
            kept: What else there is of the video that it goes on from.

        Raises:
            InputError: `MAX_QUEUED` jobs are waiting already, or the disk is full.
        """
        with self._changed:
            now = self._next_moment()
            job = Job(
                id=f"{now:%Y%m%d-%H%M%S-%f}-{secrets.token_hex(6)}",  # in order of time
                request=request,
                created=now,
                owner=owner,
                rank=self._last_rank(),
                results=request.given if isinstance(request, StageRequest) else (),
                kept=kept,
            )
            self._keep(job)
            return job

    def queue_again(self, job_id: str, is_finish_requested: bool = False) -> Job:
        """Queue a job that stopped before its end, last.

        Args:
            job_id: The job.
            is_finish_requested: Whether it is only to make something of what it has learnt.

        Raises:
            InputError: As `add`, or there is no such job, or it does not need that.
        """
        with self._changed:
            job = self.get(job_id)
            if not job.can_go_on:
                raise InputError(texts.NOTHING_TO_RETRY, "job_id")
            again: JobState = "queued"
            return self.update(
                job_id,
                state=again,
                results=tuple(result for result in job.results if not result.is_partial),
                rank=self._last_rank(),
                ticket=None,
                error=None,
                is_cancel_requested=False,
                is_finish_requested=is_finish_requested,
                deleted=None,
            )

    def delete(self, job_id: str) -> Job:
        """Mark a job that is over as thrown away.

        Raises:
            InputError: There is no such job, it is not over, or the disk is full.
        """
        with self._changed:
            if not self.get(job_id).is_over:
                raise InputError(texts.STILL_AT_WORK, "job_id")
            return self.update(job_id, deleted=datetime.now(UTC))

    def _next_moment(self) -> datetime:
        """Now, but later than the last, also if the clock is coarse or is set back a little."""
        self._moment = max(datetime.now(UTC), self._moment + timedelta(microseconds=1))
        return self._moment

    def _last_rank(self) -> float:
        if len(self.queued()) >= MAX_QUEUED:
            raise InputError(texts.queue_is_full(MAX_QUEUED))
        return max((job.rank for job in self._active.values()), default=0.0) + 1

    def __contains__(self, job_id: object) -> bool:
        with self._changed:
            return self._find(job_id) is not None

    def get(self, job_id: str) -> Job:
        """Return what is known about a job now.

        Raises:
            InputError: There is no such job.
        """
        with self._changed:
            job = self._find(job_id)
            if job is None:
                raise no_such_job(job_id)
            return job

    def update(self, job_id: str, **changes: Any) -> Job:  # noqa: ANN401 - the fields of Job
        """Note changes of a job.

        Raises:
            InputError: There is no such job, or the disk is full; then nothing has changed.
        """
        with self._changed:
            job = self.get(job_id)
            new = replace(job, **changes, revision=job.revision + 1)
            if new.is_over:
                new = replace(new, progress=None, preview=None)
            if changes.keys() <= set(_NOT_KEPT):
                self._active[job_id] = new
                self._changed.notify_all()
                return new
            self._keep(new)
            return new

    def move(self, job_id: str, place: int) -> None:
        """Give the jobs that wait new ranks, so that one of them is at another place.

        The first rank stays, as what runs comes before it, and may have to wait again.

        Args:
            job_id: A job that waits.
            place: 0 for the next one; larger than there are: the last.

        Raises:
            InputError: The disk is full; then nothing has changed.
        """
        with self._changed:
            jobs = self.queued()
            first = jobs[0].rank
            order = [job for job in jobs if job.id != job_id]
            order.insert(max(place, 0), self.get(job_id))
            ranked = [(job, first + place) for place, job in enumerate(order)]
            self._keep(
                *(
                    replace(job, rank=rank, revision=job.revision + 1)
                    for job, rank in ranked
                    if job.rank != rank
                )
            )

    def queued(self) -> list[Job]:
        """The jobs that wait, the next one first."""
        return self._in_state("queued")

    def running(self) -> list[Job]:
        """The jobs that workers are at."""
        return self._in_state("running")

    def interrupted(self) -> list[Job]:
        """The jobs that ran when a server stopped and were neither gone on with nor thrown away."""
        return [job for job in self._in_state("interrupted") if job.deleted is None]

    def history(
        self,
        owner: str | None = None,
        search: str = "",
        limit: int = 50,
        before: str | None = None,
        only_starred: bool = False,
    ) -> list[Job]:
        """The jobs that have made something and were not thrown away, newest first.

        Args:
            owner: Whose; None: everybody's.
            search: Words that the prompt has to contain, in any order and case.
            limit: At most so many.
            before: Id of a job; only older ones.
            only_starred: Those that their owner marked.
        """
        conditions, values = ["has_results", "deleted IS NULL"], []
        if owner is not None:
            conditions.append("owner = ?")
            values.append(owner)
        for word in search.replace("\0", " ").split()[:20]:
            conditions.append("prompt LIKE ? ESCAPE '\\'")
            values.append(f"%{_escape(word)}%")
        if before is not None:
            conditions.append("id < ?")
            values.append(before)
        if only_starred:
            conditions.append("is_starred")
        query = f"{' AND '.join(conditions)} ORDER BY id DESC LIMIT ?"
        return list(self._select(query, *values, max(limit, 0)))

    def deleted_before(self, moment: datetime) -> list[Job]:
        """The jobs that were thrown away before a moment, whose files can go."""
        return list(self._select("deleted < ?", moment.isoformat()))

    def stopped_before(self, moment: datetime, kind: str) -> list[Job]:
        """The jobs of a kind, submitted before a moment, that stopped and were not thrown away.

        The oldest first.
        """
        condition = "state IN ('failed', 'cancelled', 'interrupted') AND deleted IS NULL"
        condition += " AND document LIKE ? ORDER BY id"
        jobs = self._select(condition, f'%"kind":"{kind}"%')
        return [job for job in jobs if job.request.kind == kind and job.created < moment]

    def is_deleted(self, job_id: str) -> bool:
        """Whether a job was thrown away, or was never there."""
        with self._changed:
            query = "SELECT 1 FROM job WHERE id = ? AND deleted IS NULL"
            return self._database.execute(query, (job_id,)).fetchone() is None

    def is_gone_on_from(self, job_id: str) -> bool:
        """Whether another job, that is not thrown away, has results whose files are this one's.

        Also one that cannot be read: its files are kept, should a later version understand it.
        """
        with self._changed:
            query = f"SELECT 1 FROM job WHERE {_GOES_ON_FROM} LIMIT 1"
            row = self._database.execute(query, (job_id, f"%/{job_id}/%")).fetchone()
            return row is not None

    def that_go_on_from(self, job_id: str) -> list[Job]:
        """The jobs of `is_gone_on_from` that can be read."""
        return list(self._select(_GOES_ON_FROM, job_id, f"%/{job_id}/%"))

    def needs(self, name: str) -> bool:
        """Whether a job has a file of that name, which is like no other's."""
        with self._changed:
            query = "SELECT 1 FROM job WHERE document LIKE ? LIMIT 1"
            return self._database.execute(query, (f"%/{name}%",)).fetchone() is not None

    def forget(self, job_id: str) -> None:
        """Remove all that is known about a job."""
        with self._changed, self._writing():
            self._database.execute("DELETE FROM job WHERE id = ?", (job_id,))
            self._active.pop(job_id, None)

    def setting(self, name: str, default: str = "") -> str:
        """A small thing that outlives the server."""
        with self._changed:
            query = "SELECT value FROM setting WHERE name = ?"
            row = self._database.execute(query, (name,)).fetchone()
        return row[0] if row else default

    def set_setting(self, name: str, value: str) -> None:
        """Change what `setting` gives."""
        with self._changed, self._writing():
            query = "INSERT OR REPLACE INTO setting VALUES (?, ?)"
            self._database.execute(query, (name, value))

    def wait(self, job_id: str, is_met: Callable[[Job], bool], timeout: float | None) -> Job:
        """Wait until a job meets a condition, and return it as it is then (or at the timeout)."""
        with self._changed:
            self._changed.wait_for(lambda: is_met(self.get(job_id)), timeout)
            return self.get(job_id)

    def _in_state(self, state: JobState) -> list[Job]:
        with self._changed:
            jobs = [job for job in self._active.values() if job.state == state]
        return sorted(jobs, key=lambda job: job.rank)

    def _find(self, job_id: object) -> Job | None:
        if not isinstance(job_id, str):  # whatever a page was made to send
            return None
        if job_id in self._active:
            return self._active[job_id]
        return next(iter(self._select("id = ?", job_id)), None)

    def _keep(self, *jobs: Job) -> None:
        with self._writing():
            self._database.executemany(
                "INSERT OR REPLACE INTO job VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [self._row(job) for job in jobs],
            )
        for job in jobs:
            if job.state not in _AT_HAND:
                self._active.pop(job.id, None)
            else:
                self._active[job.id] = job
        self._changed.notify_all()

    def _row(self, job: Job) -> tuple[object, ...]:
        return (
            job.id,
            job.owner,
            job.state,
            job.request.prompt,
            job.has_made,
            job.is_starred,
            job.deleted and job.deleted.isoformat(),
            self._documents.write(job),
        )

    def _select(self, condition: str, *values: object) -> Iterator[Job]:
        with self._changed:
            query = f"SELECT id, document FROM job WHERE {condition}"
            rows = self._database.execute(query, values).fetchall()
        for job_id, document in rows:
            job = self._documents.read_if_valid(document, f"Job {job_id}")
            if job is not None:
                yield job

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with self._database:
                yield
        except sqlite3.OperationalError as error:
            logger.error("The job store cannot be written: %s", error)
            raise InputError(texts.cannot_be_kept(str(error))) from error


def no_such_job(job_id: object) -> InputError:
    """What whoever asks for a job is told that is not there, or not for him."""
    return InputError(texts.no_such_job(job_id), "job_id")


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=30, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > len(_MIGRATIONS):
            raise InputError(
                f"{path} was written by a newer version of the studio. Update this one, or choose "
                "another folder with --data.",
                "data",
            )
        for number, migration in enumerate(_MIGRATIONS[version:], start=version + 1):
            database.executescript(f"BEGIN;{migration}PRAGMA user_version = {number};COMMIT;")
    except sqlite3.DatabaseError as error:
        database.close()
        raise InputError(
            f"{path} cannot be read: {error}. Move it away, or choose another folder with --data.",
            "data",
        ) from error
    except InputError:
        database.close()
        raise
    return database


def _escape(word: str) -> str:
    """A word of which no character means something to LIKE."""
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
