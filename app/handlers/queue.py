"""What happens when something in the queue below the screen is used, and how it stays live."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.events import Dependency

from app import queue_view, texts
from app.handlers import undo
from app.handlers.alerts import alert
from app.handlers.browser import bring_into_view
from app.handlers.editing import Editor, job_in
from app.handlers.film_following import FilmFollowing
from app.handlers.following import Following
from app.handlers.lora_training import TrainingFollowing
from app.jobs.job import Job
from app.line import Status
from app.service import Service
from app.tabs.text_to_video import TextToVideoTab
from app.visitors import Visitor, Visitors
from app.watching import Watching
from lavie.errors import InputError

Updates = dict[Block, Any]

_SECONDS_BETWEEN_LOOKS = 0.5


class QueueHandlers:
    """What happens when something in the queue is used.

    Args:
        service: Keeps the jobs.
        tab: The components to update.
        visitors: Tells who asks.
        studio: Shows a job on the screen.
        editor: Lends the form to a job.
        films: Shows a film on its own tab.
        trainings: The same for trainings.
    """

    def __init__(
        self,
        service: Service,
        tab: TextToVideoTab,
        visitors: Visitors,
        studio: Following,
        editor: Editor,
        films: FilmFollowing,
        trainings: TrainingFollowing,
    ) -> None:
        self._service = service
        self._tab = tab
        self._visitors = visitors
        self._studio = studio
        self._editor = editor
        self._films = films
        self._trainings = trainings

    async def follow(
        self, watching: Watching, request: gr.Request | None = None
    ) -> AsyncIterator[Updates]:
        """Show the queue as it changes, until there is nothing left in it."""
        owner, shown = self._visitors.owner(request), None
        is_alive = True
        while is_alive:
            statuses = self._service.queue(owner)
            html = self._html(watching, owner)
            if html != shown:
                yield self._panel(html)
                shown = html
            is_alive = bool(statuses)
            if is_alive:
                await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
        yield {self._tab.queue.timer: gr.Timer(active=False)}

    def wake(self) -> gr.Timer:
        """Have the queue followed: there may be something in it."""
        return gr.Timer(active=True)

    def use(
        self,
        edited: object,
        kept: object,
        watching: Watching,
        event: gr.EventData,
        request: gr.Request | None = None,
    ) -> Updates:
        """Do what the button says that was pressed."""
        action, job_id = getattr(event, "action", ""), getattr(event, "job", "")
        visitor = self._visitors.visitor(request)
        try:
            if action in ("pause", "go_on"):
                self._service.pause(action == "pause")
                updates: Updates = {}
            else:
                updates = self._use(action, self._service.get(job_id), edited, kept, visitor)
        except InputError as error:
            raise alert(error) from error
        back = self._tab.queue.undo
        return {
            **({} if back.gone in updates else undo.put_away(back)),
            **updates,
            **self._panel(self._html(watching, visitor.owner)),
            self._tab.queue.timer: self.wake(),
        }

    def undo(
        self, gone: Mapping[str, object], watching: Watching, request: gr.Request | None = None
    ) -> Updates:
        """Bring back what was removed; in the queue where it was, if others do not mind."""
        job_id, place = str(gone.get("job_id", "")), gone.get("place")
        visitor = self._visitors.visitor(request)
        try:
            if place is None:
                self._service.undelete(job_id, visitor.owner)
            else:
                self._service.retry(job_id, *visitor)
        except InputError as error:
            raise alert(error) from error
        if isinstance(place, int) and not self._service.policy.is_public:
            with suppress(InputError):  # it has begun: no place is better
                self._service.move(job_id, place)
        return {
            **undo.put_away(self._tab.queue.undo),
            **self._panel(self._html(watching, visitor.owner)),
            self._tab.queue.timer: self.wake(),
        }

    def mark(
        self, edited: object, watching: Watching, request: gr.Request | None = None
    ) -> Updates:
        """Mark the job that is in the form, from now on."""
        watching.edited = job_in(edited)
        return self._panel(self._html(watching, self._visitors.owner(request)))

    def _use(
        self, action: str, job: Job, edited: object, kept: object, visitor: Visitor
    ) -> Updates:
        if action == "show":
            elsewhere = self._films.show_film(job) or self._trainings.show_training(job)
            return elsewhere or self._studio.show(job)
        if action == "retry":
            self._service.retry(job.id, *visitor)
        if action == "edit":
            return self._editor.begin(job, edited, kept)
        if action in ("up", "down"):
            self._move(job, 1 if action == "down" else -1)
        elif action in ("remove", "cancel", "pause_it"):
            return self._remove(job, edited, visitor.owner)
        return {}

    def _remove(self, job: Job, edited: object, owner: str) -> Updates:
        """Drop a job that is not at work, and offer to undo that; or stop one that is."""
        waiting = self._waiting()
        if job.is_over:
            self._service.delete(job.id, owner)
            sentence = texts.deleted(job.request.prompt)
            return undo.offer(self._tab.queue.undo, {"job_id": job.id}, sentence)
        job = self._service.cancel(job.id, owner)
        updates: Updates = self._editor.leave(edited) if job_in(edited) == job.id else {}
        if job.id in waiting and job.is_over:
            gone = {"job_id": job.id, "place": waiting.index(job.id)}
            sentence = texts.removed(job.request.prompt)
            updates |= undo.offer(self._tab.queue.undo, gone, sentence)
        return updates

    def _waiting(self) -> list[str]:
        return [s.job.id for s in self._service.queue() if s.job.state == "queued"]

    def _move(self, job: Job, step: int) -> None:
        waiting = self._waiting()
        place = waiting.index(job.id) + step if job.id in waiting else 0
        self._service.move(job.id, max(place, 0))

    def _html(self, watching: Watching, owner: str) -> str:
        interrupted = map(Status, self._service.interrupted(owner))
        return queue_view.queue(
            [*self._service.queue(owner), *interrupted],
            watching.job_id,
            self._service.is_paused,
            is_steered=not self._service.policy.is_public,
            edited=watching.edited,
        )

    def _panel(self, html: str) -> Updates:
        return {self._tab.queue.jobs: gr.HTML(html, visible=bool(html))}


def bind_queue(
    page: gr.Blocks,
    tab: TextToVideoTab,
    handlers: QueueHandlers,
    studio: Following,
    films: FilmFollowing,
    trainings: TrainingFollowing,
    editor: Editor,
    asked: Sequence[Dependency],
) -> list[Dependency]:
    """Say what the queue does; returned are the events after which there may be a video.

    Args:
        page: The page.
        tab: Where the queue is.
        handlers: What happens when it is used.
        studio: Follows the job that is shown.
        films: The same for films.
        trainings: And for trainings.
        editor: Lends the form to a job.
        asked: Events after which there may be something in the queue.
    """
    panel, edit = tab.queue, tab.edit
    back = [panel.undo.gone, panel.undo.row]
    # One tick begins to follow, the next ones find that pending: no request until it ends.
    panel.timer.tick(handlers.follow, tab.watching, [panel.jobs, panel.timer])
    used = panel.jobs.select(
        handlers.use,
        [edit.edited, tab.kept, tab.watching],
        [
            panel.jobs,
            panel.timer,
            *back,
            panel.undo.note,
            *tab.asked(),
            *films.turned(),
            *trainings.turned(),
        ],
        trigger_mode="multiple",
    )
    for event in asked:
        event.success(handlers.wake, None, panel.timer, queue=False)
    edit_parts = [edit.edited, edit.bar, edit.note, tab.generate]
    edit.leave.click(editor.leave, edit.edited, [*edit_parts, *tab.form.controls()], queue=False)
    page.load(editor.resume, edit.edited, edit_parts, queue=False)
    edit.edited.change(handlers.mark, [edit.edited, tab.watching], panel.jobs, queue=False)
    undone = panel.undo.button.click(
        handlers.undo,
        [panel.undo.gone, tab.watching],
        [panel.jobs, panel.timer, *back],
    )
    used.success(js=bring_into_view("film-stage"))
    elsewhere = [*films.follow_after(used), *trainings.follow_after(used)]
    return [*studio.follow_after(used, undone), *elsewhere]
