"""Where the form gets settings that nobody typed: presets, and videos that were made before."""

from dataclasses import dataclass

import gradio as gr

from app import texts
from app.tabs.undo import UndoRow, create_undo_row

RECIPE_SUFFIXES = [".mp4", ".mkv", ".webm", ".json"]


@dataclass(frozen=True)
class SettingsSources:
    """The controls that fill in others."""

    preset: gr.Dropdown
    save_preset: gr.Button
    delete_preset: gr.Button
    undo: UndoRow
    recipe_file: gr.File


def create_settings_sources() -> SettingsSources:
    """Build them, in the place where they are called."""
    with gr.Column(elem_id="preset-area"):
        with gr.Row(elem_id="preset-row"):
            preset = gr.Dropdown(
                label=texts.PRESET_LABEL,
                info=texts.PRESET_INFO,
                allow_custom_value=True,
                scale=2,
                min_width=200,
                elem_id="preset",
            )
            save = gr.Button(texts.SAVE_PRESET, size="sm", min_width=70, elem_id="save-preset")
            delete = gr.Button(
                texts.DELETE_PRESET,
                size="sm",
                min_width=70,
                interactive=False,
                elem_id="delete-preset",
            )
        undo = create_undo_row("preset-")
    recipe_file = gr.File(
        label=texts.DROP_LABEL,
        file_types=RECIPE_SUFFIXES,
        height=110,
        elem_id="recipe-file",
    )
    return SettingsSources(preset, save, delete, undo, recipe_file)
