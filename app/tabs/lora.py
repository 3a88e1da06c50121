"""The tab Personalised LoRA: its components and what they are called. Layout only."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import gradio as gr

from app.loras import given_pictures
from app.loras.given_pictures import ExampleSet
from app.tabs.kept import kept
from app.tabs.lora_stage import (
    LibraryPanel,
    TrainingPanel,
    TryPanel,
    create_library_panel,
    create_training_panel,
    create_try_panel,
)
from app.tabs.scripts import script
from app.texts import loras as texts
from lora.limits import MAX_CLASS_LENGTH, MAX_NAME_LENGTH, MAX_TRIGGER_LENGTH

TAB_ID = "lora"


@dataclass(frozen=True)
class LoraForm:
    """What a training is asked for with.

    Args:
        files: Where pictures are dropped; it does not keep them.
        pictures: The paths of those that were.
        table: What is said of each.
        captions: JSON of what each shows, in a text box that nobody sees.
        suggested: The trigger word that was thought of last; None: somebody typed one.
        trained: The pictures that trainings learn from, by their ids, to be deleted then.
    """

    files: gr.File
    pictures: gr.BrowserState
    table: gr.HTML
    captions: gr.Textbox
    examples: gr.HTML
    name: gr.Textbox
    token: gr.Textbox
    suggested: gr.State
    trained: gr.BrowserState
    class_word: gr.Textbox
    kind: gr.Radio
    effort: gr.Radio
    keeps_pictures: gr.Checkbox

    def typed(self) -> dict[str, gr.Textbox | gr.Radio | gr.Checkbox]:
        """The controls whose values the browser keeps, by the field's name."""
        names = ("captions", "name", "token", "class_word", "kind", "effort", "keeps_pictures")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class LoraTab:
    """Everything on the tab that takes part in events."""

    form: LoraForm
    train: gr.Button
    kept: gr.BrowserState
    training: TrainingPanel
    trying: TryPanel
    library: LibraryPanel

    def states(self) -> list[gr.BrowserState]:
        """What the browser keeps."""
        own = [self.kept, self.form.pictures, self.form.trained, self.training.job_id]
        return [*own, self.trying.opened, self.trying.job_id, self.trying.compared]


def create_lora_tab(sets: Sequence[ExampleSet], why_not: str | None = None) -> LoraTab:
    """Build the tab.

    Args:
        sets: Pictures to try it with.
        why_not: Why nothing is trained here, in a sentence; None: it is.
    """
    with gr.Row(elem_id="lora-studio", equal_height=False):
        with gr.Column(elem_id="lora-desk"):
            gr.HTML(
                f"<h2>{escape(texts.HEADING)}</h2><p>{escape(texts.INTRO)}</p>",
                padding=False,
                elem_id="lora-intro",
            )
            form = _create_form(sets)
            train = gr.Button(
                texts.TRAIN, variant="primary", interactive=why_not is None, elem_id="lora-train"
            )
            mistakes = '<p id="lora-mistakes" role="alert"></p>'
            note = (
                f'<p class="progress-text" role="status">{escape(why_not)}</p>' if why_not else ""
            )
            gr.HTML(f"{mistakes}{note}", padding=False, elem_id="lora-way")
        with gr.Column(elem_id="lora-stage"):
            training = create_training_panel()
            trying = create_try_panel()
            library = create_library_panel()
    return LoraTab(form, train, kept({}, "lora-form"), training, trying, library)


def _create_form(sets: Sequence[ExampleSet]) -> LoraForm:
    files = gr.File(
        label=texts.DROP_INFO,
        file_count="multiple",
        file_types=["image"],
        height=130,
        elem_id="lora-files",
    )
    table = gr.HTML(js_on_load=script("lora-pictures.js"), padding=False, elem_id="lora-table")
    captions = gr.Textbox(
        "{}",
        label=texts.PICTURES_TEXT_LABEL,
        show_label=False,
        container=False,
        elem_id="lora-captions",
        elem_classes="sent",
    )
    examples = gr.HTML(
        given_pictures.examples(sets),
        js_on_load=script("models.js"),
        padding=False,
        elem_id="lora-examples",
    )
    with gr.Row(elem_classes="lora-words"):
        name = _box(
            "name", texts.NAME_LABEL, texts.NAME_INFO, texts.NAME_PLACEHOLDER, MAX_NAME_LENGTH
        )
        class_word = _box(
            "class_word",
            texts.CLASS_LABEL,
            texts.CLASS_INFO,
            texts.CLASS_PLACEHOLDER,
            MAX_CLASS_LENGTH,
        )
    token = _box("token", texts.TOKEN_LABEL, texts.TOKEN_INFO, "", MAX_TRIGGER_LENGTH)
    return LoraForm(
        files=files,
        pictures=kept([], "lora-pictures"),
        table=table,
        captions=captions,
        examples=examples,
        name=name,
        token=token,
        suggested=gr.State(""),
        trained=kept({}, "lora-trained"),
        class_word=class_word,
        kind=_choice("kind", texts.KIND_LABEL, texts.KIND_INFO, texts.KIND_NAMES, "thing"),
        effort=_choice(
            "effort", texts.EFFORT_LABEL, texts.EFFORT_INFO, texts.EFFORT_NAMES, "normal"
        ),
        keeps_pictures=gr.Checkbox(
            label=texts.KEEP_LABEL, info=texts.KEEP_INFO, elem_id="lora-keeps_pictures"
        ),
    )


def _box(name: str, label: str, info: str, placeholder: str, max_length: int) -> gr.Textbox:
    return gr.Textbox(
        label=label,
        info=info,
        placeholder=placeholder,
        max_length=max_length,
        min_width=140,
        elem_id=f"lora-{name}",
    )


def _choice(name: str, label: str, info: str, names: dict[str, str], value: str) -> gr.Radio:
    return gr.Radio(
        [(told, choice) for choice, told in names.items()],
        value=value,
        label=label,
        info=info,
        elem_id=f"lora-{name}",
        elem_classes="chips",
    )
