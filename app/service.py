"""What the studio can do for anyone who asks: submit, follow, cancel. No web page in here."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from app import texts
from app.costs import Cost, Costs
from app.jobs import Job, JobStore, Runner, Worker
from app.model_card import ModelCard
from app.request import (
    MAX_SEED,
    STEP_FIELDS,
    SWITCHES,
    StageRequest,
    TextToVideoRequest,
    check_request,
    effort_of,
    next_stages,
)
from app.result import Result
from lavie.errors import InputError
from lavie.types import StageName

COST_FIELDS = ("num_frames", "height", "width", "smoothing_steps", "upscaling_steps", "smooth")
"""What of a form tells how long the later stages take."""

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
        self._costs = Costs(card.weights)
        self._worker = Worker(self._store, runner, data, self._costs)

    def start(self) -> None:
        """Start the worker; it loads the model first."""
        self._worker.start()

    def stop(self) -> None:
        """Let the worker finish the job at hand and wait for it."""
        self._worker.stop()
        self._worker.join()

    def check(self, values: Mapping[str, object]) -> TextToVideoRequest | list[InputError]:
        """Turn the values of a form into a request, or into everything wrong with them.

        An empty seed asks for a new one; a prompt needs at least one word that the model knows, and
        the model has to have the stages that are switched on.
        """
        values = dict(values)
        if values.get("seed") in (None, ""):
            values["seed"] = random.randint(0, MAX_SEED)
        request = check_request(values, self.card.ranges)
        if isinstance(request, list):
            return request
        errors = [
            InputError(texts.no_such_stage(stage), switch)
            for switch, stage in SWITCHES.items()
            if stage in request.stages and stage not in self.card.stages
        ]
        if self.card.knows_nothing_of(request.prompt):
            errors.insert(0, InputError(texts.NO_KNOWN_WORD, "prompt"))
        return errors or request

    def submit(self, values: Mapping[str, object]) -> Job:
        """Queue a video.

        Raises:
            InputError: The first thing that is wrong with the values, or the queue is full.
        """
        request = self.check(values)
        if isinstance(request, list):
            raise request[0]
        return self._store.add(request)

    def check_next(
        self, job_id: str, made_by: str, stage: StageName, num_inference_steps: object
    ) -> StageRequest:
        """Turn the wish for one more stage into a request.

        Args:
            job_id: The job that has the video.
            made_by: Which of its results: the stage that made it.
            stage: What to do with it.
            num_inference_steps: Denoising steps of the stage, as typed.

        Raises:
            InputError: There is no such job or result, the stage makes no sense for it, the model
                lacks it, or the steps are wrong.
        """
        job = self.get(job_id)
        result = job.result_of(made_by)
        if result is None:
            raise InputError(texts.NO_SUCH_RESULT, "job_id")
        if stage not in self.card.stages:
            raise InputError(texts.no_such_stage(stage), "stage")
        if stage not in next_stages(result.stage):
            raise InputError(texts.stage_makes_no_sense(stage), "stage")
        field = STEP_FIELDS[stage]
        steps = self.card.ranges[field].check(num_inference_steps, field)
        given = job.results[: job.results.index(result) + 1]
        return StageRequest(given, stage, int(steps))

    def submit_next(
        self, job_id: str, made_by: str, stage: StageName, num_inference_steps: object
    ) -> Job:
        """Queue one more stage for a video that is there. Arguments and errors: `check_next`."""
        return self._store.add(self.check_next(job_id, made_by, stage, num_inference_steps))

    def next_stages(self, result: Result) -> tuple[StageName, ...]:
        """What this model can do with a result."""
        return tuple(stage for stage in next_stages(result.stage) if stage in self.card.stages)

    def estimate(self, values: Mapping[str, object]) -> dict[StageName, Cost]:
        """Say what the stages after the first would take on this computer.

        Args:
            values: One value for each of `COST_FIELDS`, as typed.

        Raises:
            InputError: The first number that is wrong.
        """
        frames, height, width, smoothing_steps, upscaling_steps = (
            int(self.card.ranges[field].check(values.get(field), field))
            for field in COST_FIELDS[:-1]
        )
        smoothing = effort_of("interpolation", smoothing_steps, frames, height, width)
        if values.get("smooth"):
            frames = smoothing.num_frames
        upscaling = effort_of("super_resolution", upscaling_steps, frames, height, width)
        return {effort.stage: self._costs.estimate(effort) for effort in (smoothing, upscaling)}

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
