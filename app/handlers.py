"""Page values to requests, jobs to page updates."""

from collections.abc import AsyncIterator
from typing import Any, cast

import gradio as gr
from gradio.blocks import Block

from app import screen, texts
from app.jobs import Job
from app.request import FIELDS, STEP_FIELDS
from app.result import Result
from app.service import COST_FIELDS, Service, Status
from app.tabs.text_to_video import TextToVideoTab
from app.words import Words, compose
from lavie.errors import InputError
from lavie.types import StageName

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
        return {self._tab.job_id: job.id, **self._working(Status(job)), **self._versions(job)}

    def check_smoothing(self, job_id: str, shown: str, steps: object) -> list[dict[str, Any]]:
        """Say beside the steps what is wrong with them, before anything is queued."""
        return self._check_next(job_id, shown, "interpolation", steps)

    def check_upscaling(self, job_id: str, shown: str, steps: object) -> list[dict[str, Any]]:
        """Say beside the steps what is wrong with them, before anything is queued."""
        return self._check_next(job_id, shown, "super_resolution", steps)

    def smooth_it(self, job_id: str, shown: str, steps: object) -> Updates:
        """Queue the smoothing of the video that is shown."""
        return self._submit_next(job_id, shown, "interpolation", steps)

    def upscale_it(self, job_id: str, shown: str, steps: object) -> Updates:
        """Queue the upscaling of the video that is shown."""
        return self._submit_next(job_id, shown, "super_resolution", steps)

    def show_version(self, job_id: str, shown: str, is_compared: bool) -> Updates:
        """Show one of a job's results, alone or beside what it was made from."""
        try:
            result = self._service.get(job_id).result_of(shown)
        except InputError as error:
            raise gr.Error(texts.LOST_JOB) from error
        return self._version(result, is_compared) if result else {}

    def show_costs(self, *values: object) -> Updates:
        """Say beside the switches what they bring and what they cost on this computer."""
        form = self._tab.form
        try:
            costs = self._service.estimate(dict(zip(COST_FIELDS, values, strict=True)))
        except InputError:  # said beside its field once the video is asked for
            return {}
        smoothing, upscaling = costs["interpolation"], costs["super_resolution"]
        is_known = (smoothing.seconds or upscaling.seconds) is not None
        return {
            form.smooth: gr.Checkbox(
                label=texts.smooth_label(smoothing.effort.num_frames),
                info=texts.switch_info(texts.SMOOTH_INFO, smoothing),
            ),
            form.upscale: gr.Checkbox(info=texts.switch_info(texts.UPSCALE_INFO, upscaling)),
            self._tab.cost_timer: gr.Timer(active=not is_known),
        }

    async def follow(self, job_id: str) -> AsyncIterator[Updates]:
        """Show a job until it is over; each version of the video once, so that it plays on."""
        shown: Result | None = None
        try:
            async for status in self._service.follow(job_id):
                newest = status.job.results[-1] if status.job.results else None
                updates = self._show(status)
                if newest != shown:
                    updates |= self._versions(status.job)
                    shown = newest
                yield updates
        except InputError:
            display = screen.message(texts.LOST_JOB, is_alert=True)
            panel = {self._tab.result.panel: gr.Column(visible=False)}
            yield {self._tab.job_id: "", **panel, **self._idle(display)}

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
        words = cast(Words, self._words)  # only bound where there are words
        return compose(*words.complete(*clicked))

    def _check_next(
        self, job_id: str, shown: str, stage: StageName, steps: object
    ) -> list[dict[str, Any]]:
        try:
            self._service.check_next(job_id, shown, stage, steps)
            message = ""
        except InputError as error:  # others than of the steps are said when it is submitted
            message = str(error) if error.field == STEP_FIELDS[stage] else ""
        return [gr.validate(True, ""), gr.validate(True, ""), gr.validate(not message, message)]

    def _submit_next(self, job_id: str, shown: str, stage: StageName, steps: object) -> Updates:
        if self._service.is_busy_with(job_id):
            raise gr.Error(texts.STILL_BUSY)
        if not self._service.knows(job_id):
            raise gr.Error(texts.LOST_JOB)
        try:
            job = self._service.submit_next(job_id, shown, stage, steps)
        except InputError as error:
            raise gr.Error(str(error)) from error
        return {self._tab.job_id: job.id, **self._working(Status(job)), **self._versions(job)}

    def _show(self, status: Status) -> Updates:
        job = status.job
        if not job.is_over:
            return self._working(status)
        is_alert = job.error is not None
        if job.results:
            sentence = job.error or (texts.CANCELLED_KEPT if job.state == "cancelled" else None)
            return self._idle(None, sentence and screen.note(sentence, is_alert))
        return self._idle(screen.message(job.error or texts.CANCELLED, is_alert))

    def _working(self, status: Status) -> Updates:
        job, view = status.job, self._tab.result
        return {
            self._tab.screen: gr.HTML(visible=False)
            if job.results
            else gr.HTML(screen.working(job), visible=True),
            view.progress: gr.HTML(screen.progress(status), visible=True),
            view.details: gr.Column(visible=False),
            self._tab.generate: gr.Button(interactive=False),
            self._tab.cancel: gr.Button(interactive=not job.is_cancel_requested),
        }

    def _idle(self, display: str | None, note: str | None = None) -> Updates:
        view = self._tab.result
        return {
            self._tab.screen: gr.HTML(display or "", visible=display is not None),
            view.progress: gr.HTML(note or "", visible=note is not None),
            view.details: gr.Column(visible=display is None),
            self._tab.generate: gr.Button(interactive=True),
            self._tab.cancel: gr.Button(texts.CANCEL, interactive=False),
        }

    def _versions(self, job: Job) -> Updates:
        """Show the newest version of a job's video, and which others there are; or none."""
        view = self._tab.result
        if not job.results:
            return {view.panel: gr.Column(visible=False)}
        newest = job.results[-1]
        choices = [(texts.STAGE_NAMES[result.stage], result.stage) for result in job.results]
        return {
            view.panel: gr.Column(visible=True),
            view.choices: gr.Row(visible=len(choices) > 1),
            view.shown: gr.Radio(choices, value=newest.stage),
            **self._version(newest, is_compared=False),
        }

    def _version(self, result: Result, is_compared: bool) -> Updates:
        view = self._tab.result
        comparison = result.comparison if is_compared else None
        video = str(comparison or result.view)
        has_original = result.view != result.video and comparison is None
        possible = self._service.next_stages(result)
        return {
            view.video: video,
            view.caption: gr.HTML(visible=comparison is not None),
            view.is_compared: gr.Checkbox(
                value=comparison is not None, visible=result.comparison is not None
            ),
            view.next: gr.Row(visible=bool(possible)),
            view.smooth_it: gr.Button(visible="interpolation" in possible),
            view.upscale_it: gr.Button(visible="super_resolution" in possible),
            view.download_view: video,
            view.download_video: gr.DownloadButton(value=str(result.video), visible=has_original),
            view.download_gif: str(result.gif),
            view.download_recipe: str(result.recipe),
            view.used_seed: str(result.seed),
            view.recipe: dict(result.metadata),
        }
