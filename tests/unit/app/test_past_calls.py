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


def test_who_never_comes_for_an_answer_is_not_waited_for_longer_than_an_hour(monkeypatch):
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    events = {"never read": {"a"}, "followed": {"b"}, "idle": set()}
    pending = PendingMessages(3, events)
    for name in ("never read", "followed", "idle"):
        pending[name] = Queue()
    now = 3000.0
    assert pending["followed"].empty()  # who listens looks
    now = 4000.0
    pending["next"] = Queue()
    assert list(pending) == ["followed", "idle", "next"]
    assert list(events) == ["followed", "idle"]
    events["next"] = {"c"}
    pending["fourth"] = Queue()
    assert list(pending) == ["followed", "next", "fourth"]


def test_a_page_that_is_closed_while_it_listens_leaves_no_events():
    events = {"closed": {"a"}, "open": {"b"}}
    pending = PendingMessages(2, events)
    for name in ("closed", "open"):
        pending[name] = Queue()
    del pending["closed"]  # as Gradio does
    assert list(pending) == list(events) == ["open"]


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
