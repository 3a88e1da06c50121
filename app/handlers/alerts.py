"""What pops up on the page: Gradio takes it for HTML, so it is made text here."""

from html import escape

import gradio as gr

_SECONDS_OF_GOOD_NEWS = 5.0


def alert(sentence: object) -> gr.Error:
    """An error to raise, for a refusal: its sentence pops up; the log has no need of it."""
    return gr.Error(escape(str(sentence), quote=False), print_exception=False)


def warn(sentence: object) -> None:
    """Have a sentence pop up, and go on."""
    gr.Warning(escape(str(sentence), quote=False))


def inform(sentence: object) -> None:
    """Have a sentence pop up that is good news, and go soon."""
    gr.Info(escape(str(sentence), quote=False), duration=_SECONDS_OF_GOOD_NEWS)
