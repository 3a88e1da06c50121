"""The screen: shows a job as it goes on, and what it has made."""

from collections.abc import Sequence

import gradio as gr
from gradio.events import Dependency

from app import screen, texts
from app.exports import export
from app.handlers.alerts import alert
from app.handlers.browser import press
from app.handlers.follower import Follower, Updates
from app.jobs.job import Job
from app.line import Status
from app.result import Result
from app.tabs.result import MADE_FILE_ID
from app.tabs.text_to_video import TextToVideoTab
from lavie.errors import InputError


class Following(Follower[TextToVideoTab]):
    """Shows a job on the screen until it is over, and then its video."""

    def made(self, job: Job) -> object:
        """What it is called, and its newest version."""
        return job.request.prompt, job.results[-1] if job.results else None

    def show_loss(self) -> Updates:
        """Say that there is no such video any more."""
        view = self._tab.result
        hidden = {view.panel: gr.Column(visible=False), view.prompt: gr.HTML(visible=False)}
        return {**hidden, **self._idle(screen.message(texts.LOST_JOB, is_alert=True))}

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

    def show_made(self, job: Job) -> Updates:
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
    page: gr.Blocks, tab: TextToVideoTab, following: Following, asked: Sequence[Dependency]
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
    gr.on(
        [view.shown.input, view.is_compared.input],
        following.show_version,
        [tab.job_id, view.shown, view.is_compared],
        view.version(),
        trigger_mode="always_last",
        preprocess=False,
    )
    view.make_gif.click(
        following.make_gif, [tab.job_id, view.shown], view.made_file, preprocess=False
    ).success(js=press(MADE_FILE_ID))
    view.use_seed.click(lambda seed: seed, view.used_seed, tab.form.seed, queue=False)
    return following.bind(page, asked)
