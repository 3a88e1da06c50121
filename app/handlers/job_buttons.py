"""The buttons below a video or a film: one more stage of it, another try, an end to it."""

from typing import Any, Generic, TypeVar

import gradio as gr
from gradio.events import Dependency

from app import texts
from app.handlers.alerts import alert, inform
from app.handlers.follower import Follower, Updates
from app.jobs.job import Job
from app.request import STEP_FIELDS
from app.service import Service
from app.tabs.long_video import LongVideoTab
from app.tabs.text_to_video import TextToVideoTab
from app.visitors import Visitors
from lavie.errors import InputError
from lavie.types import StageName

Tab = TypeVar("Tab", TextToVideoTab, LongVideoTab)


class JobButtons(Generic[Tab]):
    """Does what the buttons below a job say.

    Args:
        service: Does the work.
        tab: The components to read and update.
        visitors: Tells who asks.
        following: Shows a new job, unless another is still shown.
    """

    def __init__(
        self, service: Service, tab: Tab, visitors: Visitors, following: Follower[Tab]
    ) -> None:
        self._service = service
        self._tab = tab
        self._visitors = visitors
        self._following = following

    def check_smoothing(self, job_id: str, shown: str, steps: object) -> list[dict[str, Any]]:
        """Say beside the steps what is wrong with them, before anything is queued."""
        return self._check_next(job_id, shown, "interpolation", steps)

    def check_upscaling(self, job_id: str, shown: str, steps: object) -> list[dict[str, Any]]:
        """Say beside the steps what is wrong with them, before anything is queued."""
        return self._check_next(job_id, shown, "super_resolution", steps)

    def smooth_it(
        self, job_id: str, shown: str, steps: object, request: gr.Request | None = None
    ) -> Updates:
        """Queue the smoothing of what is shown."""
        return self._submit_next(job_id, shown, "interpolation", steps, request)

    def upscale_it(
        self, job_id: str, shown: str, steps: object, request: gr.Request | None = None
    ) -> Updates:
        """Queue the upscaling of what is shown."""
        return self._submit_next(job_id, shown, "super_resolution", steps, request)

    def retry(self, job_id: str, request: gr.Request | None = None) -> Updates:
        """Queue a job again that did not come to its end; what is done of it is kept."""
        try:
            job = self._service.retry(job_id, *self._visitors.visitor(request))
        except InputError as error:
            raise alert(error) from error
        return self._following.show(job)

    def cancel(self, job_id: str, request: gr.Request | None = None) -> Updates:
        """Ask the job to stop."""
        self._check_known(job_id)
        try:
            job = self._service.cancel(job_id, self._visitors.owner(request))
        except InputError as error:
            raise alert(error) from error
        stopping = gr.Button(texts.CANCELLING, interactive=False)
        return {self._tab.cancel: gr.skip() if job.is_over else stopping}

    def take(self, job: Job, watched: str) -> Updates:
        """Watch a new job, unless the page watches one that is not over: then say where it is."""
        if self._service.is_busy_with(watched):
            status = self._service.status(job)
            where = texts.place(status.num_ahead, status.seconds_ahead, status.is_held)
            inform(texts.added_to_queue(where))
            return {self._tab.job_id: gr.skip()}
        return self._following.show(job)

    def _check_known(self, job_id: str) -> None:
        if not self._service.knows(job_id):
            raise alert(texts.LOST_JOB)

    def _check_next(
        self, job_id: str, shown: str, stage: StageName, steps: object
    ) -> list[dict[str, Any]]:
        try:
            self._service.check_next(job_id, shown, stage, steps)
            message = ""
        except InputError as error:  # others than of the steps are said when it is submitted
            message = str(error) if error.field == STEP_FIELDS[stage] else ""
        return [gr.validate(True, ""), gr.validate(True, ""), gr.validate(not message, message)]

    def _submit_next(
        self, job_id: str, shown: str, stage: StageName, steps: object, request: gr.Request | None
    ) -> Updates:
        self._check_known(job_id)
        try:
            visitor = self._visitors.visitor(request)
            job = self._service.submit_next(job_id, shown, stage, steps, *visitor)
        except InputError as error:
            raise alert(error) from error
        return self.take(job, job_id)

    def bind(self) -> list[Dependency]:
        """Say what each button does; returned are the events after which there may be a job."""
        tab, view, form = self._tab, self._tab.result, self._tab.form
        # Our own rules check the values, so that the sentences are ours.
        ask = {"outputs": tab.watched(), "preprocess": False}
        smoothed = view.smooth_it.click(
            self.smooth_it,
            [tab.job_id, view.shown, form.smoothing_steps],
            validator=self.check_smoothing,
            **ask,
        )
        upscaled = view.upscale_it.click(
            self.upscale_it,
            [tab.job_id, view.shown, form.upscaling_steps],
            validator=self.check_upscaling,
            **ask,
        )
        retried = view.retry.click(self.retry, tab.job_id, tab.watched())
        tab.cancel.click(self.cancel, tab.job_id, tab.cancel)
        return [smoothed, upscaled, retried]
