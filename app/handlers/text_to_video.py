"""What happens when something on the tab Text to video is used: each part's handlers, and all."""

from dataclasses import dataclass

import gradio as gr
from gradio.events import Dependency

from app.handlers.asking import Asking, bind_asking
from app.handlers.editing import Editor
from app.handlers.following import Following, bind_following
from app.handlers.form_notes import FormNotes, bind_form_notes
from app.service import Service
from app.tabs.text_to_video import TextToVideoTab
from app.visitors import Visitors
from app.words import Words


@dataclass(frozen=True)
class TextToVideoHandlers:
    """What happens on the tab, part by part."""

    asking: Asking
    following: Following
    notes: FormNotes


def create_text_to_video_handlers(
    service: Service,
    tab: TextToVideoTab,
    words: Words | None,
    visitors: Visitors,
    editor: Editor,
) -> TextToVideoHandlers:
    """Make the handlers of the tab.

    Args:
        service: Does the work.
        tab: The components to read and update.
        words: The words that can be clicked together, if any.
        visitors: Tells who asks.
        editor: Saves the changes of jobs that wait.
    """
    following = Following(service, tab)
    asking = Asking(service, tab, visitors, editor, following)
    return TextToVideoHandlers(asking, following, FormNotes(service, tab, words, visitors))


def bind_text_to_video(
    page: gr.Blocks, tab: TextToVideoTab, handlers: TextToVideoHandlers
) -> tuple[list[Dependency], list[Dependency]]:
    """Say which events of the tab do what.

    Returns:
        Events after which there may be something in the queue, and those after which there may be
        a video.
    """
    asked = bind_asking(tab, handlers.asking)
    loaded, *followed = bind_following(page, tab, handlers.following, asked)
    bind_form_notes(page, tab, handlers.notes, followed)
    return asked, [loaded, *followed]
