"""Page values to requests, jobs to page updates."""

from collections.abc import AsyncIterator
from typing import Any

import gradio as gr
from gradio.blocks import Block

from app import screen, texts
from app.jobs import Result
from app.request import FIELDS
from app.service import Service, Status
from app.tabs.text_to_video import TextToVideoTab
from app.words import Words, compose
from lavie.errors import InputError

Updates = dict[Block, Any]


class TextToVideoHandlers:
    """What happens when something on the tab Text to video is used.

    Args:
        service: Does the work.
        tab: The components to read and update.
        words: The words that can be clicked together, if any.
    """

    def __init__(self, service: Service, tab: TextToVideoTab, words: Words | None) -> None:
        self._service = service
        self._tab = tab
        self._words = words

    def check(self, job_id: str, *values: object) -> list[dict[str, Any]]:
        """Say what is wrong beside each field, before anything is queued."""
        outcome = self._service.check(dict(zip(FIELDS, values, strict=True)))
        errors = {e.field: str(e) for e in outcome} if isinstance(outcome, list) else {}
        fields = [gr.validate(field not in errors, errors.get(field, "")) for field in FIELDS]
        return [gr.validate(True, ""), *fields]  # job_id is no field

    def submit(self, job_id: str, *values: object) -> Updates:
        """Queue a job and make the page watch it, unless it watches one that is not over."""
        if self._service.is_busy_with(job_id):
            raise gr.Error(texts.STILL_BUSY)
        try:
            job = self._service.submit(dict(zip(FIELDS, values, strict=True)))
        except InputError as error:
            raise gr.Error(str(error)) from error
        return {self._tab.job_id: job.id, **self._working(Status(job))}

    async def follow(self, job_id: str) -> AsyncIterator[Updates]:
        """Show a job until it is over."""
        try:
            async for status in self._service.follow(job_id):
                yield self._show(status)
        except InputError:
            display = screen.message(texts.LOST_JOB, is_alert=True)
            yield {self._tab.job_id: "", **self._idle(display)}

    async def resume(self, job_id: str) -> AsyncIterator[Updates]:
        """Show the job that this browser watched before the page was loaded again, if any."""
        if job_id:
            async for updates in self.follow(job_id):
                yield updates
        else:
            yield {self._tab.job_id: ""}

    def cancel(self, job_id: str) -> Updates:
        """Ask the job to stop."""
        try:
            job = self._service.cancel(job_id)
        except InputError as error:
            raise gr.Error(texts.LOST_JOB) from error
        return (
            {}
            if job.is_over
            else {self._tab.cancel: gr.Button(texts.CANCELLING, interactive=False)}
        )

    def read_prompt(self, prompt: str) -> Updates:
        """Say which words of a prompt the model was never taught, and mark those it offers."""
        unknown = self._service.card.unknown_words(prompt or "")
        note = gr.Markdown(texts.unknown_words(unknown) if unknown else "", visible=bool(unknown))
        updates: Updates = {self._tab.note: note}
        if self._tab.composer and self._words:
            updates |= zip(self._tab.composer, self._words.find(prompt or ""), strict=True)
        return updates

    def compose(self, *clicked: str | None) -> str:
        """Make a sentence of the clicked words."""
        assert self._words is not None  # noqa: S101 - only bound where there are words
        return compose(*self._words.complete(*clicked))

    def _show(self, status: Status) -> Updates:
        job = status.job
        if not job.is_over:
            return self._working(status)
        if job.result is not None:
            return self._finished(job.result)
        sentence = job.error or texts.CANCELLED
        return self._idle(screen.message(sentence, is_alert=job.error is not None))

    def _working(self, status: Status) -> Updates:
        job = status.job
        return {
            self._tab.screen: gr.HTML(screen.working(status), visible=True),
            self._tab.result.panel: gr.Column(visible=False),
            self._tab.generate: gr.Button(interactive=False),
            self._tab.cancel: gr.Button(interactive=not job.is_cancel_requested),
        }

    def _idle(self, display: str | None) -> Updates:
        return {
            self._tab.screen: gr.HTML(display or "", visible=display is not None),
            self._tab.generate: gr.Button(interactive=True),
            self._tab.cancel: gr.Button(texts.CANCEL, interactive=False),
        }

    def _finished(self, result: Result) -> Updates:
        view = self._tab.result
        has_original = result.view != result.video
        return {
            **self._idle(None),
            view.panel: gr.Column(visible=True),
            view.video: str(result.view),
            view.download_view: str(result.view),
            view.download_video: gr.DownloadButton(value=str(result.video), visible=has_original),
            view.download_gif: str(result.gif),
            view.download_recipe: str(result.recipe),
            view.used_seed: str(result.seed),
            view.recipe: dict(result.metadata),
        }
