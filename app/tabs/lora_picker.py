"""The choice of LoRAs for a video, wherever one is made. Layout only."""

from dataclasses import dataclass

import gradio as gr

from app.tabs.scripts import script
from app.texts import loras as texts


@dataclass(frozen=True)
class LoraPicker:
    """What is clicked, and the text box that nobody sees: it holds what is sent.

    Args:
        choices: Not seen as long as there is nothing to choose from.
        chosen: JSON of a list with id and weight of each.
        box: CSS selector of that.
        sentence: CSS selector of the field that is to hold the trigger words.
        label: What the choice is called.
        info: What is said below that.
    """

    choices: gr.HTML
    chosen: gr.Textbox
    box: str
    sentence: str
    label: str
    info: str


def create_lora_picker(
    prefix: str,
    sentence: str,
    label: str = texts.PICKER_LABEL,
    info: str = texts.PICKER_INFO,
) -> LoraPicker:
    """Build it where a video is asked for.

    Args:
        prefix: Of the names of its parts.
        sentence: CSS selector of the field that is to hold the trigger words.
        label: What the choice is called.
        info: What is said below that.
    """
    choices = gr.HTML(
        visible=False,
        js_on_load=script("lora-picker.js"),
        padding=False,
        elem_id=f"{prefix}loras",
    )
    chosen = gr.Textbox(
        "[]",
        label=texts.PICKER_TEXT_LABEL,
        show_label=False,
        container=False,
        elem_id=f"{prefix}loras-text",
        elem_classes="sent",
    )
    return LoraPicker(choices, chosen, f"#{prefix}loras-text textarea", sentence, label, info)
