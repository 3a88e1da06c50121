"""The form while it changes a video that waits, and how it is given back afterwards."""

from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.blocks import Block

from app import queue_view, texts
from app.handlers.alerts import alert, inform, warn
from app.handlers.settings import kept_values
from app.jobs.job import Job
from app.loras.choice import form_text
from app.request import FIELDS, LORAS, TextToVideoRequest
from app.service import Service
from app.tabs.text_to_video import TextToVideoTab
from app.visitors import Visitors
from lavie.errors import InputError

Updates = dict[Block, Any]


class Editor:
    """Lends the form to a job that waits.

    Args:
        service: Keeps the jobs.
        tab: The components to update.
        visitors: Tells who asks.
    """

    def __init__(self, service: Service, tab: TextToVideoTab, visitors: Visitors) -> None:
        self._service = service
        self._tab = tab
        self._visitors = visitors

    def begin(self, job: Job, edited: object, kept: object) -> Updates:
        """Fill the form with what a job is to make.

        Args:
            job: The job.
            edited: As in `EditBar`: another one may be in the form at the moment.
            kept: What is in the form.

        Raises:
            InputError: The job has begun, or goes on from another video.
        """
        request = job.request
        if not isinstance(request, TextToVideoRequest):
            raise InputError(texts.CANNOT_BE_EDITED, "job_id")
        if job.state != "queued":
            raise InputError(texts.HAS_BEGUN, "job_id")
        before = edited.get("before") if isinstance(edited, dict) and edited else kept
        values = {field: getattr(request, field) for field in FIELDS}
        values["seed"], values[LORAS] = str(request.seed), form_text(request.loras)
        return {
            **self._fill_in(values),
            self._tab.edit.edited: {"job_id": job.id, "before": before},
            **self._bar(job),
        }

    def save(
        self, edited: object, form: Mapping[str, object], request: gr.Request | None
    ) -> Updates:
        """Change the job as the form says; if it is too late for that, the form stays as it is."""
        job_id = job_in(edited)
        try:
            self._service.edit(job_id, form, self._visitors.owner(request))
        except InputError as error:
            if self._service.knows(job_id) and self._service.get(job_id).state == "queued":
                raise alert(error) from error
            warn(error)
            return {self._tab.edit.edited: {}, **self._no_bar()}
        inform(texts.CHANGES_SAVED)
        return self.leave(edited)

    def leave(self, edited: object) -> Updates:
        """Give the form back what was in it before."""
        before = edited.get("before") if isinstance(edited, dict) else None
        filled = self._fill_in(kept_values(before or {"prompt": ""}, self._service.card))
        return {**filled, self._tab.edit.edited: {}, **self._no_bar()}

    def resume(self, edited: object) -> Updates:
        """Show again, after the page was loaded again, that a job is changed; if it still waits."""
        job_id = job_in(edited)
        if not job_id:
            return {self._tab.generate: gr.skip()}
        if not self._service.knows(job_id) or self._service.get(job_id).state != "queued":
            return {self._tab.edit.edited: {}}
        return self._bar(self._service.get(job_id))

    def _fill_in(self, values: Mapping[str, object]) -> Updates:
        return {getattr(self._tab.form, field): value for field, value in values.items()}

    def _bar(self, job: Job) -> Updates:
        return {
            self._tab.edit.bar: gr.Row(visible=True),
            self._tab.edit.note: queue_view.edit_note(job),
            self._tab.generate: gr.Button(texts.SAVE_CHANGES),
        }

    def _no_bar(self) -> Updates:
        return {
            self._tab.edit.bar: gr.Row(visible=False),
            self._tab.generate: gr.Button(texts.GENERATE),
        }


def job_in(edited: object) -> str:
    """The id of the job that is changed; empty if there is none."""
    job_id = edited.get("job_id") if isinstance(edited, dict) else None
    return job_id if isinstance(job_id, str) else ""
