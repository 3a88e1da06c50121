"""Asking for a training: pictures and what is said of each, the words for them, the button."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.events import Dependency

from app import texts as page_texts
from app.handlers.alerts import alert, inform
from app.handlers.browser import bring_into_view
from app.handlers.field_notes import beside_fields, mistakes_by_field
from app.handlers.lora_training import TrainingFollowing
from app.loras import given_pictures
from app.loras.given_pictures import EXAMPLES, ExampleSet, captions_of, key_of
from app.loras.request import LoraTrainingRequest
from app.loras.service import Loras
from app.loras.words import suggest_token
from app.service import Service
from app.tabs.lora import LoraTab
from app.tabs.lora_stage import TRAINING_ID
from app.texts import loras as texts
from app.upload_cache import is_file_in, upload_folder
from app.visitors import Visitors
from lavie.errors import InputError
from lora.limits import MAX_PICTURES

Updates = dict[Block, Any]

_ASKED = ("captions", "name", "token", "class_word", "kind", "effort", "keeps_pictures")
"""What is asked for beside the pictures, in the order of the form."""


class LoraFormHandlers:
    """What happens on the left side of the tab.

    Args:
        service: Keeps the jobs.
        loras: Checks and queues trainings.
        tab: The components to read and update.
        visitors: Tells who asks.
        following: Shows a training.
        sets: Pictures to try it with.
    """

    def __init__(
        self,
        service: Service,
        loras: Loras,
        tab: LoraTab,
        visitors: Visitors,
        following: TrainingFollowing,
        sets: Sequence[ExampleSet],
    ) -> None:
        self._service = service
        self._loras = loras
        self._tab = tab
        self._visitors = visitors
        self._following = following
        self._sets = {example.folder: example for example in sets}

    def add(self, files: Sequence[str] | None, pictures: object) -> Updates:
        """Take in pictures that were dropped, and make room for the next ones."""
        paths = _usable_paths(pictures)
        paths += [Path(file) for file in files or () if Path(file) not in paths]
        return {self._tab.form.files: None, **self._show(paths[:MAX_PICTURES])}

    def remove(self, pictures: object, event: gr.EventData) -> Updates:
        """Leave out the picture whose button was pressed."""
        key = getattr(event, "subject", "")
        return self._show([path for path in _usable_paths(pictures) if key_of(path) != key])

    def use_example(self, event: gr.EventData) -> Updates:
        """Fill the form with a set that comes with the studio."""
        example = self._sets.get(str(getattr(event, "subject", "")))
        if example is None:
            return {self._tab.form.name: gr.skip()}
        form = self._tab.form
        return {
            **self._show(list(example.pictures)),
            form.captions: "{}",
            form.name: example.name,
            form.token: example.token,
            form.suggested: None,  # so that this word stays
            form.class_word: example.class_word,
            form.kind: example.kind,
        }

    def suggest(self, name: str, token: str, suggested: str | None) -> Updates:
        """Think of a trigger word, unless there is one that somebody typed.

        One that came back with its name, which tells of a change as if it had been typed, may not
        have arrived by then.
        """
        form = self._tab.form
        if suggested is None or (token and token != suggested):
            return {form.suggested: gr.skip()}
        word = suggest_token(name)
        return {form.token: word, form.suggested: word}

    def check(
        self, job_id: str, pictures: object, trained: object, *values: object
    ) -> list[dict[str, Any]]:
        """Say what is wrong beside each field, before anything is queued."""
        outcome = self._loras.check(self._form(pictures, values))
        errors = mistakes_by_field(outcome)
        if "pictures" in errors:  # said below them, where the hidden text box stands
            errors["captions"] = errors["pictures"]
        return beside_fields(errors, _ASKED, num_others=3)

    def submit(
        self,
        job_id: str,
        pictures: object,
        trained: object,
        request: gr.Request | None,
        *values: object,
    ) -> Updates:
        """Queue a training; the form keeps what was typed."""
        visitor, asked = self._visitors.visitor(request), self._form(pictures, values)
        try:
            job = self._loras.submit(asked, *visitor)
        except InputError as error:
            raise alert(error) from error
        noted: Updates = {self._tab.form.trained: {**_by_training(trained), job.id: pictures}}
        if self._service.is_busy_with(job_id):
            status = self._service.status(job)
            where = page_texts.place(status.num_ahead, status.seconds_ahead, status.is_held)
            inform(page_texts.added_to_queue(where))
            return noted
        return noted | self._following.seen_by(visitor.owner).show(job)

    def give_back(self, kept: object, pictures: object) -> Updates:
        """Fill the form with what this browser had in it, and look at its pictures again."""
        values = kept if isinstance(kept, dict) else {}
        controls = self._tab.form.typed()
        found: Updates = {
            controls[field]: value
            for field, value in values.items()
            if field in controls and _fits(field, value)
        }
        name, token = (str(values.get(field, "")) for field in ("name", "token"))
        found[self._tab.form.suggested] = token if token in ("", suggest_token(name)) else None
        return {**found, **self._show(_usable_paths(pictures), values.get("effort"))}

    def forget(self, trained: object, pictures: object) -> Updates:
        """Delete what was uploaded once it was learnt from, unless it is kept on purpose.

        What was uploaded for a training that was cancelled is deleted in any case.
        """
        waiting = _by_training(trained)
        over = [job_id for job_id in waiting if self._is_over(job_id)]
        if not over:
            return {self._tab.form.table: gr.skip()}
        gone: set[Path] = set()
        for job_id in over:
            learnt = _usable_paths(waiting.pop(job_id))
            if not self._keeps_pictures(job_id):
                gone.update(path for path in learnt if is_file_in(path, [upload_folder()]))
        for path in gone:
            path.unlink(missing_ok=True)
        left = [path for path in _usable_paths(pictures) if path not in gone]
        return {self._tab.form.trained: waiting, **self._show(left)}

    def _is_over(self, job_id: str) -> bool:
        job = self._service.get(job_id) if self._service.knows(job_id) else None
        return job is None or job.state == "done" or job.deleted is not None

    def _keeps_pictures(self, job_id: str) -> bool:
        request = self._service.get(job_id).request if self._service.knows(job_id) else None
        return isinstance(request, LoraTrainingRequest) and request.keeps_pictures

    def _show(self, paths: list[Path], effort: object = None) -> Updates:
        form, efforts = self._tab.form, self._efforts()
        known = effort if isinstance(effort, str) and effort in texts.EFFORT_NAMES else None
        checks = self._loras.check_pictures(paths)
        problem = self._loras.check_set(checks) if checks else None
        return {
            form.pictures: [str(path) for path in paths],
            form.table: given_pictures.table(checks, problem, self._loras.advise_set(checks)),
            form.effort: gr.Radio(efforts, value=known) if known else gr.Radio(efforts),
        }

    def _efforts(self) -> list[tuple[str, str]]:
        return [
            (texts.effort_label(name, self._loras.estimate(effort)), effort)
            for effort, name in texts.EFFORT_NAMES.items()
        ]

    def _form(self, pictures: object, values: Sequence[object]) -> dict[str, object]:
        """The values of the form, without the pictures that cannot be used."""
        form = dict(zip(_ASKED, values, strict=True))
        checks = self._loras.check_pictures(_usable_paths(pictures))
        paths = [check.path for check in checks if check.problem is None]
        form["captions"] = captions_of(form["captions"], paths)
        return {**form, "pictures": [str(path) for path in paths]}


def _usable_paths(pictures: object) -> list[Path]:
    """The pictures that a browser says it has given, as far as they are where such may be."""
    named = (
        [item for item in pictures if isinstance(item, str)] if isinstance(pictures, list) else []
    )
    folders = upload_folder(), EXAMPLES.resolve()
    return [path for path in map(Path, named[:MAX_PICTURES]) if is_file_in(path, folders)]


def _by_training(trained: object) -> dict[str, object]:
    """The pictures that trainings learn from, by the trainings' ids, as a browser keeps them."""
    return dict(trained) if isinstance(trained, dict) else {}


