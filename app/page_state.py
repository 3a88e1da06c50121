"""What the server remembers of every open page: its state, and not its layout once more."""

from types import SimpleNamespace
from typing import cast

import gradio as gr
from gradio import state_holder
from gradio.state_holder import SessionState


class PageState(SessionState):
    """The state of one page, or of one call of a program.

    Gradio copies the settings of every component into it, for links to a page as it is at a moment.
    Such links are not served (`app.guard`), and the copy takes a quarter of a megabyte and ten
    milliseconds for each call.

    Args:
        blocks: The page.
    """

    def __init__(self, blocks: gr.Blocks) -> None:
        nothing_to_copy = SimpleNamespace(default_config=blocks.default_config, blocks={})
        super().__init__(cast(gr.Blocks, nothing_to_copy))


def use_small_states() -> None:
    """Have Gradio make a `PageState` for each page from now on."""
    state_holder.SessionState = PageState
