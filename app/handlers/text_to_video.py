"""What happens when something on the tab Text to video is used."""

from collections.abc import AsyncIterator
from functools import partial
from threading import Lock
from typing import Any, cast

import gradio as gr
from gradio.blocks import Block
from gradio.events import Dependency

from app import screen, texts
from app.exports import export
from app.handlers.alerts import alert, inform
from app.handlers.browser import press
from app.handlers.editing import Editor
from app.jobs.job import Job
from app.request import FIELDS, STEP_FIELDS
from app.result import Result
from app.service import COST_FIELDS, Service, Status
from app.tabs.text_to_video import MADE_FILE_ID, TextToVideoTab
from app.visitors import Visitors
from app.watching import Watching
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
        visitors: Tells who asks.
        editor: Saves the changes of jobs that wait.
    """

    def __init__(
        self,
        service: Service,
        tab: TextToVideoTab,
        words: Words | None,
        visitors: Visitors,
        editor: Editor,
    ) -> None:
        self._service = service
        self._editor = editor
        self._visitors = visitors
        self._tab = tab
        self._words = words
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

    def _take(self, job: Job, watched: str) -> Updates:
        """Watch a new job, unless the page watches one that is not over: then say where it is."""
        if self._service.is_busy_with(watched):
            status = self._service.status(job)
            where = texts.place(status.num_ahead, status.seconds_ahead, status.is_held)
            inform(texts.added_to_queue(where))
            return {self._tab.job_id: gr.skip()}
        return self.show(job)

    def show(self, job: Job) -> Updates:
        """Turn to a job, which then has to be followed."""
        return {
            self._tab.job_id: job.id,
            **self._show(self._service.status(job)),
            **self._versions(job),
        }

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

    def show_costs(self, *values: object) -> Updates:
        """Say beside the switches what they bring and what they cost on this computer."""
        form = self._tab.form
        try:
            costs = self._service.estimate(dict(zip(COST_FIELDS, values, strict=True)))
        except InputError:  # said beside its field once the video is asked for
            return {self._tab.cost_timer: gr.skip()}
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
                updates = self._show(status)
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

    def retry(self, job_id: str, request: gr.Request | None = None) -> Updates:
        """Queue a job again that did not come to its end; what is done of it is kept."""
        try:
            job = self._service.retry(job_id, *self._visitors.visitor(request))
        except InputError as error:
            raise alert(error) from error
        return self._working(self._service.status(job))

    def read_prompt(self, prompt: str) -> Updates:
        """Say which words of a prompt the model will not read, and mark those it offers."""
        card, prompt = self._service.card, prompt or ""
        unknown, unread = card.unknown_words(prompt), card.unread_words(prompt)
        notes = [texts.unread_words(unread)] if unread else []
        notes += [texts.unknown_words(unknown)] if unknown else []
        note = gr.Markdown("\n\n".join(notes), visible=bool(notes))
        updates: Updates = {self._tab.note: note}
        if self._tab.composer and self._words:
            updates |= zip(self._tab.composer, self._words.find(prompt), strict=True)
        return updates

    def read_form(self, kept: object) -> Updates:
        """`show_costs` and `read_prompt` for a form as its browser keeps it.

        Gradio takes back what it said beside a field as soon as anything answers that was given the
        field. So what happens by itself is given the form in another shape.
        """
        values = kept if isinstance(kept, dict) else {}
        defaults = {name: limits.default for name, limits in self._service.card.ranges.items()}
        costs = (values.get(name, defaults.get(name)) for name in COST_FIELDS)
        return {**self.show_costs(*costs), **self.read_prompt(str(values.get("prompt") or ""))}

    def show_model(self) -> Updates:
        """Say that the model is being loaded, or that it cannot be; look no more once it is."""
        error, is_loading = self._service.model_error, self._service.is_model_loading
        note = screen.note(error or texts.MODEL_LOADS, is_alert=error is not None)
        return {
            self._tab.model_state: gr.HTML(note, visible=is_loading or error is not None),
            self._tab.model_timer: gr.Timer(active=is_loading),
        }

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

    def _show(self, status: Status) -> Updates:
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


def bind_text_to_video(
    page: gr.Blocks, tab: TextToVideoTab, handlers: TextToVideoHandlers
) -> tuple[list[Dependency], list[Dependency]]:
    """Say which events of the tab do what.

    Returns:
        Events after which there may be something in the queue, and those after which there may be
        a video.
    """
    # Nothing here computes: jobs do. So events neither wait for each other nor dim the page.
    watch = partial(dict, outputs=tab.watched(), show_progress="hidden", concurrency_limit=None)
    # Our own rules check the values, so that the sentences are ours.
    ask = partial(watch, preprocess=False)
    submitted = gr.on(
        [tab.generate.click, tab.form.prompt.submit],
        handlers.submit,
        [tab.job_id, tab.edit.edited, tab.watching, *tab.form.controls()],
        validator=handlers.check,
        trigger_mode="multiple",  # every press counts, also while an earlier one is on its way
        **ask(outputs=tab.asked()),
    )
    view, form = tab.result, tab.form
    smoothed = view.smooth_it.click(
        handlers.smooth_it,
        [tab.job_id, view.shown, form.smoothing_steps],
        validator=handlers.check_smoothing,
        **ask(),
    )
    upscaled = view.upscale_it.click(
        handlers.upscale_it,
        [tab.job_id, view.shown, form.upscaling_steps],
        validator=handlers.check_upscaling,
        **ask(),
    )
    quick = {"show_progress": "hidden", "queue": False}
    chips = list(tab.composer or ())
    read = {
        "fn": handlers.read_form,
        "inputs": tab.kept,
        "outputs": [form.smooth, form.upscale, tab.cost_timer, tab.note, *chips],
        **quick,
    }
    retried = view.retry.click(handlers.retry, tab.job_id, **watch())
    shown = [tab.job_id, tab.watching]
    followed = [page.load(handlers.resume, shown, **watch())]
    asked = [submitted, smoothed, upscaled, retried]
    for event in asked:
        followed.append(event.success(handlers.follow, shown, trigger_mode="multiple", **watch()))
        followed[-1].then(**read)
    gr.on([tab.cost_timer.tick, tab.kept.change], **read, trigger_mode="always_last")
    gr.on(
        [page.load, tab.model_timer.tick],
        handlers.show_model,
        None,
        [tab.model_state, tab.model_timer],
        **quick,
    )
    gr.on(
        [view.shown.input, view.is_compared.input],
        handlers.show_version,
        [tab.job_id, view.shown, view.is_compared],
        view.version(),
        show_progress="hidden",
        preprocess=False,
        concurrency_limit=None,
        trigger_mode="always_last",
    )
    view.make_gif.click(
        handlers.make_gif,
        [tab.job_id, view.shown],
        view.made_file,
        show_progress="hidden",
        preprocess=False,
        concurrency_limit=None,
    ).success(js=press(MADE_FILE_ID))
    tab.cancel.click(
        handlers.cancel,
        tab.job_id,
        tab.cancel,
        show_progress="hidden",
        concurrency_limit=None,  # queued, so that it can refuse
    )
    tab.result.use_seed.click(
        lambda seed: seed, tab.result.used_seed, tab.form.seed, queue=False, show_progress="hidden"
    )
    if chips:
        gr.on(
            [radio.input for radio in chips],
            handlers.compose,
            chips,
            tab.form.prompt,
            queue=False,
            show_progress="hidden",
        )
    return asked, followed
