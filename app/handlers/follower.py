"""Following a job: a tab shows how far it is and what it has made, until it is over."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from typing import Any, Generic, TypeVar

import gradio as gr
from gradio.blocks import Block
from gradio.events import Dependency

from app.jobs.job import Job
from app.line import Status
from app.service import Service
from app.tabs.long_video import LongVideoTab
from app.tabs.lora_stage import TrainingPanel, TryPanel
from app.tabs.text_to_video import TextToVideoTab
from app.watching import Watching
from lavie.errors import InputError

Updates = dict[Block, Any]
Tab = TypeVar("Tab", TextToVideoTab, LongVideoTab, TrainingPanel, TryPanel)


class Follower(ABC, Generic[Tab]):
    """Shows a job on a tab. What of it is shown, and how, is up to the tab.

    Args:
        service: Keeps the jobs.
        tab: The components to update.
    """

    def __init__(self, service: Service, tab: Tab) -> None:
        self._service = service
        self._tab = tab

    @abstractmethod
    def show_status(self, status: Status) -> Updates:
        """Show how far a job is, and what can be done about it."""

    @abstractmethod
    def show_made(self, job: Job) -> Updates:
        """Show what a job has made."""

    @abstractmethod
    def made(self, job: Job) -> object:
        """What `show_made` shows: it is shown once, so that it plays on."""

    @abstractmethod
    def show_loss(self) -> Updates:
        """Say that there is no such job any more."""

    def show(self, job: Job) -> Updates:
        """Turn to a job, which then has to be followed."""
        return {
            self._tab.job_id: job.id,
            **self.show_status(self._service.status(job)),
            **self.show_made(job),
        }

    async def follow(self, job_id: str, watching: Watching) -> AsyncIterator[Updates]:
        """Show a job until it is over.

        Nothing happens if the page follows it already, and it ends when the page turns to another.
        """
        is_known = self._service.knows(job_id)
        turn = watching.begin(job_id, self._service.get(job_id).revision if is_known else None)
        if turn is None:
            yield self._nothing_new()
            return
        try:
            async for updates in self._follow(job_id, watching, turn):
                yield updates
        finally:
            watching.end(turn)

    async def _follow(self, job_id: str, watching: Watching, turn: int) -> AsyncIterator[Updates]:
        shown: object = None
        try:
            async for status in self._service.follow(job_id):
                if turn != watching.turn:
                    return
                job = status.job
                watching.ending = job.revision if job.is_over else None
                updates, made = self.show_status(status), self.made(job)
                if made != shown:
                    updates |= self.show_made(job)
                    shown = made
                yield updates
        except InputError:
            yield {self._tab.job_id: "", **self.show_loss()}

    async def resume(self, job_id: str, watching: Watching) -> AsyncIterator[Updates]:
        """Show the job that this browser watches, if any, also after the page was loaded again."""
        if job_id:
            async for updates in self.follow(job_id, watching):
                yield updates
        else:
            yield self._nothing_new()

    def follow_after(self, *events: Dependency) -> list[Dependency]:
        """Have the job followed to which an event may have turned the page."""
        return [event.success(trigger_mode="multiple", **self._watch()) for event in events]

    def bind(self, page: gr.Blocks, asked: Sequence[Dependency]) -> list[Dependency]:
        """Follow a job when the page is loaded, and after it was asked for.

        Returns:
            Events after which there may be a video.
        """
        return [page.load(**self._watch()), *self.follow_after(*asked)]

    def _watch(self) -> dict[str, Any]:
        return {
            "fn": self.resume,
            "inputs": [self._tab.job_id, self._tab.watching],
            "outputs": self._tab.watched(),
        }

    def _nothing_new(self) -> Updates:
        """Not the job's id: another one may be asked for meanwhile."""
        return {self._tab.cancel: gr.skip()}
