"""What the studio can do for anyone who asks: submit, follow, cancel. No web page in here.

What changes nothing, and what is said to all workers, it has from `app.job_book` and
`app.workplace`.
"""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from app import texts
from app.checks import check_form, check_next_stage, check_rows, later_efforts
from app.costs import Cost, Costs, work_weights
from app.films.request import FilmRequest
from app.films.same_model import check_model
from app.job_book import JobBook
from app.jobs.crew import Crew
from app.jobs.dispatcher import Dispatcher
from app.jobs.job import Job
from app.jobs.store import MAX_QUEUED, JobStore
from app.line import Line
from app.loras.choice import choose_loras, is_made_for
from app.loras.files import has_learnt
from app.loras.hints import trigger_hints
from app.loras.pictures import forget_pictures, without_pictures
from app.loras.request import LoraTrainingRequest
from app.loras.shelf import Shelf
from app.model_card import ModelCard
from app.policy import Policy, Quota
from app.presets import Presets
from app.request import Request, StageRequest, TextToVideoRequest, next_stages
from app.result import Effort, Result, WorkName
from app.texts import lora_rules
from app.workplace import Workplace
from lavie.errors import InputError
from lavie.types import StageName

if TYPE_CHECKING:
    from lora.registry import Entry

_PRESETS_FILE = Path("private") / "presets.json"
_PRIVATE = Policy()
_JOBS_LEARNT_FROM = 20


