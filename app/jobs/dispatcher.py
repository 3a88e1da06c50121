"""Brings jobs and workers together: hands out, takes in, notices who is gone."""

import logging
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app import texts
from app.costs import Costs
from app.films.parts import is_done
from app.jobs.crew import Crew
from app.jobs.job import RESULTS, Job, JobState
from app.jobs.store import JobStore
from app.jobs.sweeper import Sweeper
from app.jobs.wire import Order, Outcome, Report, Setup, Wire
from app.jobs.worker import REMOTE, why_it_failed
from app.loras.files import has_learnt
from app.loras.pictures import forget_pictures, without_pictures
from app.loras.request import LoraTrainingRequest
from app.loras.shelf import put_on_shelf
from app.request import efforts_left
from lavie.errors import CheckpointError
from lavie.runtime.profiles import ProfileName
from lavie.types import Progress, StageName

logger = logging.getLogger(__name__)

SECONDS_UNTIL_LOST = 15.0
"""A worker without a new sign of life for so long is given up."""

_SECONDS_BETWEEN_LOOKS = 0.05
_SECONDS_TO_CLAIM = 5.0
_SECONDS_UNTIL_NEXT_TRY = 1.0
_PAUSED = "is_paused"

_STATES: dict[Outcome, JobState] = {
    "done": "done",
    "cancelled": "cancelled",
    "failed": "failed",
    "out_of_memory": "failed",
}


@dataclass
class _Life:
    """When a worker was last seen to do something."""

    beat: int
    seen: float


