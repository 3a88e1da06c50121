import asyncio

import gradio as gr
import pytest

from app import texts
from app.handlers import TextToVideoHandlers
from app.request import FIELDS
from app.tabs.text_to_video import create_text_to_video_tab
from app.words import words_of

LOST = "20200101-000000-abc"


def create_tab(card, words=None):
    async def create():  # in a loop of ours: Gradio would make one and leave it open
        with gr.Blocks(analytics_enabled=False):
            return create_text_to_video_tab(card, words)

    return asyncio.run(create())


@pytest.fixture
def tab(card):
    return create_tab(card)


@pytest.fixture
def handlers(service, tab):
    return TextToVideoHandlers(service, tab, None)


@pytest.fixture
def form(values):
    return [values[field] for field in FIELDS]


def updates_of(events):
    async def collect():
        return [updates async for updates in events]

    return asyncio.run(collect())


def test_a_second_video_is_refused_while_the_first_is_made(handlers, service, runner, tab, form):
    runner.may_go_on.clear()
    job_id = handlers.submit("", *form)[tab.job_id]
    with pytest.raises(gr.Error, match="still being made"):
        handlers.submit(job_id, *form)
    runner.may_go_on.set()
    service.wait(job_id, timeout=10)
    assert handlers.submit(job_id, *form)[tab.job_id] != job_id


def test_every_input_gets_its_check(handlers, form):
    checks = handlers.check("", "", *form[1:])
    assert [check["is_valid"] for check in checks] == [True, False, *[True] * (len(FIELDS) - 1)]


def test_the_chips_follow_the_prompt(service, card):
    words = words_of(card)
    tab = create_tab(card, words)
    handlers = TextToVideoHandlers(service, tab, words)
    updates = handlers.read_prompt("A dragon moving left over the ocean")
    assert "“dragon”" in updates[tab.note].value
    assert tab.composer is not None
    assert [updates[chip] for chip in tab.composer] == [None, "left", "ocean", "colour"]
    assert handlers.compose("fox", "left", "ocean", "colour") == "a fox moving left over the ocean"


def test_a_lost_job_is_said_kindly_and_forgotten(handlers, tab):
    for events in (handlers.resume(LOST), handlers.follow(LOST)):
        (updates,) = updates_of(events)
        assert texts.LOST_JOB in updates[tab.screen].value
        assert updates[tab.job_id] == ""
        assert updates[tab.generate].interactive
    with pytest.raises(gr.Error, match="no longer knows that job"):
        handlers.cancel(LOST)


def test_a_new_visitor_resumes_nothing(handlers, tab):
    assert updates_of(handlers.resume("")) == [{tab.job_id: ""}]


def test_what_a_browser_keeps_is_read_after_a_restart(card, tab):
    before, after = tab.job_id, create_tab(card).job_id
    assert (before.storage_key, before.secret) == (after.storage_key, after.secret)
