import asyncio
import tracemalloc
from datetime import timedelta

import gradio as gr
from gradio.state_holder import SessionState

from app.page_state import PageState, PageStates


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
    one._update_config(state._id)
    assert one.config_values == other.config_values == {}


def test_what_a_component_becomes_on_one_page_stays_there():
    page, state = a_page()
    one, other = PageState(page), PageState(page)
    number = state._id + 1
    one[number] = gr.Textbox(label="changed", render=False)
    assert (one[number].label, other[number].label) == ("changed", "0")
    assert page.blocks[number].label == "0"
    assert list(one.blocks_config.blocks) == list(page.blocks)
    assert dict(one.blocks_config.fns) == page.fns


def test_neither_the_layout_nor_its_list_is_kept_once_more_for_every_page():
    page, _ = a_page()
    assert memory_of(PageState, page) < memory_of(SessionState, page) / 25
    assert memory_of(PageState, page) < 3000


def test_a_page_is_forgotten_an_hour_after_it_was_closed():
    page, state = a_page()
    states = PageStates()
    states.set_blocks(page)
    for name in ("open", "closed", "just closed"):
        states[name][state._id] = [name]
    for name in ("closed", "just closed"):
        states[name].is_closed = True
    for name in ("open", "closed"):
        states.time_last_used[name] -= timedelta(hours=2)
    states.delete_all_expired_state()
    assert list(states.session_data) == ["open", "just closed"]
    assert list(states.time_last_used) == ["open", "just closed"]
