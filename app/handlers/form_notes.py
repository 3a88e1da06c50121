"""What the page says of the form while somebody fills it in, and of the model."""

from collections.abc import Sequence
from typing import Any, cast

import gradio as gr
from gradio.blocks import Block
from gradio.events import Dependency

from app import screen, texts
from app.checks import COST_FIELDS
from app.request import LORAS
from app.service import Service
from app.tabs.text_to_video import TextToVideoTab
from app.visitors import Visitors
from app.words import Words, compose
from lavie.errors import InputError

Updates = dict[Block, Any]


class FormNotes:
    """Says what a video will take, and what the model will make of a sentence.

    Args:
        service: Knows the model and this computer.
        tab: The components to read and update.
        words: The words that can be clicked together, if any.
        visitors: Tells who asks.
    """

    def __init__(
        self, service: Service, tab: TextToVideoTab, words: Words | None, visitors: Visitors
    ) -> None:
        self._service = service
        self._tab = tab
        self._words = words
        self._visitors = visitors

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

    def read_prompt(self, prompt: str, loras: object, owner: str) -> Updates:
        """Say which words of a prompt will not show, and mark those that the model offers."""
        card = self._service.card_for(owner)
        unknown, unread = card.unknown_words(prompt), card.unread_words(prompt)
        notes = self._service.trigger_hints([prompt], loras, owner)
        notes += [texts.unread_words(unread)] if unread else []
        notes += [texts.unknown_words(unknown)] if unknown else []
        note = gr.Markdown("\n\n".join(notes), visible=bool(notes))
        updates: Updates = {self._tab.note: note}
        if self._tab.composer and self._words:
            updates |= zip(self._tab.composer, self._words.find(prompt), strict=True)
        return updates

    def read_form(self, kept: object, request: gr.Request | None = None) -> Updates:
        """`show_costs` and `read_prompt` for a form as its browser keeps it.

        Gradio takes back what it said beside a field as soon as anything answers that was given the
        field. So what happens by itself is given the form in another shape.
        """
        values = kept if isinstance(kept, dict) else {}
        defaults = {name: limits.default for name, limits in self._service.card.ranges.items()}
        costs = (values.get(name, defaults.get(name)) for name in COST_FIELDS)
        prompt, loras = str(values.get("prompt") or ""), values.get(LORAS)
        read = self.read_prompt(prompt, loras, self._visitors.owner(request))
        return {**self.show_costs(*costs), **read}

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


def bind_form_notes(
    page: gr.Blocks, tab: TextToVideoTab, notes: FormNotes, followed: Sequence[Dependency]
) -> None:
    """Say when the form is read.

    Args:
        page: The page.
        tab: Where the form is.
        notes: What is said.
        followed: Events after which it is known better how long videos take.
    """
    form, chips = tab.form, list(tab.composer or ())
    read = {
        "fn": notes.read_form,
        "inputs": tab.kept,
        "outputs": [form.smooth, form.upscale, tab.cost_timer, tab.note, *chips],
        "queue": False,
    }
    for event in followed:
        event.then(**read)
    gr.on([tab.cost_timer.tick, tab.kept.change], **read, trigger_mode="always_last")
    gr.on(
        [page.load, tab.model_timer.tick],
        notes.show_model,
        None,
        [tab.model_state, tab.model_timer],
        queue=False,
    )
    if chips:
        clicked = [radio.input for radio in chips]
        gr.on(clicked, notes.compose, chips, form.prompt, queue=False)
