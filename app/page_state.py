"""What the server remembers of every open page: its state, and not its layout once more."""

from collections import ChainMap
from datetime import datetime
from types import SimpleNamespace
from typing import cast

import gradio as gr
from gradio import routes, state_holder
from gradio.blocks import BlocksConfig
from gradio.state_holder import SessionState, StateHolder


class PageState(SessionState):
    """The state of one page, or of one call of a program.

    Gradio copies the settings of every component into it, for links to a page as it is at a moment.
    Such links are not served (`app.guard`), and the copy takes a quarter of a megabyte and ten
    milliseconds for each call. It also copies the lists of all components and functions, thirty
    kilobytes. Here a page lists what changes on it, and finds the rest in the common lists.

    Args:
        blocks: The page.
    """

    def __init__(self, blocks: gr.Blocks) -> None:
        common, own = blocks.default_config, BlocksConfig(blocks)
        own.blocks = cast(dict, ChainMap({}, common.blocks))
        own.fns = cast(dict, ChainMap({}, common.fns))
        own.fn_id = common.fn_id
        nothing_to_copy = SimpleNamespace(default_config=own, blocks={})
        super().__init__(cast(gr.Blocks, nothing_to_copy))

    def __setitem__(self, key: int, value: object) -> None:
        """Remember a value, or what a component has become; not its settings once more."""
        super().__setitem__(key, value)
        self.config_values.clear()

    def _update_config(self, key: int) -> None:
        """Only links to a page would need it."""

    def _update_value_in_config(self, key: int, value: object) -> None:
        """As well."""


class PageStates(StateHolder):
    """The states of all pages; four hundred kilobytes for one that was looked at in a browser."""

    def delete_all_expired_state(self) -> None:
        """Forget pages that were closed an hour ago, of which Gradio only empties the state.

        One whose connection broke once, or whose computer slept, counts as closed from then on. If
        it is left alone for an hour, it goes on with components as they were when it was opened.
        """
        super().delete_all_expired_state()
        now = datetime.now()
        for name, state in list(self.session_data.items()):
            age = (now - self.time_last_used.get(name, now)).total_seconds()
            if state.is_closed and age > state.STATE_TTL_WHEN_CLOSED:
                with self.lock:
                    self.session_data.pop(name, None)
                    self.time_last_used.pop(name, None)


def use_small_states() -> None:
    """Have Gradio make a `PageState` for each page from now on, and forget it in time."""
    state_holder.SessionState = PageState
    routes.StateHolder = PageStates