def _fits(field: str, value: object) -> bool:
    """Whether a browser may have kept that of a field."""
    choices: Mapping[str, Mapping[str, str]] = {
        "kind": texts.KIND_NAMES,
        "effort": texts.EFFORT_NAMES,
    }
    if field in choices:
        return value in choices[field]
    return isinstance(value, bool if field == "keeps_pictures" else str)


def bind_forgetting(tab: LoraTab, handlers: LoraFormHandlers, over: Sequence[Dependency]) -> None:
    """Say after which events pictures may be needed no more."""
    form = tab.form
    for event in over:
        event.then(
            handlers.forget,
            [form.trained, form.pictures],
            [form.trained, form.pictures, form.table, form.effort],
        )


def bind_lora_form(blocks: gr.Blocks, tab: LoraTab, handlers: LoraFormHandlers) -> list[Dependency]:
    """Say which events do what; returned are those after which there may be a training."""
    form = tab.form
    shown = [form.pictures, form.table, form.effort]
    given_back = [*form.typed().values(), form.suggested, *shown]
    form.files.upload(handlers.add, [form.files, form.pictures], [form.files, *shown])
    form.table.select(handlers.remove, form.pictures, shown)
    words = [form.captions, form.name, form.token, form.suggested, form.class_word, form.kind]
    form.examples.select(handlers.use_example, None, [*shown, *words])
    form.name.change(
        handlers.suggest,
        [form.name, form.token, form.suggested],
        [form.token, form.suggested],
        trigger_mode="always_last",
        queue=False,
    )
    form.captions.change(fn=None, js="() => { window.showCaptions?.(); }")
    typed = form.typed()
    for field, control in typed.items():
        control.change(inputs=control, outputs=tab.kept, js=_keep(field))
    blocks.load(handlers.give_back, [tab.kept, form.pictures], given_back, queue=False)
    submitted = tab.train.click(
        handlers.submit,
        [tab.training.job_id, form.pictures, form.trained, *(typed[field] for field in _ASKED)],
        [form.trained, *tab.training.watched()],
        validator=handlers.check,
        preprocess=False,
    )
    submitted.success(js=bring_into_view(TRAINING_ID))
    return [submitted]


def _keep(field: str) -> str:
    """JavaScript that keeps what is in a field: see `app.handlers.settings`."""
    return f"(value) => (window.keptLora = {{...window.keptLora, {field}: value}})"
