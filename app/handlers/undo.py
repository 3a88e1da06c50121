"""Offers to bring back what was thrown away, and no longer once it is there."""

from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.blocks import Block

from app.gallery import undo_note
from app.tabs.undo import UndoRow

Updates = dict[Block, Any]


def offer(undo: UndoRow, gone: Mapping[str, object], sentence: str) -> Updates:
    """Say what is gone, and offer to bring it back.

    Args:
        undo: The components to update.
        gone: What brings it back.
        sentence: For people; what others wrote in it is shown as text.
    """
    return {
        undo.gone: dict(gone),
        undo.row: gr.Row(visible=True),
        undo.note: undo_note(sentence),
    }


def put_away(undo: UndoRow) -> Updates:
    """Offer nothing any more."""
    return {undo.gone: {}, undo.row: gr.Row(visible=False)}
