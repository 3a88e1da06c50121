import asyncio
from pathlib import Path

import gradio as gr
import pytest

from app import texts
from app.handlers import TextToVideoHandlers
from app.request import FIELDS
from app.service import COST_FIELDS
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


@pytest.fixture
def finish(handlers, service, tab, values):
    """Makes a video and gives what the page shows in the end."""

    def finish(**switches):
        asked = {**values, **switches}
        told = handlers.submit("", *[asked[field] for field in FIELDS])
        service.wait(told[tab.job_id], timeout=10)
        for updates in updates_of(handlers.follow(told[tab.job_id])):
            told |= updates
        return told

    return finish


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


def test_a_finished_job_shows_its_newest_version_and_offers_the_others(handlers, tab, finish):
    view, updates = tab.result, finish(smooth=True)
    assert [choice for _, choice in updates[view.shown].choices] == ["base", "interpolation"]
    assert updates[view.shown].value == "interpolation"
    assert updates[view.video].endswith("interpolation.view")
    assert not updates[view.smooth_it].visible
    assert updates[view.upscale_it].visible
    assert updates[view.details].visible


def test_a_video_is_sent_once_so_that_it_plays_on(handlers, runner, tab, values):
    runner.num_steps_of = {"base": 1, "interpolation": 10**9}

    async def follow(job_id):
        seen = []
        async for updates in handlers.follow(job_id):
            seen.append(updates)
            is_progress_of_smoothing = "Smoothing" in updates[tab.result.progress].value
            if is_progress_of_smoothing and len(seen) > 3:
                handlers.cancel(job_id)
        return seen

    values["smooth"] = True
    job_id = handlers.submit("", *[values[field] for field in FIELDS])[tab.job_id]
    seen = asyncio.run(follow(job_id))
    sent = [updates[tab.result.video] for updates in seen if tab.result.video in updates]
    assert [Path(video).name for video in sent] == ["base.view"]


def test_any_version_can_be_shown_alone_or_beside_what_it_was_made_from(handlers, tab, finish):
    view, job_id = tab.result, finish(smooth=True, upscale=True)[tab.job_id]
    updates = handlers.show_version(job_id, "interpolation", True)
    assert updates[view.video].endswith("interpolation.comparison")
    assert updates[view.download_view] == updates[view.video]
    assert updates[view.caption].visible
    updates = handlers.show_version(job_id, "base", True)
    assert updates[view.video].endswith("base.view")
    assert not updates[view.caption].visible
    assert not updates[view.is_compared].visible
    assert updates[view.smooth_it].visible


def test_one_more_stage_is_a_job_of_its_own(handlers, service, tab, finish):
    first = finish()[tab.job_id]
    updates = handlers.smooth_it(first, "base", 5)
    job = service.wait(updates[tab.job_id], timeout=10)
    assert job.id != first
    assert [result.stage for result in job.results] == ["base", "interpolation"]
    updates = handlers.upscale_it(job.id, "interpolation", 5)
    assert len(service.wait(updates[tab.job_id], timeout=10).results) == 3


def test_wrong_steps_of_a_later_stage_are_said_beside_them(handlers, tab, finish):
    job_id = finish()[tab.job_id]
    *_, steps = handlers.check_smoothing(job_id, "base", 0)
    assert not steps["is_valid"]
    assert "Smoothing steps 0" in steps["message"]
    assert all(check["is_valid"] for check in handlers.check_upscaling(job_id, "base", 5))


def test_a_stage_for_a_lost_job_is_refused_kindly(handlers):
    for ask in (handlers.smooth_it, handlers.upscale_it):
        with pytest.raises(gr.Error, match="no longer knows that job"):
            ask(LOST, "base", 5)
    with pytest.raises(gr.Error, match="no longer knows that job"):
        handlers.show_version(LOST, "base", False)


def test_cancelling_a_later_stage_says_that_the_first_version_is_kept(
    handlers, service, runner, tab, form, values, wait_until
):
    runner.num_steps_of = {"base": 1, "interpolation": 10_000}
    values["smooth"] = True
    job_id = handlers.submit("", *[values[field] for field in FIELDS])[tab.job_id]
    wait_until(lambda: ("interpolation", 1) in runner.steps)
    handlers.cancel(job_id)
    updates = updates_of(handlers.follow(job_id))[-1]
    assert texts.CANCELLED_KEPT in updates[tab.result.progress].value
    assert updates[tab.result.details].visible
    assert not updates[tab.screen].visible


def test_the_switches_say_what_they_bring_and_cost(handlers, tab, finish, values):
    def shown():
        updates = handlers.show_costs(*[values[field] for field in COST_FIELDS])
        return updates[tab.form.smooth], updates[tab.form.upscale], updates[tab.cost_timer]

    smooth, _, timer = shown()
    assert smooth.label == "Smooth: 61 frames"
    assert "computer" not in smooth.info
    assert timer.active
    finish(smooth=True)
    smooth, upscale, timer = shown()
    assert "About 8 s on this computer." in smooth.info
    assert "Roughly" in upscale.info
    assert not timer.active
    values["num_frames"] = ""
    assert handlers.show_costs(*[values[field] for field in COST_FIELDS]) == {}
