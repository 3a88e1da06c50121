"""The queue below the screen, and the bar over a form that changes a job of it. Layout only."""

from dataclasses import dataclass

import gradio as gr

from app import texts
from app.tabs.kept import kept
from app.tabs.scripts import script
from app.tabs.undo import UndoRow, create_undo_row

_SECONDS_BETWEEN_TRIES = 1.0


@dataclass(frozen=True)
class QueuePanel:
    """The jobs that run and wait.

    Args:
        jobs: They and their buttons, which trigger ``select``.
        timer: Ticks until the queue is followed, and while there is anything to follow.
        undo: Brings back what was removed.
    """

    jobs: gr.HTML
    timer: gr.Timer
    undo: UndoRow


@dataclass(frozen=True)
class EditBar:
    """Says that the form changes a job that waits.

    Args:
        edited: Kept by the browser: ``job_id``, and ``before``: what was in the form. Or nothing.
    """

    edited: gr.BrowserState
    bar: gr.Row
    note: gr.HTML
    leave: gr.Button


def create_queue_panel() -> QueuePanel:
    """Build it where it is shown."""
    jobs = gr.HTML(visible=False, js_on_load=script("queue.js"), padding=False, elem_id="queue")
    undo = create_undo_row("queue-")
    return QueuePanel(jobs, gr.Timer(_SECONDS_BETWEEN_TRIES), undo)


def create_edit_bar() -> EditBar:
    """Build it where it is shown."""
    edited = kept({}, "edited", in_place=True)
    with gr.Row(visible=False, elem_id="edit-bar") as bar:
        note = gr.HTML(padding=False, elem_id="edit-note")
        leave = gr.Button(texts.KEEP_AS_IT_WAS, size="sm", min_width=140, scale=0, elem_id="leave")
    return EditBar(edited, bar, note, leave)
