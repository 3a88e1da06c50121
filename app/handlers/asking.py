"""Asking for videos: a new one, a change of one that waits, and what else can be made of one."""

from threading import Lock
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.events import Dependency

from app.handlers.alerts import alert
from app.handlers.editing import Editor
from app.handlers.field_notes import beside_fields, mistakes_by_field
from app.handlers.following import Following
from app.handlers.job_buttons import JobButtons
from app.request import FIELDS
from app.service import Service
from app.tabs.text_to_video import TextToVideoTab
from app.visitors import Visitors
from app.watching import Watching
from lavie.errors import InputError

Updates = dict[Block, Any]


class Asking(JobButtons[TextToVideoTab]):
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
        super().__init__(service, tab, visitors, following)
        self._editor = editor
        self._asking = Lock()

    def check(
        self,
        job_id: str,
        edited: object,
        watching: Watching,
        request: gr.Request | None,
        *values: object,
    ) -> list[dict[str, Any]]:
        """Say what is wrong beside each field, before anything is queued."""
        form = dict(zip(FIELDS, values, strict=True))
        outcome = self._service.check(form, self._visitors.owner(request))
        return beside_fields(mistakes_by_field(outcome), FIELDS, num_others=3)

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
            updates = self.take(job, job_id)
            if self._tab.screen in updates:
                watching.asked = job.id
        return updates


def bind_asking(tab: TextToVideoTab, asking: Asking) -> list[Dependency]:
    """Say what asks for what; returned are the events after which there may be a new job."""
    submitted = gr.on(
        [tab.generate.click, tab.form.prompt.submit],
        asking.submit,
        [tab.job_id, tab.edit.edited, tab.watching, *tab.form.controls()],
        tab.asked(),
        validator=asking.check,
        trigger_mode="multiple",  # every press counts, also while an earlier one is on its way
        preprocess=False,
    )
    return [submitted, *asking.bind()]
