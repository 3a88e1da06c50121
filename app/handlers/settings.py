"""How the form gets settings that nobody typed: presets, old videos, chance, an earlier visit."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.blocks import Block

from app import screen, texts
from app.films.restore import is_film
from app.handlers import undo
from app.handlers.alerts import alert, inform, warn
from app.handlers.long_video import LongVideoHandlers
from app.model_card import ModelCard
from app.presets import PRESET_FIELDS, Preset, valid_settings
from app.request import FIELDS, LORAS
from app.restore import form_values, read_recipe
from app.service import Service
from app.surprise import surprise
from app.tabs.text_to_video import TAB_ID, TextToVideoTab
from app.visitors import Visitors
from app.words import Words
from lavie.errors import InputError

if TYPE_CHECKING:
    from lora.registry import Entry

Updates = dict[Block, Any]

_TEXT_FIELDS = ("prompt", "negative_prompt", "seed", LORAS)
_MAX_KEPT_LENGTH = 10_000


def _keep(field: str) -> str:
    """JavaScript that keeps what is in a field: it does not leave the browser for it.

    Each field by itself, as Gradio takes back what it said beside all that an event is given.
    """
    return f"(value) => (window.keptForm = {{...window.keptForm, {field}: value}})"


def fill_in(
    tab: TextToVideoTab, recipe: Mapping[str, Any], card: ModelCard, loras: "Sequence[Entry]" = ()
) -> Updates:
    """Fill the form with what a recipe tells, and say what could not be restored.

    That stays on the page; that all is well pops up and goes.
    """
    values, notes = form_values(recipe, card, loras)
    inform(texts.RESTORED)
    form = {getattr(tab.form, field): value for field, value in values.items()}
    return {**form, tab.restored: gr.HTML(screen.restored(notes), visible=bool(notes))}


def kept_values(kept: object, card: ModelCard) -> dict[str, object]:
    """What a browser kept of a form, as far as this model can have it; empty if it kept nothing."""
    if not isinstance(kept, dict) or not kept:
        return {}
    values = valid_settings(kept, card)
    for field in _TEXT_FIELDS:
        text = kept.get(field)
        values[field] = text[:_MAX_KEPT_LENGTH] if isinstance(text, str) else ""
    return {field: values[field] for field in FIELDS}


class SettingsHandlers:
    """What happens when something is used that fills in the form.

    Args:
        service: Knows the model, keeps the presets.
        tab: The components to read and update.
        words: The words that can be clicked together, if any.
        visitors: Tells whose presets are seen.
        tabs: Of the page, any of which may be open when a file is dropped.
    """

    def __init__(
        self,
        service: Service,
        tab: TextToVideoTab,
        words: Words | None,
        visitors: Visitors,
        tabs: gr.Tabs,
        films: LongVideoHandlers | None = None,
    ) -> None:
        self._service = service
        self._tab = tab
        self._words = words
        self._visitors = visitors
        self._tabs = tabs
        self._films = films
        self._random = Random()

    def restore(self, file: str, request: gr.Request | None = None) -> Updates:
        """Give the form the settings that a file tells of, show it, and make room for the next."""
        room: Updates = {self._tab.sources.recipe_file: None}
        try:
            recipe = read_recipe(Path(file))
        except InputError as error:
            warn(error)
            return room
        if self._films is not None and is_film(recipe):
            return room | self._films.fill_in(recipe, request)
        shown: Updates = {self._tabs: gr.Tabs(selected=TAB_ID)}
        loras = self._service.shelf.list(self._visitors.owner(request))
        return room | shown | fill_in(self._tab, recipe, self._service.card, loras)

    def surprise(self) -> str:
        """Think of a sentence."""
        return surprise(self._service.card, self._words, self._random)

    def offer_presets(self, request: gr.Request | None = None) -> Updates:
        """Offer the presets of a visitor."""
        return self._offer(self._presets(request), None)

    def use_preset(self, name: str | None, request: gr.Request | None = None) -> Updates:
        """Fill in the settings of a preset; nothing happens if there is none of that name yet."""
        chosen = self._preset(name, request)
        values = chosen.values if chosen else {}
        return {
            **self._offer_to_delete(chosen),
            **{getattr(self._tab.form, field): value for field, value in values.items()},
        }

    def name_preset(self, name: str | None, request: gr.Request | None = None) -> Updates:
        """Let a preset be deleted if it is one of the visitor's own."""
        return self._offer_to_delete(self._preset(name, request))

    def save_preset(self, name: str | None, request: gr.Request | None, *values: object) -> Updates:
        """Keep the settings of the form under a name."""
        settings = dict(zip(PRESET_FIELDS, values, strict=True))
        try:
            name = self._service.presets.save(
                str(name or ""), settings, self._visitors.owner(request)
            )
        except InputError as error:
            raise alert(error) from error
        inform(texts.PRESET_SAVED)
        return self._offer(self._presets(request), name)

    def delete_preset(self, name: str | None, request: gr.Request | None = None) -> Updates:
        """Forget a preset of the visitor's own, and offer to undo that."""
        name = str(name or "")
        try:
            values = self._service.presets.delete(name, self._visitors.owner(request))
        except InputError as error:
            raise alert(error) from error
        gone = {"name": name, "values": values}
        back = undo.offer(self._tab.sources.undo, gone, texts.deleted(name)) if values else {}
        return {**self._offer(self._presets(request), None), **back}

    def undo(self, gone: Mapping[str, Any], request: gr.Request | None = None) -> Updates:
        """Have the preset back that was deleted; what is in the form stays."""
        try:
            name = self._service.presets.save(
                gone.get("name", ""), gone.get("values", {}), self._visitors.owner(request)
            )
        except InputError as error:
            raise alert(error) from error
        return {
            **undo.put_away(self._tab.sources.undo),
            **self._offer(self._presets(request), name),
        }

    def give_back(self, kept: object) -> Updates:
        """Fill the form with what this browser had in it, as far as this model can have it.

        Fields of which nothing was kept are left alone: by the time of the answer somebody may have
        typed in them.
        """
        values = kept_values(kept, self._service.card)
        is_kept = kept if isinstance(kept, dict) else {}
        filled = {
            getattr(self._tab.form, field): value
            for field, value in values.items()
            if field in is_kept
        }
        return filled or {self._tab.form.prompt: gr.skip()}

    def _presets(self, request: gr.Request | None) -> list[Preset]:
        return self._service.presets.all(self._service.card, self._visitors.owner(request))

    def _preset(self, name: str | None, request: gr.Request | None) -> Preset | None:
        return next((p for p in self._presets(request) if p.name == name), None)

    def _offer_to_delete(self, preset: Preset | None) -> Updates:
        is_own = preset is not None and preset.is_own
        return {self._tab.sources.delete_preset: gr.Button(interactive=is_own)}

    def _offer(self, presets: list[Preset], name: str | None) -> Updates:
        names = [preset.name for preset in presets]
        return {
            self._tab.sources.preset: gr.Dropdown(names, value=name),
            self._tab.sources.delete_preset: gr.Button(interactive=name is not None),
        }


