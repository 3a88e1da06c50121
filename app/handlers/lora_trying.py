"""Making videos with a LoRA: one, or the same with and without it beside each other."""

import json
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import gradio as gr
from gradio.events import Dependency

from app import gallery, screen
from app import texts as page_texts
from app.handlers.alerts import alert
from app.handlers.field_notes import beside_fields, mistakes_by_field
from app.handlers.follower import Follower, Updates
from app.jobs.job import Job
from app.line import Status
from app.request import MAX_SEED, SCHEDULERS, TextToVideoRequest
from app.service import Service
from app.tabs.lora_stage import TryPanel
from app.texts import loras as texts
from app.visitors import Visitors
from app.watching import Watching
from lavie.errors import InputError

_FIELDS = ("prompt", "loras", "seed")


class TryFollowing(Follower[TryPanel]):
    """Shows a video that is made with a LoRA, or beside it the same without.

    Args:
        service: Keeps the jobs.
        panel: The components to update.
        beside: The job on the left, of two.
    """

    def __init__(self, service: Service, panel: TryPanel, beside: Job | None = None) -> None:
        super().__init__(service, panel)
        self._beside = beside

    def made(self, job: Job) -> object:
        """Its newest version."""
        return job.id, len(job.results)

    def show_made(self, job: Job) -> Updates:
        """The video, or both."""
        if not job.results:
            return {}
        result, beside = job.results[-1], self._beside
        if beside is None or not beside.results:
            return {
                self._tab.video: gr.Video(str(result.view), visible=True),
                self._tab.pair: gr.HTML("", visible=False),
            }
        pair = (beside, beside.results[-1]), (job, result)
        html = gallery.pair(*pair, names=(texts.WITH, texts.WITHOUT))
        return {
            self._tab.video: gr.Video(visible=False),
            self._tab.pair: gr.HTML(html, visible=True),
        }

    def show_loss(self) -> Updates:
        """Say that there is no such video any more."""
        note = screen.note(page_texts.LOST_JOB, is_alert=True)
        return {self._tab.progress: gr.HTML(note, visible=True), **self._stop(False)}

    def show_status(self, status: Status) -> Updates:
        """How far it is."""
        job = status.job
        if not job.is_over:
            bar = gr.HTML(screen.bar(status), visible=True)
            return {self._tab.progress: bar, **self._stop(not job.is_cancel_requested)}
        said = job.error or job.note or (page_texts.CANCELLED if job.state == "cancelled" else "")
        note = screen.note(said, job.error is not None) if said else ""
        return {self._tab.progress: gr.HTML(note, visible=bool(note)), **self._stop(False)}

    async def resume_both(
        self, job_id: str, compared: str, watching: Watching
    ) -> AsyncIterator[Updates]:
        """Show the video that is made, and then the one without the LoRA beside it, if any."""
        async for updates in self.resume(job_id, watching):
            yield updates
        if not compared or not self._service.knows(job_id):
            return
        with_it = self._service.get(job_id)
        if with_it.results and self._service.knows(compared):
            both = TryFollowing(self._service, self._tab, with_it)
            async for updates in both.follow(compared, watching):
                yield updates

    def _stop(self, is_on: bool) -> Updates:
        return {self._tab.cancel: gr.Button(interactive=is_on)}


