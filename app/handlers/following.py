"""The screen: shows a job as it goes on, and what it has made."""

from collections.abc import AsyncIterator
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.events import Dependency

from app import screen, texts
from app.exports import export
from app.handlers.alerts import alert
from app.handlers.browser import press
from app.jobs.job import Job
from app.result import Result
from app.service import Service, Status
from app.tabs.result import MADE_FILE_ID
from app.tabs.text_to_video import TextToVideoTab
from app.watching import Watching
from lavie.errors import InputError

Updates = dict[Block, Any]


class Following:
    """Shows a job on the screen until it is over, and then its video.

    Args:
        service: Keeps the jobs.
        tab: The components to read and update.
    """

    def __init__(self, service: Service, tab: TextToVideoTab) -> None:
        self._service = service
        self._tab = tab

    def show(self, job: Job) -> Updates:
        """Turn to a job, which then has to be followed."""
        return {
            self._tab.job_id: job.id,
            **self.show_status(self._service.status(job)),
            **self._versions(job),
        }

    async def follow(self, job_id: str, watching: Watching) -> AsyncIterator[Updates]:
        """Show a job until it is over; each version of the video once, so that it plays on.

        Nothing happens if the page follows it already, and it ends when the page turns to another.
        """
        is_known = self._service.knows(job_id)
        turn = watching.begin(job_id, self._service.get(job_id).revision if is_known else None)
        if turn is None:
            yield {self._tab.screen: gr.skip()}
            return
        try:
            async for updates in self._follow(job_id, watching, turn):
                yield updates
        finally:
            watching.end(turn)

    async def _follow(self, job_id: str, watching: Watching, turn: int) -> AsyncIterator[Updates]:
        shown: tuple[str, Result | None] | None = None
        try:
            async for status in self._service.follow(job_id):
                if turn != watching.turn:
                    return
                job = status.job
                watching.ending = job.revision if job.is_over else None
                newest = job.request.prompt, job.results[-1] if job.results else None
                updates = self.show_status(status)
                if newest != shown:
                    updates |= self._versions(job)
                    shown = newest
                yield updates
        except InputError:
            display = screen.message(texts.LOST_JOB, is_alert=True)
            view = self._tab.result
            hidden = {view.panel: gr.Column(visible=False), view.prompt: gr.HTML(visible=False)}
            yield {self._tab.job_id: "", **hidden, **self._idle(display)}

    async def resume(self, job_id: str, watching: Watching) -> AsyncIterator[Updates]:
        """Show the job that this browser watched before the page was loaded again, if any."""
        if job_id:
            async for updates in self.follow(job_id, watching):
                yield updates
        else:
            yield {self._tab.screen: gr.skip()}  # not job_id: a job may be submitted meanwhile

    def show_version(self, job_id: str, shown: str, is_compared: bool) -> Updates:
        """Show one of a job's results, alone or beside what it was made from."""
        try:
            result = self._service.get(job_id).result_of(shown)
        except InputError as error:
            raise alert(texts.LOST_JOB) from error
        view = self._tab.result
        return self._version(result, is_compared) if result else {view.video: gr.skip()}

    def make_gif(self, job_id: str, shown: str) -> Updates:
        """Make a GIF of the version that is shown, to be downloaded."""
        result = self._service.get(job_id).result_of(shown) if self._service.knows(job_id) else None
        if result is None:
            raise alert(texts.LOST_JOB)
        try:
            return {self._tab.result.made_file: str(export(result, "gif"))}
        except InputError as error:
            raise alert(error) from error

    def show_status(self, status: Status) -> Updates:
        """Show how far a job is, and what can be done about it."""
        job = status.job
        if not job.is_over:
            return self._working(status)
        is_alert = job.error is not None
        retry = {self._tab.result.retry: _retry_button(job)}
        if job.results:
            kept = texts.CANCELLED_KEPT if job.state == "cancelled" else None
            sentence = job.error or job.note or kept
            return self._idle(None, sentence and screen.note(sentence, is_alert)) | retry
        return self._idle(screen.message(job.error or texts.CANCELLED, is_alert)) | retry

    def _working(self, status: Status) -> Updates:
        job, view = status.job, self._tab.result
        return {
            self._tab.screen: gr.HTML(visible=False)
            if job.results
            else gr.HTML(screen.working(job), visible=True),
            view.progress: gr.HTML(screen.progress(status), visible=True),
            view.retry: gr.Button(visible=False),
            view.details: gr.Column(visible=bool(job.results)),
            self._tab.cancel: gr.Button(
                texts.CANCELLING if job.is_cancel_requested else texts.CANCEL,
                interactive=not job.is_cancel_requested,
            ),
        }

    def _idle(self, display: str | None, note: str | None = None) -> Updates:
        view = self._tab.result
        return {
            self._tab.screen: gr.HTML(display or "", visible=display is not None),
            view.progress: gr.HTML(note or "", visible=note is not None),
            view.details: gr.Column(visible=display is None),
            self._tab.cancel: gr.Button(texts.CANCEL, interactive=False),
        }

    def _versions(self, job: Job) -> Updates:
        """Show a job's prompt, the newest version of its video, and which others there are."""
        view, text = self._tab.result, screen.prompt(job)
        prompt: Updates = {view.prompt: gr.HTML(text, visible=bool(text))}
        if not job.results:
            return {**prompt, view.panel: gr.Column(visible=False)}
        newest = job.results[-1]
        choices = screen.versions(job)
        return {
            **prompt,
            view.panel: gr.Column(visible=True),
            view.choices: gr.Row(visible=len(choices) > 1),
            view.shown: gr.Radio(choices, value=newest.version),
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
            view.download_recipe: str(result.recipe),
            view.used_seed: str(result.seed),
            view.recipe: dict(result.metadata),
        }


def _retry_button(job: Job) -> gr.Button:
    """Offered where something is left to do."""
    return gr.Button(texts.GO_ON if job.results else texts.TRY_AGAIN, visible=job.can_go_on)


def bind_following(
    page: gr.Blocks, tab: TextToVideoTab, following: Following, asked: list[Dependency]
) -> list[Dependency]:
    """Say what the screen shows after which event.

    Args:
        page: The page.
        tab: Where the screen is.
        following: What is shown.
        asked: Events after which the page may have another job to show.

    Returns:
        Events after which there may be a video.
    """
    view = tab.result
    watch = {"outputs": tab.watched(), "show_progress": "hidden", "concurrency_limit": None}
    shown = [tab.job_id, tab.watching]
    followed = [page.load(following.resume, shown, **watch)]
    followed += [
        event.success(following.follow, shown, trigger_mode="multiple", **watch) for event in asked
    ]
    quick = {"show_progress": "hidden", "preprocess": False, "concurrency_limit": None}
    gr.on(
        [view.shown.input, view.is_compared.input],
        following.show_version,
        [tab.job_id, view.shown, view.is_compared],
        view.version(),
        trigger_mode="always_last",
        **quick,
    )
    view.make_gif.click(
        following.make_gif, [tab.job_id, view.shown], view.made_file, **quick
    ).success(js=press(MADE_FILE_ID))
    view.use_seed.click(
        lambda seed: seed, view.used_seed, tab.form.seed, queue=False, show_progress="hidden"
    )
    return followed