def bind_settings(
    page: gr.Blocks,
    tabs: gr.Tabs,
    tab: TextToVideoTab,
    handlers: SettingsHandlers,
    films: Sequence[Block] = (),
) -> None:
    """Say which events of what fills in the form do what; ``films`` is what a film fills in."""
    sources, form = tab.sources, tab.form
    settings = [getattr(form, field) for field in PRESET_FIELDS]
    offered = [sources.preset, sources.delete_preset]
    page.load(handlers.offer_presets, None, offered, queue=False)
    page.load(handlers.give_back, tab.kept, form.controls(), queue=False)
    for field in FIELDS:
        control = getattr(form, field)
        control.change(inputs=control, outputs=tab.kept, js=_keep(field))
    tab.generate.click(lambda: gr.HTML(visible=False), None, tab.restored, queue=False)
    tab.surprise.click(handlers.surprise, None, form.prompt, queue=False)
    # A dropdown says "input" twice for a choice: the second, late, would undo what is typed then.
    sources.preset.select(handlers.use_preset, sources.preset, [sources.delete_preset, *settings])
    sources.preset.input(handlers.name_preset, sources.preset, sources.delete_preset)
    sources.save_preset.click(
        handlers.save_preset,
        [sources.preset, *settings],
        offered,
        preprocess=False,
    )
    back = sources.undo
    sources.delete_preset.click(
        handlers.delete_preset,
        sources.preset,
        [*offered, back.gone, back.row, back.note],
    )
    back.button.click(handlers.undo, back.gone, [*offered, back.gone, back.row])
    sources.recipe_file.upload(
        handlers.restore,
        sources.recipe_file,
        [tabs, sources.recipe_file, tab.restored, *form.controls(), *films],
    )
