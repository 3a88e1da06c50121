"""Shows a training while it learns; pauses it, goes on with it, ends it early or for good."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.events import Dependency

from app import screen
from app import texts as page_texts
from app.handlers.alerts import alert
from app.handlers.follower import Follower, Updates
from app.jobs.job import Job
from app.line import Status
from app.loras import learning
from app.loras.request import LoraTrainingRequest
from app.loras.service import Loras
from app.loras.view import LoraView
from app.service import Service
from app.tabs.lora import TAB_ID
from app.tabs.lora_stage import TrainingPanel
from app.texts import loras as texts
from app.visitors import Visitors
from app.watching import Watching
from lavie.errors import InputError


class TrainingFollowing(Follower[TrainingPanel]):
    """Shows a training until it is over.

    Args:
        service: Keeps the jobs.
        loras: Knows what a training has learnt so far.
        panel: The components to update.
        tabs: In which they are.
        visitors: Tells who looks.
        owner: Who looks: pictures are shown to no one but their owner.
    """

    def __init__(
        self,
        service: Service,
        loras: Loras,
        panel: TrainingPanel,
        tabs: gr.Tabs,
        visitors: Visitors,
        owner: str = "",
    ) -> None:
        super().__init__(service, panel)
        self._loras = loras
        self._tabs = tabs
        self._visitors = visitors
        self._owner = owner

    def seen_by(self, owner: str) -> "TrainingFollowing":
        """The same for somebody."""
        asked = self._service, self._loras, self._tab, self._tabs, self._visitors
        return TrainingFollowing(*asked, owner)

    async def resume_for(
        self, job_id: str, watching: Watching, request: gr.Request | None = None
    ) -> AsyncIterator[Updates]:
        """`resume`, for whoever asks."""
        seen = self.seen_by(self._visitors.owner(request))
        async for updates in seen.resume(job_id, watching):
            yield updates

    def show_training(self, job: Job) -> Updates:
        """Turn to a job, and to the tab, if it is a training; else nothing."""
        if self._loras.view(job) is None:
            return {}
        return {self._tabs: gr.Tabs(selected=TAB_ID), **self.show(job)}

    def turned(self) -> list[Block]:
        """What `show_training` changes."""
        return [self._tabs, *self._tab.watched()]

    def made(self, job: Job) -> object:
        """Its samples, and the pictures, which are deleted in the end."""
        view = self._loras.view(job, self._owner)
        return view and (len(view.samples), len(view.pictures), job.is_over)

    def show_made(self, job: Job) -> Updates:
        """The samples beside the pictures."""
        view = self._loras.view(job, self._owner)
        if view is None:
            return self.show_loss()
        if job.deleted:
            return self.show_nothing()
        request = job.request
        is_kept = isinstance(request, LoraTrainingRequest) and request.keeps_pictures
        if job.state == "done" and not is_kept:
            view = replace(view, pictures=())  # they are being deleted
        return {
            self._tab.screen: gr.HTML(visible=False),
            self._tab.panel: gr.Column(visible=True),
            self._tab.samples: learning.samples(view, job.is_over),
        }

    def show_loss(self) -> Updates:
        """Say that there is no such training any more."""
        said = screen.message(texts.LOST_TRAINING, is_alert=True)
        return {
            self._tab.screen: gr.HTML(said, visible=True),
            self._tab.panel: gr.Column(visible=False),
        }

    def show_status(self, status: Status) -> Updates:
        """Show how far it is, its curve, and what can be done about it."""
        view = self._loras.view(status.job)
        if view is None:
            return self.show_loss()
        if status.job.deleted:
            return self.show_nothing()
        return {
            self._tab.title: learning.title(view, status.job.state == "done"),
            self._tab.curve: learning.curve_of(view),
            self._tab.progress: self._progress(status, view),
            **self._buttons(status.job, view),
        }

    def show_nothing(self) -> Updates:
        """Show no training any more."""
        return {
            self._tab.job_id: "",
            self._tab.screen: gr.HTML(screen.empty(texts.THROWN_AWAY), visible=True),
            self._tab.panel: gr.Column(visible=False),
        }

    def _watch(self) -> dict[str, Any]:
        return {**super()._watch(), "fn": self.resume_for}

    def _progress(self, status: Status, view: LoraView) -> str:
        job = status.job
        if not job.is_over:
            return learning.progress(status, view)
        said = {"done": texts.TRAINED, "cancelled": texts.PAUSED}.get(job.state, "")
        return screen.note(job.error or job.note or said, is_alert=job.error is not None)

    def _buttons(self, job: Job, view: LoraView) -> Updates:
        is_running = job.state == "running"
        is_asked = not job.is_over and (job.is_cancel_requested or job.is_finish_requested)
        return {
            self._tab.pause: gr.Button(
                page_texts.CANCELLING if job.is_cancel_requested else texts.PAUSE,
                visible=is_running,
                interactive=not is_asked,
            ),
            self._tab.retry: gr.Button(visible=job.can_go_on),
            self._tab.finish: gr.Button(
                texts.FINISHING if job.is_finish_requested else texts.FINISH,
                visible=is_running or job.can_go_on,
                interactive=view.can_finish and not is_asked,
            ),
            self._tab.cancel: gr.Button(visible=job.state != "done"),
        }


class TrainingButtons:
    """Does what the buttons below a training say.

    Args:
        service: Keeps the jobs.
        loras: Trains.
        panel: The components to read and update.
        visitors: Tells who asks.
        following: Shows the training.
    """

    def __init__(
        self,
        service: Service,
        loras: Loras,
        panel: TrainingPanel,
        visitors: Visitors,
        following: TrainingFollowing,
    ) -> None:
        self._service = service
        self._loras = loras
        self._panel = panel
        self._visitors = visitors
        self._following = following

    def pause(self, job_id: str, request: gr.Request | None = None) -> Updates:
        """Have it stop, so that it can be gone on with."""
        try:
            self._loras.pause(job_id, self._visitors.owner(request))
        except InputError as error:
            raise alert(error) from error
        return {self._panel.pause: gr.Button(page_texts.CANCELLING, interactive=False)}

    def retry(self, job_id: str, request: gr.Request | None = None) -> Updates:
        """Go on with it."""
        visitor = self._visitors.visitor(request)
        try:
            job = self._service.retry(job_id, *visitor)
        except InputError as error:
            raise alert(error) from error
        return self._following.seen_by(visitor.owner).show(job)

    def finish(self, job_id: str, request: gr.Request | None = None) -> Updates:
        """Have it end with what it has learnt so far."""
        visitor = self._visitors.visitor(request)
        try:
            job = self._loras.finish(job_id, *visitor)
        except InputError as error:
            raise alert(error) from error
        return self._following.seen_by(visitor.owner).show(job)

    def cancel(self, job_id: str, request: gr.Request | None = None) -> Updates:
        """End it for good, and delete its pictures."""
        try:
            self._loras.discard(job_id, self._visitors.owner(request))
        except InputError as error:
            raise alert(error) from error
        return self._following.show_nothing()

    def bind(self) -> tuple[list[Dependency], Dependency]:
        """Say what each button does.

        Returns:
            The events after which one may be at work, and the one after which one was thrown away.
        """
        panel = self._panel
        panel.pause.click(self.pause, panel.job_id, panel.pause)
        cancelled = panel.cancel.click(self.cancel, panel.job_id, panel.watched())
        asked = [
            button.click(does, panel.job_id, panel.watched())
            for button, does in ((panel.retry, self.retry), (panel.finish, self.finish))
        ]
        return asked, cancelled


def bind_lora_training(
    blocks: gr.Blocks,
    following: TrainingFollowing,
    buttons: TrainingButtons,
    asked: Sequence[Dependency],
) -> tuple[list[Dependency], Dependency]:
    """Say what is shown after which event.

    Args:
        blocks: The page.
        following: Shows a training.
        buttons: What can be done about it.
        asked: Events after which there may be one.

    Returns:
        The events after which a LoRA may be there, and the one after which a training is not.
    """
    again, cancelled = buttons.bind()
    return following.bind(blocks, [*asked, *again]), cancelled
