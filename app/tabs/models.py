"""The tab Models: its components and what they are called. Layout only."""

from dataclasses import dataclass

import gradio as gr

from app import model_list, texts
from app.tabs.scripts import script
from lavie.runtime.profiles import AUTO, PROFILES

QUESTION_ID, YES_ID, WORK_ID = "models-question", "models-yes", "models-work"

_LIST_SCRIPT = script("models.js")
_RESTART_SCRIPT = script("restart.js")
_SECONDS_BETWEEN_LOOKS = 1.0


@dataclass(frozen=True)
class Question:
    """What has to be answered before it is done.

    Args:
        asked: What is to be done, and with what; empty if nothing is.
    """

    asked: gr.State
    panel: gr.Column
    text: gr.HTML
    yes: gr.Button
    no: gr.Button


@dataclass(frozen=True)
class ModelsTab:
    """Everything on the tab that takes part in events."""

    tab: gr.Tab
    restart: gr.HTML
    question: Question
    work_panel: gr.Column
    work: gr.HTML
    stop: gr.Button
    in_use: gr.HTML
    in_use_timer: gr.Timer
    profile: gr.Dropdown
    installed: gr.HTML
    offers: gr.HTML
    path: gr.Textbox
    parts: gr.Textbox
    name: gr.Textbox
    convert_note: gr.HTML
    convert: gr.Button
    folder: gr.Textbox
    folder_note: gr.HTML
    add_folder: gr.Button
    folders: gr.HTML


def create_models_tab(tab: gr.Tab) -> ModelsTab:
    """Build what is on the tab, inside it."""
    restart = gr.HTML(js_on_load=_RESTART_SCRIPT, padding=False, elem_id="models-restart")
    question = _create_question()
    with gr.Column(visible=False, elem_id=WORK_ID) as work_panel:
        work = gr.HTML(padding=False)
        stop = gr.Button(texts.STOP_MODEL_WORK, size="sm", elem_id="models-stop")
    _heading(texts.IN_USE_HEADING)
    in_use_timer = gr.Timer(_SECONDS_BETWEEN_LOOKS, active=False)
    in_use = gr.HTML(padding=False, elem_id="models-in-use")
    profile = gr.Dropdown(
        [
            (texts.PROFILE_AUTO, AUTO),
            *((texts.profile_choice(p.name, p.free_bytes), p.name) for p in PROFILES),
        ],
        label=texts.PROFILE_LABEL,
        info=texts.PROFILE_INFO,
        filterable=False,
        elem_id="models-profile",
    )
    with gr.Accordion(texts.PROFILE_TABLE_HEADING, open=False, elem_id="models-profiles"):
        gr.HTML(model_list.profile_table(), padding=False)
    _heading(texts.INSTALLED_HEADING)
    installed = _list("models-installed", texts.LOOKING_FOR_MODELS)
    _heading(texts.OFFERS_HEADING)
    offers = _list("models-offers")
    _heading(texts.CONVERT_HEADING)
    with gr.Row(elem_classes="models-form"):
        path = _path(texts.CONVERT_PATH_LABEL, texts.CONVERT_PATH_INFO, "models-path")
        parts = _path(texts.CONVERT_PARTS_LABEL, texts.CONVERT_PARTS_INFO, "models-parts")
        name = gr.Textbox(
            label=texts.CONVERT_NAME_LABEL,
            info=texts.CONVERT_NAME_INFO,
            max_length=60,
            min_width=160,
            elem_id="models-name",
        )
    convert_note = _note("models-convert-note")
    convert = gr.Button(texts.CONVERT, elem_id="models-convert")
    _heading(texts.FOLDERS_HEADING)
    with gr.Row(elem_classes="models-form"):
        folder = _path(texts.FOLDER_LABEL, texts.FOLDER_INFO, "models-folder")
        add_folder = gr.Button(
            texts.ADD_FOLDER, scale=0, min_width=120, elem_id="models-add-folder"
        )
    folder_note = _note("models-folder-note")
    folders = _list("models-folders")
    return ModelsTab(
        tab=tab,
        restart=restart,
        question=question,
        work_panel=work_panel,
        work=work,
        stop=stop,
        in_use=in_use,
        in_use_timer=in_use_timer,
        profile=profile,
        installed=installed,
        offers=offers,
        path=path,
        parts=parts,
        name=name,
        convert_note=convert_note,
        convert=convert,
        folder=folder,
        folder_note=folder_note,
        add_folder=add_folder,
        folders=folders,
    )


def _create_question() -> Question:
    asked = gr.State(())
    with gr.Column(visible=False, elem_id=QUESTION_ID) as panel:
        text = gr.HTML(padding=False)
        with gr.Row():
            yes = gr.Button(variant="primary", elem_id=YES_ID)
            no = gr.Button(texts.NOT_NOW, elem_id="models-no")
    return Question(asked, panel, text, yes, no)


def _heading(text: str) -> None:
    gr.Markdown(f"## {text}", elem_classes="models-heading")


def _list(name: str, hint: str = "") -> gr.HTML:
    return gr.HTML(hint, js_on_load=_LIST_SCRIPT, padding=False, elem_id=name)


def _note(name: str) -> gr.HTML:
    return gr.HTML(visible=False, padding=False, elem_id=name)


def _path(label: str, info: str, name: str) -> gr.Textbox:
    return gr.Textbox(label=label, info=info, max_length=4096, scale=2, min_width=220, elem_id=name)
