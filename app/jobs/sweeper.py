"""Removes the files of what was thrown away long enough ago."""

import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.films.given import forget_given
from app.jobs.job import RESULTS
from app.jobs.store import JobStore
from app.loras.files import drop_what_is_done, that_hold_more, was_at_work
from app.loras.request import LoraTrainingRequest
from app.loras.shelf import LORAS_FOLDER
from lora.registry import Registry

KEPT_AFTER_DELETION = timedelta(hours=1)
TRAININGS_KEPT = timedelta(days=7)
"""Of those that stopped before they were done: so long they can be gone on with."""

_SECONDS_BETWEEN_SWEEPS = 60.0


class Sweeper:
    """Sweeps now and then.

    Args:
        store: The jobs.
        data: The data folder.
    """

    def __init__(self, store: JobStore, data: Path) -> None:
        self._store = store
        self._data = data
        self._next_sweep = 0.0

    def sweep_if_due(self) -> None:
        """Sweep, if the last time was long enough ago."""
        if time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + _SECONDS_BETWEEN_SWEEPS
            self.sweep()

    def sweep(self) -> None:
        """Remove what nobody can ask back any more."""
        self.give_up_trainings()
        self.finish_trainings()
        Registry(self._data / LORAS_FOLDER).sweep()
        for job in self._store.deleted_before(datetime.now(UTC) - KEPT_AFTER_DELETION):
            if self._store.is_gone_on_from(job.id):
                continue
            shutil.rmtree(self._data / job.folder, ignore_errors=True)
            self._store.forget(job.id)
        forget_given(
            self._data, self._store.needs, KEPT_AFTER_DELETION.total_seconds(), time.time()
        )

    def finish_trainings(self) -> None:
        """Remove what is left of trainings that are done, should a server have died meanwhile."""
        for folder in that_hold_more(self._data / RESULTS):
            if folder.name not in self._store:
                continue
            job = self._store.get(folder.name)
            if job.state == "done" and isinstance(job.request, LoraTrainingRequest):
                drop_what_is_done(folder, job.request.keeps_pictures)

    def give_up_trainings(self) -> None:
        """Throw away trainings that stopped long ago: nobody sees them, but for their pictures."""
        moment = datetime.now(UTC) - TRAININGS_KEPT
        for job in self._store.stopped_before(moment, "lora"):
            if was_at_work(self._data / job.folder) < moment.timestamp():
                self._store.delete(job.id)