class TryHandlers:
    """What happens when a video is asked for beside a LoRA.

    Args:
        service: Does the work.
        panel: The components to read and update.
        visitors: Tells who asks.
        following: Shows the videos.
    """

    def __init__(
        self, service: Service, panel: TryPanel, visitors: Visitors, following: TryFollowing
    ) -> None:
        self._service = service
        self._panel = panel
        self._visitors = visitors
        self.following = following

    def check(
        self, job_id: str, request: gr.Request | None, *values: object
    ) -> list[dict[str, Any]]:
        """Say what is wrong beside each field, before anything is queued."""
        outcome = self._service.check(self._form(values), self._visitors.owner(request))
        return beside_fields(mistakes_by_field(outcome), _FIELDS, num_others=1)

    def make(self, job_id: str, request: gr.Request | None, *values: object) -> Updates:
        """Queue a video."""
        job = self._submit(self._form(values), request)
        return {self._panel.compared: "", **self.following.show(job)}

    def compare(self, job_id: str, request: gr.Request | None, *values: object) -> Updates:
        """Queue a video without the LoRA, and one with it unless that is there; or neither."""
        form = self._form(values)
        visitor, made = self._visitors.visitor(request), self._find_made(job_id, form)
        seed = str(made.request.seed) if made else form["seed"] or str(random.randint(0, MAX_SEED))
        form["seed"] = seed
        missing = [{**form, "loras": []}] if made else [form, {**form, "loras": []}]
        try:
            for row in missing:
                if isinstance(outcome := self._service.check(row, visitor.owner), list):
                    raise outcome[0]  # said of the form: there are no rows to see
            jobs = self._service.submit_all(missing, *visitor)
        except InputError as error:
            raise alert(error) from error
        return {**self.following.show(made or jobs[0]), self._panel.compared: jobs[-1].id}

    def cancel(self, job_id: str, compared: str, request: gr.Request | None = None) -> Updates:
        """Ask for an end of what is at work."""
        owner = self._visitors.owner(request)
        try:
            for at_work in filter(self._service.is_busy_with, (compared, job_id)):
                self._service.cancel(at_work, owner)
        except InputError as error:
            raise alert(error) from error
        return {self._panel.cancel: gr.Button(interactive=False)}

    def _submit(self, form: Mapping[str, object], request: gr.Request | None) -> Job:
        try:
            return self._service.submit(form, *self._visitors.visitor(request))
        except InputError as error:
            raise alert(error) from error

    def _form(self, values: Sequence[object]) -> dict[str, object]:
        """The form of the first tab as it is when the page opens, with what is asked for here."""
        usual = {name: limits.default for name, limits in self._service.card.ranges.items()}
        rest = {"negative_prompt": "", "scheduler": SCHEDULERS[0], "smooth": False}
        asked = dict(zip(_FIELDS, values, strict=True))
        return {**usual, **rest, "upscale": False, **asked}

    def _find_made(self, job_id: str, form: Mapping[str, object]) -> Job | None:
        """The job that is shown, if it made just what the form asks for."""
        job = self._service.get(job_id) if self._service.knows(job_id) else None
        if job is None or not job.results or job.deleted:
            return None
        request = job.request
        if not isinstance(request, TextToVideoRequest) or request.prompt != form["prompt"]:
            return None
        used = [{"id": use.id, "weight": use.weight} for use in request.loras]
        is_same_seed = form["seed"] in ("", None, str(request.seed))
        return job if used == json.loads(str(form["loras"] or "[]")) and is_same_seed else None


def bind_lora_trying(
    blocks: gr.Blocks, panel: TryPanel, handlers: TryHandlers
) -> tuple[list[Dependency], list[Dependency]]:
    """Say which buttons do what.

    Returns:
        Events after which there may be something in the queue, and those after which there may be
        a video.
    """
    fields = [panel.job_id, panel.prompt, panel.picker.chosen, panel.seed]
    ask = {"validator": handlers.check, "preprocess": False}
    made = gr.on(
        [panel.make.click, panel.prompt.submit], handlers.make, fields, panel.watched(), **ask
    )
    compared = panel.compare.click(handlers.compare, fields, panel.watched(), **ask)
    panel.cancel.click(handlers.cancel, [panel.job_id, panel.compared], panel.cancel)
    follow = {
        "fn": handlers.following.resume_both,
        "inputs": [panel.job_id, panel.compared, panel.watching],
        "outputs": panel.watched(),
    }
    asked = [made, compared]
    followed = [event.success(trigger_mode="multiple", **follow) for event in asked]
    return asked, [blocks.load(**follow), *followed]
