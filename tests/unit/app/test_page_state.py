import asyncio
import tracemalloc

import gradio as gr
from gradio.state_holder import SessionState

from app.page_state import PageState


def a_page() -> tuple[gr.Blocks, gr.State]:
    async def create() -> tuple[gr.Blocks, gr.State]:  # in a loop that is closed
        with gr.Blocks(analytics_enabled=False) as page:
            state = gr.State([1])
            for number in range(50):
                gr.Textbox(label=f"{number}")
        return page, state

    return asyncio.run(create())


def memory_of(kind: type[SessionState], page: gr.Blocks) -> float:
    kind(page)
    tracemalloc.start()
    states = [kind(page) for _ in range(10)]
    try:
        return tracemalloc.get_traced_memory()[0] / len(states)
    finally:
        tracemalloc.stop()


def test_a_page_has_its_own_state():
    page, state = a_page()
    one, other = PageState(page), PageState(page)
    one[state._id] = [2]
    assert (one[state._id], other[state._id]) == ([2], [1])
    one._update_value_in_config(state._id, 5)
    assert other.config_values == {}


def test_the_layout_is_not_kept_once_more_for_every_page():
    page, _ = a_page()
    assert memory_of(PageState, page) < memory_of(SessionState, page) / 5
