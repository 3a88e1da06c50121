"""Shows a film as it grows: its parts so far, the strip of them, how far it is."""

from collections.abc import Sequence

import gradio as gr
from gradio.blocks import Block
from gradio.events import Dependency

from app import screen, texts
from app.films import page
from app.films.service import Films
from app.handlers.follower import Follower, Updates
from app.jobs.job import Job
from app.line import Status
from app.result import Result
from app.service import Service
from app.tabs.long_video import TAB_ID, LongVideoTab
from app.texts import films as film_texts


class FilmFollowing(Follower[LongVideoTab]):
    """Shows a film until its job is over.

    Args:
        service: Keeps the jobs.
        films: Knows the parts of films.
        tab: The components to update.
        tabs: In which the tab is.
    """

    def __init__(self, service: Service, films: Films, tab: LongVideoTab, tabs: gr.Tabs) -> None:
        super().__init__(service, tab)
        self._films = films
        self._tabs = tabs

    def show(self, job: Job) -> Updates:
        """Turn to a job, which then has to be followed."""
        return {self._tab.result.redo_row: gr.Column(visible=False), **super().show(job)}

    def show_film(self, job: Job) -> Updates:
        """Turn to a job, and to the tab, if it is about a film; else nothing."""
        if self._films.view(job) is None:
            return {}
        return {self._tabs: gr.Tabs(selected=TAB_ID), **self.show(job)}

    def show_opened(self, job_id: str) -> Updates:
        """`show_film`, for an event."""
        film = self.show_film(self._service.get(job_id)) if self._service.knows(job_id) else {}
        return film or self._nothing_new()

    def turned(self) -> list[Block]:
        """What `show_film` changes."""
        return [self._tabs, *self._tab.watched()]

    def made(self, job: Job) -> object:
        """Its parts and versions; and how it stands, as the part at work is marked."""
        film = self._films.view(job)
        return film and film.num_done, job.state, len(job.results)

    def show_made(self, job: Job) -> Updates:
        """The parts, as buttons, and what can be played and downloaded."""
        view = self._tab.result
        html = page.timeline(self._films.view(job), at_work=_is_growing(job))
        parts = {view.timeline: gr.HTML(html, visible=bool(html))}
        if not job.results:
            below = (view.choices, view.next, view.downloads, view.seed_row)
            nothing = {part: gr.Row(visible=False) for part in below}
            return {**parts, **nothing, **self._player(job, None)}
        choices = screen.versions(job)
        return {
            **parts,
            view.choices: gr.Row(visible=len(choices) > 1),
            view.shown: gr.Radio(choices, value=job.results[-1].version),
            **self._version(job, job.results[-1]),
        }

    def show_loss(self) -> Updates:
        """Say that there is no such film any more."""
        view = self._tab.result
        hidden = (view.choices, view.next, view.downloads, view.seed_row, view.redo_row)
        return {
            view.screen: gr.HTML(screen.message(texts.LOST_JOB, is_alert=True), visible=True),
            view.player: page.NOTHING_TO_PLAY,
            **{part: gr.HTML(visible=False) for part in (view.timeline, view.progress)},
            **{part: gr.update(visible=False) for part in hidden},
            view.retry: gr.Button(visible=False),
            self._tab.cancel: gr.Button(film_texts.STOP, interactive=False),
        }

    def choose(self, job_id: str, event: gr.EventData) -> Updates:
        """Note the part that was clicked, and offer to make the film again from there."""
        job = self._service.get(job_id) if self._service.knows(job_id) else None
        film = job and self._films.view(job)
        chosen, view = getattr(event, "part", -1), self._tab.result
        is_part = type(chosen) is int and film is not None and 0 <= chosen < film.num_done
        if job is None or film is None or not is_part:
            return {self._tab.chosen: -1, view.redo_row: gr.Column(visible=False)}
        return {
            self._tab.chosen: chosen,
            view.redo_note: page.redo_note(film, chosen),
            view.redo_row: gr.Column(visible=True),
            view.timeline: page.timeline(film, chosen, _is_growing(job)),
        }

    def show_version(self, job_id: str, shown: str) -> Updates:
        """Show the film as it was made, or what later stages made of it."""
        job = self._service.get(job_id) if self._service.knows(job_id) else None
        result = job and job.result_of(shown)
        if job is None or result is None:
            return {self._tab.result.shown: gr.skip()}
        return self._version(job, result)

    def show_status(self, status: Status) -> Updates:
        """Show how far a job is, and what can be done about it."""
        job, view = status.job, self._tab.result
        film = self._films.view(job)
        can_be_seen = film is not None and (film.num_done > 0 or film.given is not None)
        if not job.is_over:
            stop = gr.Button(
                texts.CANCELLING if job.is_cancel_requested else film_texts.STOP,
                interactive=not job.is_cancel_requested,
            )
            return {
                view.screen: gr.HTML(screen.working(job), visible=not can_be_seen),
                view.progress: gr.HTML(screen.progress(status), visible=True),
                view.retry: gr.Button(visible=False),
                self._tab.cancel: stop,
            }
        stopped = film_texts.STOPPED if can_be_seen else film_texts.NOTHING_KEPT
        sentence = job.error or job.note or (stopped if job.state == "cancelled" else "")
        note = screen.note(sentence, job.error is not None) if sentence else ""
        has_begun = bool(job.results) or (film is not None and film.num_done > 0)
        if job.can_go_on and film is not None and film.num_done < len(film.parts):
            note += screen.note(film_texts.GO_ON_INFO)
        display = screen.empty(film_texts.EMPTY_SCREEN)
        return {
            view.screen: gr.HTML(display, visible=not can_be_seen),
            view.progress: gr.HTML(note, visible=bool(note)),
            view.retry: gr.Button(
                texts.GO_ON if has_begun else texts.TRY_AGAIN, visible=job.can_go_on
            ),
            self._tab.cancel: gr.Button(film_texts.STOP, interactive=False),
        }

    def _version(self, job: Job, result: Result) -> Updates:
        view, possible = self._tab.result, self._service.next_stages(result)
        return {
            **self._player(job, result),
            view.next: gr.Row(visible=bool(possible)),
            view.smooth_it: gr.Button(visible="interpolation" in possible),
            view.upscale_it: gr.Button(visible="super_resolution" in possible),
            view.downloads: gr.Row(visible=True),
            view.download_view: str(result.view),
            view.download_video: gr.DownloadButton(
                value=str(result.video), visible=result.view != result.video
            ),
            view.download_recipe: str(result.recipe),
            view.seed_row: gr.Row(visible=True),
            view.used_seed: str(result.seed),
        }

    def _player(self, job: Job, result: Result | None) -> Updates:
        return {self._tab.result.player: page.player_value(job, self._films.view(job), result)}


def _is_growing(job: Job) -> bool:
    return job.state == "running" and not job.results


def bind_film_following(
    blocks: gr.Blocks, tab: LongVideoTab, following: FilmFollowing, asked: Sequence[Dependency]
) -> list[Dependency]:
    """Say what is shown after which event; returned are those after which there may be a video.

    Args:
        blocks: The page.
        tab: Where the film is shown.
        following: What is shown.
        asked: Events after which there may be another job to show.
    """
    view = tab.result
    view.timeline.select(
        following.choose,
        tab.job_id,
        [tab.chosen, view.redo_row, view.redo_note, view.timeline],
        trigger_mode="always_last",
    )
    view.shown.input(
        following.show_version,
        [tab.job_id, view.shown],
        tab.watched(),
        preprocess=False,
        trigger_mode="always_last",
    )
    view.use_seed.click(lambda seed: seed, view.used_seed, tab.form.seed, queue=False)
    return following.bind(blocks, asked)
