"""Asking for films: a new one, one made again from a part on, one more stage; and stopping."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import gradio as gr
from gradio.blocks import Block
from gradio.events import Dependency

from app import screen
from app.films.check import (
    BEGINNINGS,
    FILM_FIELDS,
    read_form_story,
    without_seeds,
    written_rows,
)
from app.films.given import check_given
from app.films.redo import begins_otherwise, story_after
from app.films.request import FilmRequest, GivenFile
from app.films.restore import film_values, form_story, is_film
from app.films.service import Films
from app.gallery import as_text
from app.handlers.alerts import alert, inform, warn
from app.handlers.field_notes import beside_fields, mistakes_by_field
from app.handlers.film_following import FilmFollowing
from app.handlers.job_buttons import JobButtons
from app.restore import read_recipe
from app.service import Service
from app.tabs.long_video import TAB_ID, LongVideoTab
from app.texts import films as film_texts
from app.visitors import Visitors
from lavie.errors import InputError

Updates = dict[Block, Any]

_FileField = Literal["picture", "video", "end_picture"]
_FILE_FIELDS: tuple[_FileField, ...] = ("picture", "video", "end_picture")
_KEPT_FIELDS = tuple(field for field in FILM_FIELDS if field not in (*_FILE_FIELDS, "ends"))
_COST_FIELDS = ("story", "overlap", "num_inference_steps", "begin")


class LongVideoHandlers(JobButtons[LongVideoTab]):
    """What happens when something on the tab Long video is used.

    Args:
        service: Does the work.
        films: Checks and queues films.
        tab: The components to read and update.
        tabs: In which the tab is.
        visitors: Tells who asks.
        following: Shows a film.
    """

    def __init__(
        self,
        service: Service,
        films: Films,
        tab: LongVideoTab,
        tabs: gr.Tabs,
        visitors: Visitors,
        following: FilmFollowing,
    ) -> None:
        super().__init__(service, tab, visitors, following)
        self._films = films
        self._tabs = tabs

    def check(
        self, job_id: str, source: str, request: gr.Request | None, *values: object
    ) -> list[dict[str, Any]]:
        """Say what is wrong beside each field, before anything is queued."""
        owner = self._visitors.owner(request)
        try:
            errors = mistakes_by_field(self._films.check(self._form(source, values), owner))
        except InputError as error:
            errors = mistakes_by_field([error])
        return beside_fields(errors, FILM_FIELDS, num_others=2)

    def submit(
        self, job_id: str, source: str, request: gr.Request | None, *values: object
    ) -> Updates:
        """Queue a film."""
        try:
            form = self._form(source, values)
            job = self._films.submit(form, *self._visitors.visitor(request))
        except InputError as error:
            raise alert(error) from error
        return self.take(job, job_id)

    def redo(
        self,
        job_id: str,
        chosen: int,
        story: object,
        request: gr.Request | None = None,
    ) -> Updates:
        """Queue the film again from the chosen part on; the form keeps what was typed."""
        try:
            film = self._films.view(self._service.get(job_id))
            if film is None:
                raise InputError(film_texts.NO_SUCH_FILM, "job_id")
            visitor = self._visitors.visitor(request)
            told = story if written_rows(story) else None  # the film may be another browser's
            index, before = int(chosen), self._service.get(film.job_id).request
            job = self._films.redo(film.job_id, index, told, None, *visitor)
        except InputError as error:
            raise alert(error) from error
        form: Updates = {}
        if isinstance(before, FilmRequest) and isinstance(job.request, FilmRequest):
            typed = read_form_story(told) if told else before.story
            if begins_otherwise(typed, before, index):
                inform(film_texts.BEGINNING_KEPT)
            now = story_after(typed, before, index, job.request)
            form = {self._tab.form.story: form_story(now)}
        return form | self.take(job, job_id)

    def choose_beginning(self, begin: object, source: str) -> Updates:
        """Show the field for what the film begins with."""
        form = self._tab.form
        has_source = begin == "video" and bool(source)
        return {
            form.picture: gr.Image(visible=begin == "picture"),
            form.video: gr.Video(visible=begin == "video" and not has_source),
            self._tab.source_bar: gr.Row(visible=has_source),
        }

    def choose_end(self, ends: object) -> gr.Image:
        """Show the field for the picture that the film ends with."""
        return gr.Image(visible=bool(ends))

    def check_file(self, field: _FileField, given: object) -> dict[str, Any] | None:
        """Take a file out of its box again that is not what it has to be, and say so at once."""
        path = _path(given)
        try:
            if path is not None:
                check_given(Path(path), "video" if field == "video" else "picture", field)
        except InputError as error:
            warn(error)
            return None
        return gr.skip()

    def use_video(self, job_id: str) -> Updates:
        """Have the next film go on from a video that was made here, and show the form."""
        try:
            given = self._films.video_of(job_id)
        except InputError as error:
            raise alert(error) from error
        return {
            self._tabs: gr.Tabs(selected=TAB_ID),
            self._tab.source: job_id,
            **self._tell_source(given),
            self._tab.form.begin: "video",
            **self.choose_beginning("video", job_id),
        }

    def drop_source(self) -> Updates:
        """Have the next film begin with something else."""
        return {
            self._tab.source: "",
            self._tab.form.begin: "nothing",
            **self.choose_beginning("nothing", ""),
        }

    def restore(self, file: str, request: gr.Request | None = None) -> Updates:
        """Give the form the story that a file tells of, and make room for the next file."""
        room: Updates = {self._tab.recipe_file: None}
        try:
            recipe = read_recipe(Path(file))
            if not is_film(recipe):
                raise InputError(film_texts.NO_FILM_IN_IT, "file")
        except InputError as error:
            warn(error)
            return room
        return room | self.fill_in(recipe, request)

    def fill_in(self, recipe: Mapping[str, Any], request: gr.Request | None = None) -> Updates:
        """Fill the form with what a recipe tells, and show it."""
        loras = self._service.shelf.list(self._visitors.owner(request))
        values, notes = film_values(recipe, self._service.card, loras)
        form = {getattr(self._tab.form, field): value for field, value in values.items()}
        return {
            self._tabs: gr.Tabs(selected=TAB_ID),
            **form,
            self._tab.source: "",
            self._tab.restored: gr.HTML(screen.restored(notes), visible=True),
            **self.choose_beginning("nothing", ""),
            self._tab.form.end_picture: self.choose_end(False),
        }

    def give_back(self, kept: object, source: str) -> Updates:
        """Fill the form with what this browser had in it, as far as it can be understood.

        Files are not kept: their fields ask for them again, as for a video of ours that is gone.
        """
        values = kept if isinstance(kept, dict) else {}
        found: Updates = {}
        for field in _KEPT_FIELDS:
            value = values.get(field)
            if field in values and isinstance(value, str | int | float | bool):
                found[getattr(self._tab.form, field)] = value
        begin, is_possible = values.get("begin"), self._service.card.goes_on_from_frames
        begin = begin if is_possible and begin in BEGINNINGS else "nothing"
        found[self._tab.form.begin] = begin
        try:
            found |= self._tell_source(self._films.video_of(source)) if source else {}
        except InputError:
            source = found[self._tab.source] = ""
        return {**found, **self.choose_beginning(begin, source)}

    def read_form(self, kept: object, request: gr.Request | None = None) -> Updates:
        """Say what the story takes here, and which of its words the model does not know."""
        values = kept if isinstance(kept, dict) else {}
        form = self._tab.form
        usual = {name: getattr(form, name).value for name in _COST_FIELDS}
        story, *settings = (values.get(name, usual[name]) for name in _COST_FIELDS)
        hints = self._hints(story, values.get("loras"), self._visitors.owner(request))
        note = gr.Markdown("\n\n".join(hints), visible=bool(hints))
        updates: Updates = {self._tab.note: note}
        try:
            rows = [row for _, row in written_rows(story)]
            cost = self._films.estimate(rows, *settings)
        except InputError:  # said beside its field once the film is asked for
            return {**updates, self._tab.cost: ""}
        if cost.seconds is None:
            told = film_texts.length(cost.num_parts, cost.film_seconds)
        else:
            told = film_texts.cost(cost.num_parts, cost.seconds, cost.film_seconds)
        is_known = cost.seconds is not None
        return {
            **updates,
            self._tab.cost: f'<p class="progress-text">{told}</p>',
            self._tab.timer: gr.Timer(active=not is_known),
        }

    def _tell_source(self, given: GivenFile) -> Updates:
        told = as_text(film_texts.goes_on_from(given.name))
        return {self._tab.source_note: f'<p role="status">{told}</p>'}

    def _hints(self, story: object, loras: object, owner: str) -> list[str]:
        card = self._service.card_for(owner)
        rows = [(number, row["prompt"]) for number, row in written_rows(story)]
        hints = self._service.trigger_hints([prompt for _, prompt in rows], loras, owner)
        for read, tell in (
            (card.unknown_words, film_texts.unknown_words),
            (card.unread_words, film_texts.unread_words),
        ):
            found = {number: words for number, prompt in rows if (words := read(prompt))}
            hints += [tell(found)] if found else []
        return hints

    def _form(self, source: str, values: tuple[object, ...]) -> dict[str, object]:
        """The values of the form, files as their paths; what was made here as it lies here.

        Without a seed all is to be new, also the lines that have one from a film before.
        """
        form = dict(zip(FILM_FIELDS, values, strict=True))
        if not form["seed"]:
            form["story"] = without_seeds(form["story"])
        for field in _FILE_FIELDS:
            form[field] = _path(form[field])
        if form["begin"] == "video" and source:
            form["video"] = self._films.video_of(source)
        return form


def _path(value: object) -> str | None:
    """Where an uploaded file lies, as a page tells it."""
    if isinstance(value, dict):
        inner = value.get("video", value)
        value = inner.get("path") if isinstance(inner, dict) else None
    return value if isinstance(value, str) else None


def _keep(field: str) -> str:
    """JavaScript that keeps what is in a field: see `app.handlers.settings`."""
    return f"(value) => (window.keptFilm = {{...window.keptFilm, {field}: value}})"


def bind_long_video(
    blocks: gr.Blocks, tab: LongVideoTab, handlers: LongVideoHandlers, tabs: gr.Tabs
) -> list[Dependency]:
    """Say which events of the tab do what; returned are those after which there may be a job.

    Args:
        blocks: The page.
        tab: What is used.
        handlers: What happens then.
        tabs: In which the tab is.
    """
    form = tab.form
    beginning = [form.picture, form.video, tab.source_bar]
    submitted = tab.make.click(
        handlers.submit,
        [tab.job_id, tab.source, *form.controls()],
        tab.watched(),
        validator=handlers.check,
        preprocess=False,
    )
    redone = tab.result.redo.click(
        handlers.redo,
        [tab.job_id, tab.chosen, form.story],
        [*tab.watched(), form.story],
        preprocess=False,
    )
    form.begin.input(
        handlers.choose_beginning,
        [form.begin, tab.source],
        beginning,
        preprocess=False,
        queue=False,
    )
    form.ends.input(handlers.choose_end, form.ends, form.end_picture, preprocess=False, queue=False)
    for field in _FILE_FIELDS:
        box = getattr(form, field)
        box.upload(partial(handlers.check_file, field), box, box, preprocess=False)
    tab.drop_source.click(
        handlers.drop_source, None, [tab.source, form.begin, *beginning], queue=False
    )
    tab.recipe_file.upload(
        handlers.restore,
        tab.recipe_file,
        [tab.recipe_file, tabs, *filled_in(tab)],
    )
    tab.make.click(lambda: gr.HTML(visible=False), None, tab.restored, queue=False)
    form.story.change(fn=None, inputs=form.story, js="(text) => { window.showStory?.(text); }")
    for field in _KEPT_FIELDS:
        control = getattr(form, field)
        control.change(inputs=control, outputs=tab.kept, js=_keep(field))
    kept = [getattr(form, field) for field in _KEPT_FIELDS]
    blocks.load(
        handlers.give_back,
        [tab.kept, tab.source],
        [*kept, tab.source, tab.source_note, *beginning],
        queue=False,
    )
    gr.on(
        [tab.timer.tick, tab.kept.change],
        handlers.read_form,
        tab.kept,
        [tab.note, tab.cost, tab.timer],
        trigger_mode="always_last",
        queue=False,
    )
    return [submitted, redone, *handlers.bind()]


def filled_in(tab: LongVideoTab) -> list[Block]:
    """What changes when the form gets its values from elsewhere."""
    form = tab.form
    return [*form.controls(), tab.source, tab.source_bar, tab.restored]
