"""What happens when something on the tab Your videos is used."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.events import Dependency

from app import gallery, screen, texts
from app.exports import export
from app.films.restore import is_film
from app.handlers import undo
from app.handlers.alerts import alert
from app.handlers.browser import bring_into_view, press
from app.handlers.following import Following
from app.handlers.long_video import LongVideoHandlers
from app.handlers.settings import fill_in
from app.jobs.job import Job
from app.result import Result
from app.service import Service
from app.tabs.history import EXPORT_ID, PAGE_SIZE, PANEL_ID, HistoryTab
from app.tabs.text_to_video import TAB_ID, TextToVideoTab
from app.visitors import Visitors
from lavie.errors import InputError

Updates = dict[Block, Any]


class HistoryHandlers:
    """What happens when something on the tab Your videos is used.

    Args:
        service: Keeps the videos.
        tab: The components to read and update.
        studio: The tab on which a video can be gone on with.
        tabs: In which both are.
        visitors: Tells whose videos are seen.
    """

    def __init__(
        self,
        service: Service,
        tab: HistoryTab,
        studio: TextToVideoTab,
        tabs: gr.Tabs,
        visitors: Visitors,
        films: LongVideoHandlers | None = None,
    ) -> None:
        self._service = service
        self._tab = tab
        self._studio = studio
        self._tabs = tabs
        self._visitors = visitors
        self._films = films

    def refresh(
        self,
        search: str,
        only_starred: bool,
        num_shown: int,
        opened: str,
        request: gr.Request | None = None,
    ) -> Updates:
        """Show the newest videos that are asked for."""
        owner, search = self._visitors.owner(request), search or ""
        jobs = self._service.history(owner, search, num_shown + 1, only_starred=only_starred)
        is_searched = bool(search.strip()) or only_starred
        return {
            self._tab.cards: gallery.cards(jobs[:num_shown], opened, is_searched),
            self._tab.more: gr.Button(visible=len(jobs) > num_shown),
        }

    def show_more(self, num_shown: int) -> int:
        """Have one page more shown from now on."""
        return num_shown + PAGE_SIZE

    def choose(self, compared: Sequence[str], event: gr.EventData) -> Updates:
        """Open the video whose card was clicked."""
        job = self._find(getattr(event, "job", ""))
        result = job.results[-1]
        opened = self._tab.opened
        choices = screen.versions(job)
        return {
            opened.job_id: job.id,
            opened.panel: gr.Column(visible=True),
            opened.star: gr.Button(texts.UNSTAR if job.is_starred else texts.STAR),
            opened.shown: gr.Radio(choices, value=result.version, visible=len(choices) > 1),
            **self._version(job, result, compared),
        }

    def show_version(self, opened: str, shown: str, compared: Sequence[str]) -> Updates:
        """Show another version of the video that is open."""
        return self._version(*self._find_version(opened, shown), compared)

    def close(self) -> Updates:
        """Show no video any more."""
        opened = self._tab.opened
        return {
            opened.job_id: "",
            opened.panel: gr.Column(visible=False),
            **self._alone(None),
        }

    def star(self, opened: str, request: gr.Request | None = None) -> Updates:
        """Mark the video, or no longer."""
        is_starred, owner = not self._find(opened).is_starred, self._visitors.owner(request)
        try:
            job = self._service.star(opened, is_starred, owner)
        except InputError as error:
            raise alert(error) from error
        label = texts.UNSTAR if job.is_starred else texts.STAR
        return {self._tab.opened.star: gr.Button(label)}

    def delete(self, opened: str, request: gr.Request | None = None) -> Updates:
        """Throw the video away, and offer to bring it back."""
        try:
            job = self._service.delete(opened, self._visitors.owner(request))
        except InputError as error:
            raise alert(error) from error
        return {
            **undo.offer(self._tab.undo, {"job_id": job.id}, texts.deleted(job.request.prompt)),
            **self.close(),
        }

    def undo(self, gone: Mapping[str, str], request: gr.Request | None = None) -> Updates:
        """Bring back what was thrown away."""
        try:
            self._service.undelete(gone.get("job_id", ""), self._visitors.owner(request))
        except InputError as error:
            raise alert(texts.GONE_FOR_GOOD) from error
        return undo.put_away(self._tab.undo)

    def compare(self, opened: str, shown: str, compared: Sequence[str]) -> Updates:
        """Hold on to a video, so that the next one is shown beside it; or let go of it."""
        job, result = self._find_version(opened, shown)
        if compared:
            return self._alone(result)
        return {
            self._tab.opened.compared: (job.id, result.version),
            self._tab.opened.compare: gr.Button(texts.COMPARE_NO_MORE),
            self._tab.opened.hint: gr.Markdown(texts.COMPARE_HINT, visible=True),
        }

    def export(self, format: str, opened: str, shown: str) -> Updates:  # noqa: A002 - as `app.exports`
        """Make a file of the version that is shown, to be downloaded."""
        _, result = self._find_version(opened, shown)
        try:
            return {self._tab.opened.export_file: str(export(result, format))}
        except InputError as error:
            raise alert(error) from error

    def reuse(self, opened: str, shown: str, request: gr.Request | None = None) -> Updates:
        """Fill the form with the settings of a video."""
        _, result = self._find_version(opened, shown)
        if self._films is not None and is_film(result.metadata):
            return self._films.fill_in(result.metadata, request)
        loras = self._service.shelf.list(self._visitors.owner(request))
        filled = fill_in(self._studio, result.metadata, self._service.card, loras)
        return {self._tabs: gr.Tabs(selected=TAB_ID), **filled}

    def go_on(self, opened: str) -> Updates:
        """Have the first tab show the video, where more can be made of it."""
        job = self._find(opened)
        if job.results[0].stage == "long_video":  # it has a tab of its own
            return {self._studio.job_id: gr.skip()}
        return {self._tabs: gr.Tabs(selected=TAB_ID), self._studio.job_id: job.id}

    def _find(self, job_id: str) -> Job:
        try:
            job = self._service.get(job_id)
        except InputError as error:
            raise alert(texts.NO_SUCH_RESULT) from error
        if not job.results or job.deleted:
            raise alert(texts.NO_SUCH_RESULT)
        return job

    def _find_version(self, job_id: str, version: str) -> tuple[Job, Result]:
        job = self._find(job_id)
        result = job.result_of(version)
        if result is None:
            raise alert(texts.NO_SUCH_RESULT)
        return job, result

    def _version(self, job: Job, result: Result, compared: Sequence[str]) -> Updates:
        opened = self._tab.opened
        updates: Updates = {opened.about: gallery.about(job, result), opened.seed: str(result.seed)}
        if not compared:
            return updates | {opened.video: str(result.view)}
        try:
            other = self._find_version(*compared)
        except gr.Error:  # it was deleted meanwhile
            return updates | self._alone(result)
        return updates | {
            opened.video: gr.Video(None, visible=False),
            opened.pair: gr.HTML(gallery.pair(other, (job, result)), visible=True),
            opened.hint: gr.Markdown(visible=False),
        }

    def _alone(self, result: Result | None) -> Updates:
        opened = self._tab.opened
        return {
            opened.compared: (),
            opened.compare: gr.Button(texts.COMPARE),
            opened.hint: gr.Markdown(visible=False),
            opened.pair: gr.HTML("", visible=False),
            opened.video: gr.Video(result and str(result.view), visible=True),
        }


def bind_history(
    page: gr.Blocks,
    tabs: gr.Tabs,
    tab: HistoryTab,
    handlers: HistoryHandlers,
    studio: TextToVideoTab,
    following: Following,
    ended: Sequence[Dependency],
    films: Sequence[Block] = (),
) -> None:
    """Say which events of the tab do what.

    Args:
        page: The page.
        tabs: Of the page.
        tab: What is used.
        handlers: What happens then.
        studio: Where a video can be gone on with.
        following: Shows it there.
        ended: Events after which there may be a new video.
        films: What a film fills in.
    """
    opened = tab.opened
    refresh = {
        "fn": handlers.refresh,
        "inputs": [tab.search, tab.only_starred, tab.num_shown, opened.job_id],
        "outputs": [tab.cards, tab.more],
        "queue": False,
    }
    view = [opened.video, opened.pair, opened.hint, opened.compared, opened.compare]
    about = [opened.about, opened.seed]
    closed = [opened.job_id, opened.panel, *view]
    at_hand = [opened.job_id, opened.shown]
    for event in ended:
        event.then(**refresh)
    gr.on([tab.tab.select, tab.only_starred.input], **refresh, trigger_mode="always_last")
    tab.search.change(**refresh, trigger_mode="always_last")
    tab.more.click(handlers.show_more, tab.num_shown, tab.num_shown).then(**refresh)
    tab.cards.select(
        handlers.choose,
        opened.compared,
        [opened.job_id, opened.panel, opened.star, opened.shown, *about, *view],
        trigger_mode="always_last",
    ).success(**refresh).then(js=bring_into_view(PANEL_ID))
    opened.shown.input(
        handlers.show_version,
        [*at_hand, opened.compared],
        [*about, *view],
        trigger_mode="always_last",
        preprocess=False,  # whichever versions the page is thought to offer
    )
    opened.close.click(handlers.close, None, closed).then(**refresh)
    opened.star.click(handlers.star, opened.job_id, opened.star).success(**refresh)
    back = tab.undo
    opened.delete.click(
        handlers.delete, opened.job_id, [back.gone, back.row, back.note, *closed]
    ).success(**refresh)
    back.button.click(handlers.undo, back.gone, [back.gone, back.row]).success(**refresh)
    opened.compare.click(handlers.compare, [*at_hand, opened.compared], view, preprocess=False)
    for name, button in opened.exports.items():
        button.click(
            partial(handlers.export, name), at_hand, opened.export_file, preprocess=False
        ).success(js=press(EXPORT_ID))
    opened.reuse.click(
        handlers.reuse,
        at_hand,
        [tabs, studio.restored, *studio.form.controls(), *films],
        preprocess=False,
    )
    gone_on = opened.go_on.click(handlers.go_on, opened.job_id, [tabs, studio.job_id])
    for event in following.follow_after(gone_on):
        event.then(**refresh)
