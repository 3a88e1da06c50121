import asyncio
from asyncio import Queue

import gradio as gr

from app.past_calls import PendingMessages, forget_past_calls


def test_the_oldest_is_forgotten_with_its_events():
    events = {"first": set(), "second": set()}
    pending = PendingMessages(2, events)
    for name in ("first", "second", "third"):
        pending[name] = Queue()
    assert list(pending) == ["second", "third"]
    assert list(events) == ["second"]


def test_who_waits_is_forgotten_last():
    events = {"first": {"a"}, "second": set()}
    pending = PendingMessages(2, events)
    for name in ("first", "second", "third"):
        pending[name] = Queue()
    assert list(pending) == ["first", "third"]
    events["third"] = {"b"}
    pending["fourth"] = Queue()
    assert list(pending) == ["third", "fourth"]
    assert list(events) == ["third"]


def test_no_statistics_of_calls_are_made():
    async def create() -> gr.Blocks:
        with gr.Blocks(analytics_enabled=False) as page:
            gr.api(lambda: 1, api_name="one")
        return page

    page = asyncio.run(create())
    forget_past_calls(page)
    assert isinstance(page._queue.pending_messages_per_session, PendingMessages)
    page._queue.events_recorded = 5
    assert page._queue.compute_analytics_summary([{"function": "one"}]) == {"functions": {}}