class Dispatcher(threading.Thread):
    """The server's side of the wire. The only one who moves jobs from one state to the next.

    One order lies ahead on the wire, so that a free worker never waits; all others wait in the
    store, where they can still be moved, changed and dropped.

    Args:
        store: The jobs.
        crew: The server's own workers.
        data: The data folder.
        costs: Learns how long each stage takes.
        is_checked: Whether every video has to pass a safety checker.
        stages: Those of the model, which a worker has to have, too.
    """

    def __init__(
        self,
        store: JobStore,
        crew: Crew,
        data: Path,
        costs: Costs,
        is_checked: bool = False,
        stages: tuple[StageName, ...] = (),
    ) -> None:
        super().__init__(name="lavie-dispatcher", daemon=True)
        self._store = store
        self._crew = crew
        self._data = data
        self._costs = costs
        self._is_checked = is_checked
        self._stages = stages
        self._profile: ProfileName | None = None
        self._model_hash = ""
        self._is_paused = store.setting(_PAUSED) == "1"
        self._wire = Wire(crew.address, data)
        self._lock = threading.RLock()
        self._offered: tuple[Job, float] | None = None
        self._workers: dict[str, str] = {}  # of each ticket
        self._others: frozenset[str] = frozenset()  # of other machines, that have had a job
        self._lives: dict[str, _Life] = {}
        self._causes: dict[str, str] = {}
        self._sweeper = Sweeper(store, data)
        self._has_failed_to_begin = False
        self._stopping = threading.Event()

    # Asked for by the service

    def stop(self) -> None:
        """End the workers and this thread."""
        self._stopping.set()
        if self.is_alive():
            self.join()
            self._crew.stop()

    def cancel(self, job_id: str) -> Job:
        """Drop a queued job, or ask its worker to stop a running one as soon as it can.

        Raises:
            InputError: There is no such job.
        """
        with self._lock:
            self.change_queued(job_id, state="cancelled", is_cancel_requested=True)
            job = self._store.get(job_id)
            if job.is_over:
                return job
            self._wire.ask_to_stop(job.ticket or "")
            return self._store.update(job_id, is_cancel_requested=True)

    def finish(self, job_id: str) -> Job:
        """Have a training that runs or waits end with what it has learnt so far.

        Raises:
            InputError: There is no such job, or the disk is full.
        """
        with self._lock:
            self.change_queued(job_id, is_finish_requested=True)
            job = self._store.get(job_id)
            if job.state != "running":
                return job
            self._wire.ask_to_finish(job.ticket or "")
            return self._store.update(job_id, is_finish_requested=True)

    def change_queued(self, job_id: str, **changes: Any) -> bool:  # noqa: ANN401 - fields of Job
        """Change a job unless a worker has it already, in which case False is returned.

        Raises:
            InputError: There is no such job, or the disk is full.
        """
        with self._lock:
            if not self._is_free(job_id):
                return False
            self._store.update(job_id, **changes)
            return True

    def move_queued(self, job_id: str, place: int) -> bool:
        """`JobStore.move`, unless a worker has the job already, in which case False is returned.

        Raises:
            InputError: There is no such job, or the disk is full.
        """
        with self._lock:
            if not self._is_free(job_id):
                return False
            self._store.move(job_id, place)
            return True

    def _is_free(self, job_id: str) -> bool:
        """Whether a job waits, and no worker can get it as long as the lock is held."""
        self._take_back()
        return self._store.get(job_id).state == "queued"

    @property
    def is_paused(self) -> bool:
        """Whether no further job is begun."""
        return self._is_paused

    def pause(self, is_paused: bool) -> None:
        """Finish what runs, then wait until told to go on."""
        with self._lock:
            self._store.set_setting(_PAUSED, "1" if is_paused else "")
            self._is_paused = is_paused
            if is_paused:
                self._take_back()

    def use_profile(self, name: ProfileName) -> None:
        """Have workers do something else about memory, from the next job on."""
        with self._lock:
            self._profile = name
            self._take_back()

    @property
    def profile(self) -> ProfileName | None:
        """What workers do about memory; None: what they were told when they were started."""
        return self._profile

    @property
    def model_hash(self) -> str:
        """Of the weights of this server's workers; empty before one has told it."""
        return self._model_hash

    def model_error(self) -> str | None:
        """Why no work is done: it cannot begin yet, or no worker can load the model."""
        if self._has_failed_to_begin:
            return texts.WORK_CANNOT_BEGIN
        statuses = [self._wire.status(name) for name in self._crew.names()]
        broken = [status for status in statuses if status and status.state == "broken"]
        return broken[0].error if broken and len(broken) == len(statuses) else None

    @property
    def num_workers(self) -> int:
        """How many jobs can be done at a time, as far as is known; at least 1.

        Of other machines' workers those count that have had a job and are alive. One that has not
        takes the next job at once, so it does not stay unknown for long.

        Without the lock, which is held while a LoRA is put on the shelf: pages ask this all the
        time. The set is never changed, only replaced.
        """
        return max(len(self._others.union(self._crew.names())), 1)

    @property
    def has_workers(self) -> bool:
        """Whether there are workers that belong to this server."""
        return bool(self._crew.names())

    def setups(self) -> list[Setup]:
        """How the workers of this server have their model, as far as it is loaded."""
        statuses = [self._wire.status(name) for name in self._crew.names()]
        return [status.setup for status in statuses if status and status.setup]

    def is_model_loading(self) -> bool:
        """Whether every worker of this server is still loading the model, or yet to be started."""
        if self._has_failed_to_begin:
            return True
        statuses = [self._wire.status(name) for name in self._crew.names()]
        return bool(statuses) and all(s is None or s.state == "loading" for s in statuses)

    # The thread

    def run(self) -> None:
        """Work until stopped."""
        for step in (self._take_over, self._start_crew):
            while not self._stopping.is_set() and not self._try(step):
                self._has_failed_to_begin = True
        self._has_failed_to_begin = False
        while not self._stopping.wait(_SECONDS_BETWEEN_LOOKS):
            for step in (
                self._follow_running,
                self._bury,
                self._hear_of_the_model,
                self._hand_out,
                self._sweeper.sweep_if_due,
            ):
                self._try(step)

    def _try(self, step: Callable[[], None]) -> bool:
        """A full disk or a lost Redis is no reason to end: False, and it is tried again."""
        try:
            with self._lock:
                step()
        except Exception:
            logger.exception("The dispatcher could not %s; trying again", step.__name__.strip("_"))
            self._stopping.wait(_SECONDS_UNTIL_NEXT_TRY)
            return False
        return True

    def _start_crew(self) -> None:
        self._crew.start(self._wire, self._data)

    def _take_over(self) -> None:
        """Go on from where an earlier server stopped.

        What its workers finished is taken in; workers of other machines may still be at it; what
        its own were at is marked.
        """
        for job in self._store.queued():
            if (
                job.ticket
                and not self._wire.withdraw(job.ticket)
                and self._wire.claimant(job.ticket)
            ):
                self._store.update(job.id, state="running")
        running = {job.ticket: job for job in self._store.running() if job.ticket}
        self._wire.start_anew(running)
        for ticket, job in running.items():
            worker = self._wire.claimant(ticket)
            self._note_worker(ticket, worker or "")
            self._follow(job)
            if worker is None or not worker.startswith(REMOTE):
                job = self._store.get(job.id)
                self._end(job, "interrupted", texts.interrupted(self._has_begun(job)))
        at_work = {job.id for job in self._store.running()}
        for part in (self._data / RESULTS).glob("*/*.part"):
            if part.name.partition(".")[0] not in at_work:
                shutil.rmtree(part, ignore_errors=True)

    def _has_begun(self, job: Job) -> bool:
        """Whether a stage is done, the first part of a film, or the first steps of a training."""
        folder = self._data / job.folder
        return bool(job.results) or is_done(folder, 0) or has_learnt(folder)

    def _follow_running(self) -> None:
        self._see_claim()
        for job in self._store.running():
            self._follow(job)

    def _see_claim(self) -> None:
        """Mark the order that lies ahead as running once a worker has it."""
        if self._offered is None:
            return
        job, since = self._offered
        ticket = job.ticket or ""
        worker = self._wire.claimant(ticket)
        if worker is not None:
            self._store.update(job.id, state="running")
            self._note_worker(ticket, worker)
            self._offered = None
        elif time.monotonic() - since > _SECONDS_TO_CLAIM and self._wire.is_empty:
            self._take_back()  # whoever took it died before it could claim it

    def _note_worker(self, ticket: str, worker: str) -> None:
        self._workers[ticket] = worker
        if worker.startswith(REMOTE):
            self._others |= {worker}

    def _follow(self, job: Job) -> None:
        """Take in what is new about a running job."""
        ticket = job.ticket or ""
        report, preview = self._wire.report(ticket), self._wire.preview(ticket)
        if report is None or job.is_over:
            return
        for result in report.results[len(job.results) :]:
            self._costs.learn_from(result)
        progress = self._until_the_files(job, report)
        if report.outcome == "out_of_memory" and not job.is_memory_short:
            self._try_again_with_less(replace(job, results=report.results))
        elif report.outcome is not None:
            state = _STATES[report.outcome]
            self._end(job, state, report.error, results=report.results)
        elif len(report.results) > len(job.results):
            self._store.update(job.id, results=report.results, progress=None, preview=None)
        elif (progress, preview) != (job.progress, job.preview):
            self._store.update(job.id, progress=progress, preview=preview)

    def _until_the_files(self, job: Job, report: Report) -> Progress | None:
        """How far a stage is; a worker tells the time to its last step, but its result is later."""
        progress = report.progress
        efforts = efforts_left(job.request, report.results, progress)
        if progress is None or progress.seconds_left is None or not efforts:
            return progress
        seconds = progress.seconds_left + self._costs.estimate(efforts[0]).seconds_after
        return replace(progress, seconds_left=seconds)

    def _try_again_with_less(self, job: Job) -> None:
        logger.warning("Job %s ran out of memory and is tried again with less", job.id)
        self._store.update(
            job.id,
            state="queued",
            results=job.results,
            is_memory_short=True,
            note=texts.TRIED_WITH_LESS_MEMORY,
        )
        self._drop(job)

    def _end(self, job: Job, state: JobState, error: str | None, **changes: Any) -> None:  # noqa: ANN401
        if job.is_over:
            return
        is_done = state == "done"
        if is_done:
            try:
                self._shelve(job)
            except Exception as failure:
                logger.exception("The LoRA of job %s could not be put on the shelf", job.id)
                state, is_done, error = "failed", False, why_it_failed(failure, job.id)
                if isinstance(failure, CheckpointError):
                    changes["results"] = ()  # so that it is made once more, and not only shelved
        if is_done:
            changes["request"] = without_pictures(job.request)
        self._store.update(job.id, state=state, error=error, **changes)
        self._drop(job)
        if is_done:
            forget_pictures(job, self._data, self._store.needs)

    def _shelve(self, job: Job) -> None:
        """Put what a training has made on the shelf.

        Here and not where it is trained, so that a LoRA is there if its job is done, and only then:
        also when a worker is stopped or killed at the very end.

        Raises:
            CheckpointError: It made none, or a broken one.
            OSError: It can't be written.
        """
        if isinstance(job.request, LoraTrainingRequest):
            put_on_shelf(job.request, self._data / job.folder)

    def _drop(self, job: Job) -> None:
        """What was said on the wire about a try is now in the store."""
        ticket = job.ticket or ""
        self._workers.pop(ticket, None)
        self._wire.forget(ticket)

    def _bury(self) -> None:
        """End the jobs whose workers are gone, and see to it that there are new ones."""
        dead = self._crew.tend()
        self._causes |= dead
        for worker in dead:
            self._wire.forget_worker(worker)
        for job in self._store.running():
            worker = self._workers.get(job.ticket or "", "")
            cause = self._causes.get(worker)
            if cause is None and worker not in self._crew.names():
                cause = self._cause_of_silence(worker)
            if cause:
                self._follow(job)  # its last words
                job = self._store.get(job.id)
                if job.state == "running":
                    logger.error("Job %s: %s", job.id, cause)
                    self._end(job, "failed", cause)
                    self._wire.ask_to_stop(job.ticket or "")  # should it be alive after all
                    self._wire.forget_worker(worker)
        self._others -= {name for name in self._others if self._cause_of_silence(name)}
        self._forget_the_dead()

    def _hear_of_the_model(self) -> None:
        """Take in what the workers of this server tell of their model."""
        for name in self._crew.names():
            status = self._wire.status(name)
            if status and status.sample and status.seconds:
                self._costs.hint(status.sample, status.seconds)
            if status and status.setup:
                self._model_hash = status.setup.model_hash or self._model_hash

    def _forget_the_dead(self) -> None:
        """Keep what is known of the lives of workers only as long as they may be at a job."""
        if self._offered is None:  # else one of the dead may have claimed it
            known = self._others.union(self._workers.values())
            self._causes = {name: self._causes[name] for name in self._causes.keys() & known}
            self._lives = {name: self._lives[name] for name in self._lives.keys() & known}

    def _cause_of_silence(self, worker: str) -> str | None:
        status, now = self._wire.status(worker), time.monotonic()
        life = self._lives.setdefault(worker, _Life(-1, now))
        if status is not None and status.beat != life.beat:
            life.beat, life.seen = status.beat, now
        is_lost = now - life.seen > SECONDS_UNTIL_LOST
        return texts.WORKER_IS_LOST if is_lost else None

    def _hand_out(self) -> None:
        if self._offered is not None or self.is_paused:
            return
        waiting = self._store.queued()
        if waiting:
            ticket = f"{waiting[0].id}.{secrets.token_hex(4)}"
            job = self._store.update(waiting[0].id, ticket=ticket)
            order = Order(
                ticket=ticket,
                job_id=job.id,
                request=job.request,
                results=job.results,
                folder=job.folder,
                is_memory_short=job.is_memory_short,
                is_checked=self._is_checked,
                profile=self._profile,
                is_finishing=job.is_finish_requested,
                stages=self._stages,
            )
            self._wire.offer(order)
            self._offered = job, time.monotonic()

    def _take_back(self) -> None:
        """Take back the order that lies ahead, if no worker has it yet."""
        if self._offered is not None:
            job, _ = self._offered
            if self._wire.withdraw(job.ticket or ""):
                self._offered = None
            else:
                self._see_claim()