class Service(JobBook, Workplace):
    """The studio without a face: checks requests, keeps jobs, has workers do them.

    Args:
        card: What the model says about itself.
        crew: The workers of this server.
        data: Folder of the job store and of the results.
        policy: What visitors may do.

    Raises:
        InputError: The job store cannot be opened, or there is no Redis where one was named.
    """

    def __init__(self, card: ModelCard, crew: Crew, data: Path, policy: Policy = _PRIVATE) -> None:
        self._card = card
        self.shelf = Shelf(data, policy)
        self.presets = Presets(data / _PRESETS_FILE)
        self._quota = Quota()
        self._costs = Costs(_weights_of(card))
        store = JobStore(data)
        for job in reversed(store.history(limit=_JOBS_LEARNT_FROM)):  # the latest counts
            for result in job.results:
                if result.metadata.get("model") == card.name:
                    self._costs.learn_from(result)
        told = policy.is_checked, card.stages
        dispatcher = Dispatcher(store, crew, data, self._costs, *told)
        JobBook.__init__(self, store, Line(store, dispatcher, self._costs), data, policy)
        Workplace.__init__(self, dispatcher, policy)
        self.results.mkdir(exist_ok=True)

    @property
    def card(self) -> ModelCard:
        """What the model says about itself; the hash of its weights once a worker has them."""
        known = self._dispatcher.model_hash
        if known and not self._card.model_hash:
            self._card = replace(self._card, model_hash=known)
        return self._card

    def start(self) -> None:
        """Start the workers; they load the model first."""
        self._dispatcher.start()

    def stop(self) -> None:
        """End the workers and close the store; queued jobs stay for the next start."""
        self._dispatcher.stop()
        self._store.close()

    def check(
        self, values: Mapping[str, object], owner: str = ""
    ) -> TextToVideoRequest | list[InputError]:
        """Turn the values of a form into a request, or into everything wrong with them.

        An empty seed asks for a new one; a prompt needs at least one word that the model or one of
        the LoRAs knows, and the model has to have the stages that are switched on.

        Args:
            values: As typed.
            owner: Who asks, and may use what is his.
        """
        return check_form(values, self.card, self.shelf.finder(owner))

    def card_for(self, owner: str = "") -> ModelCard:
        """What the model says of itself to one who has LoRAs: their trigger words are known."""
        return self.card.with_words(entry.token for entry in self._fitting_loras(owner))

    def trigger_hints(self, prompts: Sequence[str], loras: object, owner: str = "") -> list[str]:
        """Sentences about trigger words without their LoRA, and LoRAs without their trigger word.

        Args:
            prompts: What has been written so far.
            loras: As for `choose_loras`; what is wrong with them is said elsewhere.
            owner: Whose form it is.
        """
        try:
            card = self.card
            uses = choose_loras(loras, self.shelf.finder(owner), card.name, card.model_hash)
        except InputError:
            return []
        return trigger_hints(prompts, uses, self._fitting_loras(owner))

    def _fitting_loras(self, owner: str) -> "list[Entry]":
        entries, card = self.shelf.list(owner), self.card
        return [entry for entry in entries if is_made_for(entry, card.name, card.model_hash)]

    def check_next(
        self, job_id: str, made_by: str, stage: StageName, num_inference_steps: object
    ) -> StageRequest:
        """Turn the wish for one more stage into a request.

        Args:
            job_id: The job that has the video.
            made_by: Which of its versions: its name, or the stage that made it.
            stage: What to do with it.
            num_inference_steps: Denoising steps of the stage, as typed.

        Raises:
            InputError: There is no such job or result, or it was thrown away; the stage makes no
                sense for it, the model lacks it, or the steps are wrong.
        """
        job = self.find_to_use(job_id)
        return check_next_stage(job, made_by, stage, num_inference_steps, self.card)

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
        efforts = later_efforts(values, self.card)
        stages = "interpolation", "super_resolution"
        return dict(zip(stages, map(self._costs.estimate, efforts), strict=True))

    def seconds_for(self, effort: Effort) -> float | None:
        """How long it takes on this computer, if that is known."""
        return self._costs.estimate(effort).seconds

    def submit(self, values: Mapping[str, object], owner: str = "", address: str = "") -> Job:
        """Queue a video.

        Args:
            values: Of a form, as typed.
            owner: Who asks.
            address: From where, if that is known.

        Raises:
            InputError: The first thing that is wrong with the values; the queue or the disk is
                full, or a public server was asked for too much.
        """
        return self.add(self._checked(values, owner), owner, address)

    def add(self, request: Request, owner: str = "", address: str = "") -> Job:
        """Queue a request that was checked already.

        Args:
            request: What to make.
            owner: Who asks.
            address: From where, if that is known.

        Raises:
            InputError: The queue or the disk is full, or a public server was asked for too much.
        """
        with self._admit(owner, address, is_training=isinstance(request, LoraTrainingRequest)):
            return self._store.add(request, owner)

    def submit_all(
        self, rows: Sequence[Mapping[str, object]], owner: str = "", address: str = ""
    ) -> list[Job]:
        """Queue many videos, or none of them.

        Args:
            rows: The values of each, as `submit` takes them.
            owner: Who asks.
            address: From where, if that is known.

        Raises:
            InputError: Something is wrong with a row, with a sentence for every such row; or the
                queue or the disk is full.
        """
        requests = check_rows(rows, self.card, self.shelf.finder(owner))
        if len(self._store.queued()) + len(rows) > MAX_QUEUED:
            raise InputError(texts.queue_is_full(len(self._store.queued())), "file")
        jobs: list[Job] = []
        with self._admit(owner, address, len(rows)):
            try:
                jobs.extend(  # one after the other, so that it holds those that were queued
                    self._store.add(request, owner) for request in requests
                )
            except InputError:
                for job in jobs:
                    self.cancel(job.id, owner)
                raise
        return jobs

    def submit_next(
        self,
        job_id: str,
        made_by: str,
        stage: StageName,
        num_inference_steps: object,
        owner: str = "",
        address: str = "",
    ) -> Job:
        """Queue one more stage for a video that is there. Arguments and errors: `check_next`.

        The other versions of the video stay at hand with the new one.
        """
        request = self.check_next(job_id, made_by, stage, num_inference_steps)
        others = (r for r in self.get(job_id).versions if r not in request.given)
        with self._admit(owner, address):
            return self._store.add(request, owner, tuple(others))

    def retry(self, job_id: str, owner: str = "", address: str = "") -> Job:
        """Queue a job again that failed, was stopped or interrupted; what is done of it is kept.

        Raises:
            InputError: There is no such job, it is somebody else's, it does not need that, or it
                is a film that another model began.
        """
        job = self._own(job_id, owner)
        if job.can_go_on and isinstance(job.request, FilmRequest):
            check_model(job.request, self.card)
        return self._queue_again(job, owner, address)

    def finish(self, job_id: str, owner: str = "", address: str = "") -> Job:
        """Have a training end as soon as it can with what it has learnt so far.

        Raises:
            InputError: There is no such job, it is somebody else's, it is no training, it is over,
                or it has learnt nothing yet.
        """
        job = self._own(job_id, owner)
        if not isinstance(job.request, LoraTrainingRequest):
            raise InputError(lora_rules.NOT_A_TRAINING, "job_id")
        if job.state == "done":
            raise InputError(lora_rules.TRAINING_IS_OVER, "job_id")
        if job.state != "running" and not has_learnt(self.data / job.folder):
            raise InputError(lora_rules.NOTHING_LEARNT, "job_id")
        if job.can_go_on:
            return self._queue_again(job, owner, address, is_finish_requested=True)
        return self._dispatcher.finish(job_id)

    def edit(self, job_id: str, values: Mapping[str, object], owner: str = "") -> Job:
        """Change what a queued job is to make.

        Raises:
            InputError: There is no such job, it is somebody else's, it has begun, or something is
                wrong with the values.
        """
        request = self._checked(values, owner)
        if not isinstance(self._own(job_id, owner).request, TextToVideoRequest):
            raise InputError(texts.CANNOT_BE_EDITED, "job_id")
        return self._unless_begun(job_id, self._dispatcher.change_queued(job_id, request=request))

    def move(self, job_id: str, place: int) -> Job:
        """Move a queued job to another place in the queue.

        Args:
            job_id: The job.
            place: Of those that wait, 0 for the next one; larger than there are: the last.

        Raises:
            InputError: There is no such job, or it has begun; or the server is public, where
                nobody may jump the queue.
        """
        self._check_is_private()
        return self._unless_begun(job_id, self._dispatcher.move_queued(job_id, place))

    def cancel(self, job_id: str, owner: str = "") -> Job:
        """Ask a job to stop: at once if it is queued, as soon as it can if it is running.

        Raises:
            InputError: There is no such job, or it is somebody else's.
        """
        self._own(job_id, owner)
        return self._dispatcher.cancel(job_id)

    def star(self, job_id: str, is_starred: bool, owner: str = "") -> Job:
        """Mark a job, or no longer.

        Raises:
            InputError: There is no such job, or it is somebody else's.
        """
        return self._store.update(self._own(job_id, owner).id, is_starred=is_starred)

    def delete(self, job_id: str, owner: str = "") -> Job:
        """Throw a job and its files away; `undelete` brings them back for an hour.

        Raises:
            InputError: There is no such job, it is somebody else's, or it is not over.
        """
        return self._store.delete(self._own(job_id, owner).id)

    def discard(self, job_id: str, owner: str = "") -> Job:
        """Throw a training away for good, with all that it has made and was given.

        Raises:
            InputError: There is no such job, it is somebody else's, no training, still at work, or
                it is done.
        """
        job = self._own(job_id, owner)
        if not isinstance(job.request, LoraTrainingRequest):
            raise InputError(lora_rules.NOT_A_TRAINING, "job_id")
        if job.state == "done":
            raise InputError(lora_rules.TRAINING_IS_OVER, "job_id")
        job = self._store.delete(job_id)
        request = replace(job.request, keeps_pictures=False)
        gone = self._store.update(job_id, request=without_pictures(request))
        forget_pictures(replace(job, request=request), self.data, self._store.needs)
        shutil.rmtree(self.data / job.folder, ignore_errors=True)
        return gone

    def undelete(self, job_id: str, owner: str = "") -> Job:
        """Bring back what was thrown away.

        Raises:
            InputError: There is no such job any more, or it is somebody else's.
        """
        return self._store.update(self._own(job_id, owner).id, deleted=None)

    def _checked(self, values: Mapping[str, object], owner: str) -> TextToVideoRequest:
        request = self.check(values, owner)
        if isinstance(request, list):
            raise request[0]
        return request

    def _admit(
        self, owner: str, address: str, num_jobs: int = 1, is_training: bool = False
    ) -> AbstractContextManager[None]:
        if not self.policy.is_public:
            return nullcontext()
        return self._quota.admit(owner, address, self._store.queued, num_jobs, is_training)

    def _queue_again(
        self, job: Job, owner: str, address: str, is_finish_requested: bool = False
    ) -> Job:
        if not job.can_go_on:  # said before it counts as asked for
            raise InputError(texts.NOTHING_TO_RETRY, "job_id")
        is_training = isinstance(job.request, LoraTrainingRequest)
        with self._admit(owner, address, is_training=is_training):
            return self._store.queue_again(job.id, is_finish_requested)

    def _unless_begun(self, job_id: str, is_changed: bool) -> Job:
        if not is_changed:
            raise InputError(texts.HAS_BEGUN, "job_id")
        return self.get(job_id)


def _weights_of(card: ModelCard) -> dict[WorkName, float]:
    """What a step of each kind of work costs; the base network makes films where no other does."""
    weights = work_weights(card.weights)
    if "base" in weights:
        weights.setdefault("long_video", weights["base"])
    return weights
