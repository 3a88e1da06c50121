"""The LoRAs that there are: shown, opened, renamed, handed out, thrown away, brought in."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.events import Dependency

from app import screen
from app.downloads import handed_out
from app.handlers import undo
from app.handlers.alerts import alert, inform
from app.handlers.browser import bring_into_view, press
from app.handlers.lora_training import TrainingFollowing
from app.loras import cards
from app.loras.service import Loras
from app.loras.words import first_prompt
from app.service import Service
from app.tabs.lora import LoraTab
from app.tabs.lora_picker import LoraPicker
from app.tabs.lora_stage import EXPORT_ID, TRAINING_ID, USE_ID
from app.texts import loras as texts
from app.visitors import Visitors
from lavie.errors import InputError

Updates = dict[Block, Any]


class LoraLibraryHandlers:
    """What happens when something in the list is used, and how the choices stay up to date.

    Args:
        service: Keeps the jobs.
        loras: Keeps the LoRAs.
        trainings: Shows a training.
        tab: The components to read and update.
        pickers: Every choice of LoRAs on the page.
        visitors: Tells whose are seen.
    """

    def __init__(
        self,
        service: Service,
        loras: Loras,
        trainings: TrainingFollowing,
        tab: LoraTab,
        pickers: Sequence[LoraPicker],
        visitors: Visitors,
    ) -> None:
        self._service = service
        self._loras = loras
        self.trainings = trainings
        self._tab = tab
        self._pickers = pickers
        self._visitors = visitors

    def refresh(self, opened: str, watched: str, request: gr.Request | None = None) -> Updates:
        """Show those that there are or will be, and offer them wherever videos are made."""
        owner = self._visitors.owner(request)
        entries = self._loras.list(owner)
        trainings = cards.unfinished(self._loras.unfinished(owner), watched)
        library = self._tab.library
        updates: Updates = {
            library.trainings: gr.HTML(trainings, visible=bool(trainings)),
            library.cards: cards.cards(entries, opened),
        }
        is_open = self._service.card.vocabulary is None
        others = [entry.id for entry in entries if self._loras.is_of_other_weights(entry)]
        for one in self._pickers:
            said = one.box, one.sentence, one.label, one.info
            html = cards.picker(entries, *said, is_open=is_open, of_other_weights=others)
            updates[one.choices] = gr.HTML(html, visible=bool(html))
            if not entries:
                updates[one.chosen] = "[]"
        return updates

    def choose(
        self, opened: str, prompt: str, event: gr.EventData, request: gr.Request | None = None
    ) -> Updates:
        """Open the LoRA whose card was clicked."""
        return self._open(str(getattr(event, "subject", "")), prompt, request)

    def choose_training(self, event: gr.EventData, request: gr.Request | None = None) -> Updates:
        """Show the training that was clicked."""
        owner = self._visitors.owner(request)
        try:
            job = self._service.get(getattr(event, "subject", ""))
        except InputError as error:
            raise alert(error) from error
        return self.trainings.seen_by(owner).show(job)

    def open_learnt(self, job_id: str, prompt: str, request: gr.Request | None = None) -> Updates:
        """Open what a training has learnt, once."""
        job = self._service.get(job_id) if self._service.knows(job_id) else None
        view = self._loras.view(job) if job and job.state == "done" else None
        if view is None or not view.entry_id:
            return {self._tab.training.job_id: gr.skip()}
        opened: Updates = {}
        with suppress(InputError):  # it may have been deleted since, on another page
            self._loras.get(view.entry_id, self._visitors.owner(request))
            opened = self._open(view.entry_id, prompt, request)
        return {self._tab.training.job_id: "", **opened}

    def open_again(self, opened: str, request: gr.Request | None = None) -> Updates:
        """Open the LoRA that this browser had open."""
        if not opened:
            return {self._tab.trying.panel: gr.skip()}
        try:
            self._loras.get(opened, self._visitors.owner(request))
        except InputError:
            return self.close()
        return self._open(opened, "", request)

    def close(self) -> Updates:
        """Show none any more."""
        panel = self._tab.trying
        return {panel.opened: "", panel.panel: gr.Column(visible=False)}

    def rename(
        self, opened: str, name: str, tags: str, request: gr.Request | None = None
    ) -> Updates:
        """Call it something else, and give it tags."""
        owner = self._visitors.owner(request)
        try:
            self._loras.rename(opened, name, owner)
            words = [tag.strip() for tag in tags.split(",") if tag.strip()]
            entry = self._loras.tag(opened, words, owner)
        except InputError as error:
            raise alert(error) from error
        panel = self._tab.trying
        return {
            panel.about: cards.about(entry, self._loras.is_of_other_weights(entry)),
            panel.name: entry.name,
            panel.tags: texts.tags(entry.tags),
        }

    def delete(self, opened: str, request: gr.Request | None = None) -> Updates:
        """Throw it away, and offer to bring it back."""
        try:
            entry = self._loras.delete(opened, self._visitors.owner(request))
        except InputError as error:
            raise alert(error) from error
        gone = {"id": entry.id}
        return {
            **undo.offer(self._tab.library.undo, gone, texts.deleted(entry.name)),
            **self.close(),
        }

    def undo(
        self, gone: Mapping[str, str], prompt: str, request: gr.Request | None = None
    ) -> Updates:
        """Bring back what was thrown away, and show it."""
        try:
            entry = self._loras.undelete(gone.get("id", ""), self._visitors.owner(request))
        except InputError as error:
            raise alert(texts.GONE_FOR_GOOD) from error
        back = undo.put_away(self._tab.library.undo)
        return {**back, **self._open(entry.id, prompt, request)}

    def export(self, style: str, opened: str, request: gr.Request | None = None) -> Updates:
        """Write it as other programs read it, to be downloaded."""
        try:
            with self._loras.export(opened, style, self._visitors.owner(request)) as path:
                return {self._tab.trying.export_file: handed_out(path)}
        except InputError as error:
            raise alert(error) from error

    def import_file(self, file: str, prompt: str, request: gr.Request | None = None) -> Updates:
        """Take in a file from elsewhere, or say beside the field why it cannot be used."""
        library = self._tab.library
        room: Updates = {library.imported: None}
        owner = self._visitors.owner(request)
        before = {entry.id for entry in self._loras.list(owner)}
        try:
            entry = self._loras.import_file(file, "", owner)
        except InputError as error:
            note = screen.note(str(error), is_alert=True)
            return {**room, library.refused: gr.HTML(note, visible=True)}
        is_new = entry.id not in before
        inform(texts.IMPORTED if is_new else texts.imported_again(entry.name))
        said = {library.refused: gr.HTML(visible=False)}
        return {**room, **said, **self._open(entry.id, prompt, request)}

    def _open(self, lora_id: str, prompt: str, request: gr.Request | None) -> Updates:
        try:
            entry = self._loras.get(lora_id, self._visitors.owner(request))
        except InputError as error:
            raise alert(error) from error
        panel, formats = self._tab.trying, self._loras.formats(entry)
        sentence = first_prompt(self._service.card, entry)
        is_fitting = bool(prompt) and entry.token in prompt.split()
        return {
            panel.opened: entry.id,
            panel.panel: gr.Column(visible=True),
            panel.about: cards.about(entry, self._loras.is_of_other_weights(entry)),
            panel.prompt: prompt if is_fitting else sentence,
            panel.picker.chosen: cards.chosen(entry.id),
            panel.name: entry.name,
            panel.tags: texts.tags(entry.tags),
            **{
                button: gr.Button(interactive=style in formats)
                for style, button in panel.exports.items()
            },
        }


def bind_lora_library(
    blocks: gr.Blocks,
    tabs: gr.Tabs,
    tab: LoraTab,
    handlers: LoraLibraryHandlers,
    pickers: Sequence[LoraPicker],
    learnt: Sequence[Dependency],
) -> None:
    """Say which events do what.

    Args:
        blocks: The page.
        tabs: Of the page; the list is read anew on each, as other pages may have changed it.
        tab: What is used.
        handlers: What happens then.
        pickers: Every choice of LoRAs on the page.
        learnt: Events after which there may be a new one.
    """
    panel, library, back = tab.trying, tab.library, tab.library.undo
    choices = [part for one in pickers for part in (one.choices, one.chosen)]
    refresh = {
        "fn": handlers.refresh,
        "inputs": [panel.opened, tab.training.job_id],
        "outputs": [library.trainings, library.cards, *choices],
        "queue": False,
    }
    opening, closing = panel.opening(), [panel.opened, panel.panel]
    at_hand = [panel.opened, panel.prompt]
    gr.on([tab.training.job_id.change, tabs.select], **refresh)
    opened = library.cards.select(handlers.choose, at_hand, opening)
    opened.success(**refresh).then(js=bring_into_view(USE_ID))
    turned = library.trainings.select(handlers.choose_training, None, tab.training.watched())
    turned.success(**refresh).then(js=bring_into_view(TRAINING_ID))
    for event in [*learnt, *handlers.trainings.follow_after(turned)]:
        event.then(
            handlers.open_learnt,
            [tab.training.job_id, panel.prompt],
            [tab.training.job_id, *opening],
        ).then(**refresh)
    blocks.load(handlers.open_again, panel.opened, opening).then(**refresh)
    panel.close.click(handlers.close, None, closing, queue=False).then(**refresh)
    panel.rename.click(
        handlers.rename,
        [panel.opened, panel.name, panel.tags],
        [panel.about, panel.name, panel.tags],
    ).success(**refresh)
    panel.delete.click(
        handlers.delete, panel.opened, [back.gone, back.row, back.note, *closing]
    ).success(**refresh)
    back.button.click(
        handlers.undo, [back.gone, panel.prompt], [back.gone, back.row, *opening]
    ).success(**refresh)
    for style, button in panel.exports.items():
        button.click(partial(handlers.export, style), panel.opened, panel.export_file).success(
            js=press(EXPORT_ID)
        )
    library.imported.upload(
        handlers.import_file,
        [library.imported, panel.prompt],
        [library.imported, library.refused, *opening],
    ).success(**refresh)
    for one in pickers:
        one.chosen.change(fn=None, inputs=one.chosen, js=_tell(one.box))


def _tell(box: str) -> str:
    """JavaScript that tells a choice what was chosen for it."""
    event = f"new CustomEvent('loras-chosen', {{ detail: {{ box: '{box}', text }} }})"
    return f"(text) => {{ window.dispatchEvent({event}); }}"
