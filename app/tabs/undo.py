"""What is offered after something was thrown away: to have it back. Layout only."""

from dataclasses import dataclass

import gradio as gr

from app import texts


@dataclass(frozen=True)
class UndoRow:
    """Says what is gone, beside a button that brings it back.

    Args:
        gone: What brings it back; empty if there is nothing.
    """

    gone: gr.State
    row: gr.Row
    note: gr.HTML
    button: gr.Button


def create_undo_row(prefix: str = "") -> UndoRow:
    """Build it where it is shown.

    Args:
        prefix: Of the names of its parts.
    """
    gone = gr.State({})
    with gr.Row(visible=False, elem_id=f"{prefix}undo-row", elem_classes="undo-row") as row:
        note = gr.HTML(padding=False)
        button = gr.Button(texts.UNDO, size="sm", min_width=100, scale=0, elem_id=f"{prefix}undo")
    return UndoRow(gone, row, note, button)
