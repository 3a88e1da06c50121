"""The right side of the tab Personalised LoRA: a training, and what was learnt. Layout only."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from app import screen
from app import texts as page_texts
from app.request import MAX_SEED
from app.tabs.kept import kept
from app.tabs.lora_picker import LoraPicker, create_lora_picker
from app.tabs.poster import POSTER_SCRIPT
from app.tabs.result import Shown, create_player
from app.tabs.scripts import script
from app.tabs.undo import UndoRow, create_undo_row
from app.texts import loras as texts
from app.watching import Watching

TRAINING_ID, USE_ID, EXPORT_ID = "lora-training", "lora-use", "lora-file"


@dataclass(frozen=True)
class TrainingPanel:
    """Where a training shows itself, and what can be done about it."""

    screen: gr.HTML
    panel: gr.Column
    title: gr.HTML
    samples: gr.HTML
    curve: gr.HTML
    progress: gr.HTML
    pause: gr.Button
    retry: gr.Button
    finish: gr.Button
    cancel: gr.Button
    job_id: gr.BrowserState
    watching: gr.State

    def watched(self) -> list[Shown]:
        """What changes while a training is followed."""
        parts = [getattr(self, field.name) for field in fields(self)]
        return [part for part in parts if part is not self.watching]


@dataclass(frozen=True)
class TryPanel:
    """What can be done with the LoRA that was opened.

    Args:
        opened: Its id; empty if none is.
        compared: The job without it, of a comparison; empty if there is none.
    """

    opened: gr.BrowserState
    panel: gr.Column
    about: gr.HTML
    prompt: gr.Textbox
    picker: LoraPicker
    seed: gr.Textbox
    make: gr.Button
    compare: gr.Button
    cancel: gr.Button
    video: gr.Video
    pair: gr.HTML
    progress: gr.HTML
    name: gr.Textbox
    tags: gr.Textbox
    rename: gr.Button
    delete: gr.Button
    close: gr.Button
    exports: Mapping[str, gr.Button]
    export_file: gr.DownloadButton
    job_id: gr.BrowserState
    compared: gr.BrowserState
    watching: gr.State

    def watched(self) -> list[Shown]:
        """What changes while a video is followed."""
        return [self.job_id, self.compared, self.cancel, self.video, self.pair, self.progress]

    def opening(self) -> list[Shown]:
        """What changes when a LoRA is opened, or closed."""
        own = [self.opened, self.panel, self.about, self.prompt, self.name, self.tags]
        return [*own, self.picker.choices, self.picker.chosen, *self.exports.values()]


@dataclass(frozen=True)
class LibraryPanel:
    """The LoRAs that there are, and the trainings of which none has come yet."""

    trainings: gr.HTML
    cards: gr.HTML
    undo: UndoRow
    imported: gr.File
    refused: gr.HTML


def create_training_panel() -> TrainingPanel:
    """Build it below the screen that is seen while there is no training."""
    display = gr.HTML(screen.empty(texts.EMPTY_SCREEN), padding=False, elem_id="lora-display")
    with gr.Column(visible=False, elem_id=TRAINING_ID) as panel:
        title = gr.HTML(padding=False)
        samples = gr.HTML(
            js_on_load=script("lora-samples.js"), padding=False, elem_id="lora-samples"
        )
        curve = gr.HTML(padding=False, elem_id="lora-curve")
        progress = gr.HTML(padding=False, elem_id="lora-progress")
        with gr.Row(elem_id="lora-training-actions"):
            pause = gr.Button(texts.PAUSE, min_width=90, elem_id="lora-pause")
            retry = gr.Button(texts.GO_ON, variant="primary", visible=False, elem_id="lora-retry")
            finish = gr.Button(texts.FINISH, min_width=220, elem_id="lora-finish")
            cancel = gr.Button(texts.CANCEL, variant="stop", min_width=90, elem_id="lora-cancel")
    return TrainingPanel(
        screen=display,
        panel=panel,
        title=title,
        samples=samples,
        curve=curve,
        progress=progress,
        pause=pause,
        retry=retry,
        finish=finish,
        cancel=cancel,
        job_id=kept("", "lora-job"),
        watching=gr.State(Watching()),
    )


def create_try_panel() -> TryPanel:
    """Build what is seen of a LoRA that was opened."""
    with gr.Column(visible=False, elem_id=USE_ID) as panel:
        about = gr.HTML(padding=False, elem_id="lora-about")
        form = _create_form()
        video = create_player("lora-video")
        pair = gr.HTML(
            visible=False,
            js_on_load=script("pair.js") + POSTER_SCRIPT,
            padding=False,
            elem_id="lora-pair",
        )
        progress = gr.HTML(visible=False, padding=False, elem_id="lora-video-progress")
        kept_parts = _create_file_parts()
    return TryPanel(
        opened=kept("", "lora-opened"),
        panel=panel,
        about=about,
        video=video,
        pair=pair,
        progress=progress,
        job_id=kept("", "lora-video"),
        compared=kept("", "lora-compared"),
        watching=gr.State(Watching()),
        **form,
        **kept_parts,
    )


def _create_form() -> dict[str, Any]:
    prompt = gr.Textbox(
        label=texts.PROMPT_LABEL, info=texts.PROMPT_INFO, lines=2, elem_id="lora-prompt"
    )
    picker = create_lora_picker("lora-", "#lora-prompt textarea", texts.MIX_LABEL, texts.MIX_INFO)
    seed = gr.Textbox(
        label=page_texts.SEED_LABEL,
        info=texts.SEED_INFO,
        placeholder=page_texts.SEED_PLACEHOLDER,
        max_length=len(str(MAX_SEED)),
        elem_id="lora-seed",
    )
    with gr.Row(elem_id="lora-use-actions"):
        make = gr.Button(texts.MAKE, variant="primary", min_width=180, elem_id="lora-make")
        compare = gr.Button(texts.COMPARE, min_width=180, elem_id="lora-compare")
        cancel = gr.Button(
            texts.STOP, variant="stop", min_width=80, interactive=False, elem_id="lora-stop"
        )
    return {
        "prompt": prompt,
        "picker": picker,
        "seed": seed,
        "make": make,
        "compare": compare,
        "cancel": cancel,
    }


def _create_file_parts() -> dict[str, Any]:
    with gr.Row(elem_id="lora-names"):
        name = gr.Textbox(label=texts.NAME_LABEL, info=texts.NAME_INFO, elem_id="lora-new-name")
        tags = gr.Textbox(label=texts.TAGS_LABEL, info=texts.TAGS_INFO, elem_id="lora-tags")
        rename = gr.Button(texts.RENAME, size="sm", min_width=80, scale=0, elem_id="lora-rename")
    gr.HTML(
        f"<p>{texts.EXPORT_HEADING}</p><p>{texts.EXPORT_INFO}</p>",
        padding=False,
        elem_id="lora-export-heading",
    )
    with gr.Row(elem_id="lora-exports"):
        exports = {
            style: gr.Button(label, size="sm", min_width=90, elem_id=f"lora-export-{style}")
            for style, label in texts.STYLES.items()
        }
    with gr.Row(elem_id="lora-file-actions"):
        close = gr.Button(page_texts.CLOSE, size="sm", min_width=80, elem_id="lora-close")
        delete = gr.Button(
            page_texts.DELETE, size="sm", min_width=80, variant="stop", elem_id="lora-delete"
        )
    export_file = gr.DownloadButton(elem_id=EXPORT_ID, elem_classes="unseen")
    return {
        "name": name,
        "tags": tags,
        "rename": rename,
        "delete": delete,
        "close": close,
        "exports": exports,
        "export_file": export_file,
    }


def create_library_panel() -> LibraryPanel:
    """Build the list of LoRAs, and the way in for others."""
    gr.Markdown(f"### {texts.LIST_HEADING}")
    buttons = script("models.js")
    trainings = gr.HTML(visible=False, js_on_load=buttons, padding=False, elem_id="lora-trainings")
    undo = create_undo_row("lora-")
    cards = gr.HTML(js_on_load=buttons, padding=False, elem_id="lora-cards")
    imported = gr.File(
        label=texts.IMPORT_LABEL,
        file_types=[".safetensors", ".zip"],
        height=90,
        elem_id="lora-import",
    )
    refused = gr.HTML(visible=False, padding=False, elem_id="lora-import-refused")
    return LibraryPanel(trainings, cards, undo, imported, refused)
