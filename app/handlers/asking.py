"""Asking for videos: a new one, one more stage of one, another try; and changing one's mind."""

from functools import partial
from threading import Lock
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.events import Dependency

from app import texts
from app.handlers.alerts import alert, inform
from app.handlers.editing import Editor
from app.handlers.following import Following
from app.jobs.job import Job
from app.request import FIELDS, STEP_FIELDS
from app.service import Service
from app.tabs.text_to_video import TextToVideoTab
from app.visitors import Visitors
from app.watching import Watching
from lavie.errors import InputError
from lavie.types import StageName

Updates = dict[Block, Any]


class Asking:
    """Queues what is asked for.

    Args:
        service: Does the work.
        tab: The components to read and update.
        visitors: Tells who asks.
        editor: Saves the changes of jobs that wait.
        following: Shows a new job, unless another is still shown.
    """

    def __init__(
        self,
        service: Service,
        tab: TextToVideoTab,
        visitors: Visitors,
        editor: Editor,
        following: Following,
    ) -> None:
        self._service = service
        self._tab = tab
        self._visitors = visitors
        self._editor = editor
        self._following = following
        self._asking = Lock()

    def check(
        self, job_id: str, edited: object, watching: Watching, *values: object
    ) -> list[dict[str, Any]]:
        """Say what is wrong beside each field, before anything is queued."""
        outcome = self._service.check(dict(zip(FIELDS, values, strict=True)))
        errors = {e.field: str(e) for e in outcome} if isinstance(outcome, list) else {}
        fields = [gr.validate(field not in errors, errors.get(field, "")) for field in FIELDS]
        return [*(gr.validate(True, "") for _ in range(3)), *fields]  # the first are no fields

    def submit(
        self,
        job_id: str,
        edited: object,
        watching: Watching,
        request: gr.Request | None,
        *values: object,
    ) -> Updates:
        """Queue a job, or save the changes of one that waits."""
        form = dict(zip(FIELDS, values, strict=True))
        if edited:
            return self._editor.save(edited, form, request)
        with self._asking:  # what is asked for in quick succession keeps its order
            try:
                job = self._service.submit(form, *self._visitors.visitor(request))
            except InputError as error:
                raise alert(error) from error
            if self._service.is_busy_with(watching.newest):
                job_id = watching.newest  # the page has not heard of it yet
            updates = self._take(job, job_id)
            if self._tab.screen in updates:
                watching.asked = job.id
        return updates

    def check_smoothing(self, job_id: str, shown: str, steps: object) -> list[dict[str, Any]]:
        """Say beside the steps what is wrong with them, before anything is queued."""
        return self._check_next(job_id, shown, "interpolation", steps)

    def check_upscaling(self, job_id: str, shown: str, steps: object) -> list[dict[str, Any]]:
        """Say beside the steps what is wrong with them, before anything is queued."""
        return self._check_next(job_id, shown, "super_resolution", steps)

    def smooth_it(
        self, job_id: str, shown: str, steps: object, request: gr.Request | None = None
    ) -> Updates:
        """Queue the smoothing of the video that is shown."""
        return self._submit_next(job_id, shown, "interpolation", steps, request)

    def upscale_it(
        self, job_id: str, shown: str, steps: object, request: gr.Request | None = None
    ) -> Updates:
        """Queue the upscaling of the video that is shown."""
        return self._submit_next(job_id, shown, "super_resolution", steps, request)

    def retry(self, job_id: str, request: gr.Request | None = None) -> Updates:
        """Queue a job again that did not come to its end; what is done of it is kept."""
        try:
            job = self._service.retry(job_id, *self._visitors.visitor(request))
        except InputError as error:
            raise alert(error) from error
        return self._following.show_status(self._service.status(job))

    def cancel(self, job_id: str, request: gr.Request | None = None) -> Updates:
        """Ask the job to stop."""
        if not self._service.knows(job_id):
            raise alert(texts.LOST_JOB)
        try:
            job = self._service.cancel(job_id, self._visitors.owner(request))
        except InputError as error:
            raise alert(error) from error
        stopping = gr.Button(texts.CANCELLING, interactive=False)
        return {self._tab.cancel: gr.skip() if job.is_over else stopping}

    def _take(self, job: Job, watched: str) -> Updates:
        """Watch a new job, unless the page watches one that is not over: then say where it is."""
        if self._service.is_busy_with(watched):
            status = self._service.status(job)
            where = texts.place(status.num_ahead, status.seconds_ahead, status.is_held)
            inform(texts.added_to_queue(where))
            return {self._tab.job_id: gr.skip()}
        return self._following.show(job)

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
        self,
        job_id: str,
        shown: str,
        stage: StageName,
        steps: object,
        request: gr.Request | None,
    ) -> Updates:
        if not self._service.knows(job_id):
            raise alert(texts.LOST_JOB)
        try:
            visitor = self._visitors.visitor(request)
            job = self._service.submit_next(job_id, shown, stage, steps, *visitor)
        except InputError as error:
            raise alert(error) from error
        return self._take(job, job_id)


def bind_asking(tab: TextToVideoTab, asking: Asking) -> list[Dependency]:
    """Say what asks for what; returned are the events after which there may be a new job."""
    view, form = tab.result, tab.form
    # Nothing here computes: jobs do. So events neither wait for each other nor dim the page.
    watch = partial(dict, outputs=tab.watched(), show_progress="hidden", concurrency_limit=None)
    # Our own rules check the values, so that the sentences are ours.
    ask = partial(watch, preprocess=False)
    submitted = gr.on(
        [tab.generate.click, form.prompt.submit],
        asking.submit,
        [tab.job_id, tab.edit.edited, tab.watching, *form.controls()],
        validator=asking.check,
        trigger_mode="multiple",  # every press counts, also while an earlier one is on its way
        **ask(outputs=tab.asked()),
    )
    smoothed = view.smooth_it.click(
        asking.smooth_it,
        [tab.job_id, view.shown, form.smoothing_steps],
        validator=asking.check_smoothing,
        **ask(),
    )
    upscaled = view.upscale_it.click(
        asking.upscale_it,
        [tab.job_id, view.shown, form.upscaling_steps],
        validator=asking.check_upscaling,
        **ask(),
    )
    retried = view.retry.click(asking.retry, tab.job_id, **watch())
    tab.cancel.click(asking.cancel, tab.job_id, **watch(outputs=tab.cancel))
    return [submitted, smoothed, upscaled, retried]
