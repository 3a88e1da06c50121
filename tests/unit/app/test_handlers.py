import asyncio
from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from app import texts
from app.checks import COST_FIELDS
from app.handlers.editing import Editor
from app.handlers.text_to_video import create_text_to_video_handlers
from app.request import FIELDS, STAGE_ORDER
from app.tabs.text_to_video import create_text_to_video_tab
from app.visitors import Visitors
from app.watching import Watching
from app.words import words_of
from lavie.media import write_video

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
    return create_handlers(service, tab)


def create_handlers(service, tab, words=None):
    editor = Editor(service, tab, Visitors())
    return create_text_to_video_handlers(service, tab, words, Visitors(), editor)


@pytest.fixture
def form(values):
    return [values[field] for field in FIELDS]


@pytest.fixture
def finish(handlers, service, tab, values):
    """Makes a video and gives what the page shows in the end."""

    def finish(**switches):
        asked = {**values, **switches}
        told = handlers.asking.submit("", {}, Watching(), None, *[asked[field] for field in FIELDS])
        service.wait(told[tab.job_id], timeout=10)
        for updates in updates_of(handlers.following.follow(told[tab.job_id], Watching())):
            told |= updates
        return told

    return finish


def updates_of(events):
    async def collect():
        return [updates async for updates in events]

    return asyncio.run(collect())


def test_a_second_video_waits_while_the_page_watches_the_first(
    handlers, service, runner, tab, form, capsys
):
    runner.may_go_on.clear()
    first = handlers.asking.submit("", {}, Watching(), None, *form)[tab.job_id]
    assert handlers.asking.submit(first, {}, Watching(), None, *form) == {tab.job_id: gr.skip()}
    assert "Added: 2nd in the queue" in capsys.readouterr().out
    _, second = (status.job.id for status in service.queue())
    runner.may_go_on.set()
    service.wait(second, timeout=10)
    assert handlers.asking.submit(first, {}, Watching(), None, *form)[tab.job_id] not in (
        first,
        second,
    )


def test_quick_presses_make_a_job_each_before_the_page_has_heard_of_the_first(
    handlers, service, runner, tab, form
):
    runner.may_go_on.clear()
    watching = Watching()
    first, *others = (handlers.asking.submit("", {}, watching, None, *form) for _ in range(3))
    assert others == [{tab.job_id: gr.skip()}] * 2
    assert len(service.queue()) == 3

    async def follow_and_ask():
        following = handlers.following.follow(first[tab.job_id], watching)
        await anext(following)
        return handlers.asking.submit("", {}, watching, None, *form)

    assert asyncio.run(follow_and_ask()) == {tab.job_id: gr.skip()}


def test_a_stage_waits_while_the_page_watches_another_job(handlers, service, runner, tab, finish):
    finished = finish()[tab.job_id]
    runner.may_go_on.clear()
    smoothing = handlers.asking.smooth_it(finished, "base", 5)[tab.job_id]
    assert handlers.asking.upscale_it(smoothing, "base", 5) == {tab.job_id: gr.skip()}
    assert [status.job.request.stages[-1] for status in service.queue()] == list(STAGE_ORDER[1:])


def test_a_page_follows_one_job_at_a_time_and_none_twice(handlers, service, runner, tab, form):
    async def scenario():
        watching = Watching()
        first, second = (
            handlers.asking.submit("", {}, Watching(), None, *form)[tab.job_id] for _ in range(2)
        )
        following = handlers.following.follow(first, watching)
        await anext(following)
        assert [u async for u in handlers.following.follow(first, watching)] == [
            {tab.cancel: gr.skip()}
        ]
        other = handlers.following.follow(second, watching)
        await anext(other)
        service.cancel(first)
        assert [updates async for updates in following] == []
        service.pause(True)
        service.cancel(second)
        ended = [updates async for updates in other][-1]
        assert texts.CANCELLED in ended[tab.screen].value
        assert [u async for u in handlers.following.follow(second, watching)] == [
            {tab.cancel: gr.skip()}
        ]
        service.retry(second)
        again = handlers.following.follow(second, watching)
        updates = await anext(again)
        assert "in the queue, which is stopped" in updates[tab.result.progress].value
        await again.aclose()

    runner.num_steps = 10**9
    asyncio.run(scenario())


def test_the_prompt_is_shown_also_where_there_is_no_video(handlers, service, runner, tab, form):
    runner.may_go_on.clear()
    job_id = handlers.asking.submit("", {}, Watching(), None, *form)[tab.job_id]
    service.cancel(job_id)
    runner.may_go_on.set()
    service.wait(job_id, timeout=10)
    (told,) = updates_of(handlers.following.resume(job_id, Watching()))
    assert "a panda" in told[tab.result.prompt].value
    assert told[tab.result.prompt].visible
    assert not told[tab.result.panel].visible
    assert told[tab.result.retry].value == texts.TRY_AGAIN


def test_every_input_gets_its_check(handlers, form):
    checks = handlers.asking.check("", {}, Watching(), None, "", *form[1:])
    others = [True] * (len(FIELDS) - 1)
    assert [check["is_valid"] for check in checks] == [True, True, True, False, *others]


def test_the_chips_follow_the_prompt(service, card):
    words = words_of(card)
    tab = create_tab(card, words)
    handlers = create_handlers(service, tab, words)
    updates = handlers.notes.read_prompt("A dragon moving left over the ocean", "", "")
    assert "“dragon”" in updates[tab.note].value
    assert tab.composer is not None
    assert [updates[chip] for chip in tab.composer] == [None, "left", "ocean", "colour"]
    assert (
        handlers.notes.compose("fox", "left", "ocean", "colour")
        == "a fox moving left over the ocean"
    )


def test_a_lost_job_is_said_kindly_and_forgotten(handlers, tab):
    for events in (
        handlers.following.resume(LOST, Watching()),
        handlers.following.follow(LOST, Watching()),
    ):
        (updates,) = updates_of(events)
        assert texts.LOST_JOB in updates[tab.screen].value
        assert updates[tab.job_id] == ""
    with pytest.raises(gr.Error, match="no longer knows that job"):
        handlers.asking.cancel(LOST)


def test_a_new_visitor_resumes_nothing(handlers, tab):
    assert updates_of(handlers.following.resume("", Watching())) == [{tab.cancel: gr.skip()}]


def test_what_a_browser_keeps_is_read_after_a_restart(card, tab):
    before, after = tab.job_id, create_tab(card).job_id
    assert (before.storage_key, before.secret) == (after.storage_key, after.secret)


def test_a_finished_job_shows_its_newest_version_and_offers_the_others(handlers, tab, finish):
    view, updates = tab.result, finish(smooth=True)
    choices = [("First version", "base"), ("Smooth", "base+interpolation")]
    assert updates[view.shown].choices == choices
    assert updates[view.shown].value == "base+interpolation"
    assert updates[view.video].endswith("interpolation.view")
    assert not updates[view.smooth_it].visible
    assert updates[view.upscale_it].visible
    assert updates[view.details].visible


def test_a_video_is_sent_once_so_that_it_plays_on(handlers, runner, tab, values):
    runner.num_steps_of = {"base": 1, "interpolation": 10**9}

    async def follow(job_id):
        seen = []
        async for updates in handlers.following.follow(job_id, Watching()):
            seen.append(updates)
            is_progress_of_smoothing = "Smoothing" in updates[tab.result.progress].value
            if is_progress_of_smoothing and len(seen) > 3:
                handlers.asking.cancel(job_id)
        return seen

    values["smooth"] = True
    job_id = handlers.asking.submit("", {}, Watching(), None, *[values[field] for field in FIELDS])[
        tab.job_id
    ]
    seen = asyncio.run(follow(job_id))
    sent = [updates[tab.result.video] for updates in seen if tab.result.video in updates]
    assert [Path(video).name for video in sent] == ["base.view"]


def test_any_version_can_be_shown_alone_or_beside_what_it_was_made_from(handlers, tab, finish):
    view, job_id = tab.result, finish(smooth=True, upscale=True)[tab.job_id]
    updates = handlers.following.show_version(job_id, "interpolation", True)
    assert updates[view.video].endswith("interpolation.comparison")
    assert updates[view.download_view] == updates[view.video]
    assert updates[view.caption].visible
    updates = handlers.following.show_version(job_id, "base", True)
    assert updates[view.video].endswith("base.view")
    assert not updates[view.caption].visible
    assert not updates[view.is_compared].visible
    assert updates[view.smooth_it].visible


def test_a_gif_is_made_when_it_is_asked_for(handlers, service, tab, finish):
    job_id = finish()[tab.job_id]
    with pytest.raises(gr.Error, match="was deleted"):  # there is no file behind this result
        handlers.following.make_gif(job_id, "base")
    video = service.get(job_id).results[0].video
    write_video(video.with_suffix(".mp4"), np.zeros((2, 16, 16, 3), np.uint8), 8)
    video.with_suffix(".mp4").rename(video)
    made = handlers.following.make_gif(job_id, "base")[tab.result.made_file]
    assert Path(made).read_bytes().startswith(b"GIF89a")


def test_one_more_stage_is_a_job_of_its_own(handlers, service, tab, finish):
    first = finish()[tab.job_id]
    updates = handlers.asking.smooth_it(first, "base", 5)
    job = service.wait(updates[tab.job_id], timeout=10)
    assert job.id != first
    assert [result.stage for result in job.results] == ["base", "interpolation"]
    updates = handlers.asking.upscale_it(job.id, "interpolation", 5)
    assert len(service.wait(updates[tab.job_id], timeout=10).results) == 3


def test_going_on_from_an_earlier_version_keeps_the_others(handlers, service, tab, finish):
    def versions(updates):
        service.wait(updates[tab.job_id], timeout=10)
        told = updates_of(handlers.following.follow(updates[tab.job_id], Watching()))[-1]
        return [name for name, _ in told[tab.result.shown].choices], told[tab.result.shown].value

    smooth = handlers.asking.smooth_it(finish()[tab.job_id], "base", 5)
    assert versions(smooth) == (["First version", "Smooth"], "base+interpolation")
    upscaled = handlers.asking.upscale_it(smooth[tab.job_id], "base", 5)
    expected = ["First version", "Smooth", "Upscaled"]
    assert versions(upscaled) == (expected, "base+super_resolution")
    both = handlers.asking.upscale_it(upscaled[tab.job_id], "base+interpolation", 5)
    assert versions(both) == ([*expected, "Smooth and upscaled"], "+".join(STAGE_ORDER))
    again = handlers.asking.smooth_it(both[tab.job_id], "base", 6)
    assert versions(again)[0] == [*expected, "Smooth and upscaled"]
    job = service.get(again[tab.job_id])
    assert job.result_of("interpolation").video.parent.name == job.id
    assert job.result_of("+".join(STAGE_ORDER)).video.parent.name == both[tab.job_id]


def test_wrong_steps_of_a_later_stage_are_said_beside_them(handlers, tab, finish):
    job_id = finish()[tab.job_id]
    *_, steps = handlers.asking.check_smoothing(job_id, "base", 0)
    assert not steps["is_valid"]
    assert "Smoothing steps 0" in steps["message"]
    assert all(check["is_valid"] for check in handlers.asking.check_upscaling(job_id, "base", 5))


def test_a_stage_for_a_lost_job_is_refused_kindly(handlers):
    with pytest.raises(gr.Error, match="no longer knows that job"):
        handlers.following.make_gif(LOST, "base")
    for ask in (handlers.asking.smooth_it, handlers.asking.upscale_it):
        with pytest.raises(gr.Error, match="no longer knows that job"):
            ask(LOST, "base", 5)
    with pytest.raises(gr.Error, match="no longer knows that job"):
        handlers.following.show_version(LOST, "base", False)


def test_cancelling_a_later_stage_says_that_the_first_version_is_kept(
    handlers, service, runner, tab, form, values, wait_until
):
    runner.num_steps_of = {"base": 1, "interpolation": 10**9}
    values["smooth"] = True
    job_id = handlers.asking.submit("", {}, Watching(), None, *[values[field] for field in FIELDS])[
        tab.job_id
    ]
    wait_until(lambda: service.get(job_id).results)
    handlers.asking.cancel(job_id)
    updates = updates_of(handlers.following.follow(job_id, Watching()))[-1]
    assert texts.CANCELLED_KEPT in updates[tab.result.progress].value
    assert updates[tab.result.details].visible
    assert not updates[tab.screen].visible


def test_the_switches_say_what_they_bring_and_cost(handlers, tab, finish, values):
    def shown():
        updates = handlers.notes.show_costs(*[values[field] for field in COST_FIELDS])
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
    told = handlers.notes.show_costs(*[values[field] for field in COST_FIELDS])
    assert list(told.values()) == [gr.skip()]


def test_the_form_is_read_as_the_browser_keeps_it(handlers, tab):
    told = handlers.notes.read_form({"prompt": "a panda", "num_frames": 4})
    assert told[tab.form.smooth].label == "Smooth: 13 frames"
    assert not told[tab.note].visible
    for nothing_kept in ({}, None, "nonsense"):
        assert handlers.notes.read_form(nothing_kept)[tab.form.smooth].label == "Smooth: 61 frames"


def test_the_page_says_that_the_model_is_still_loaded_and_then_looks_no_more(
    service, handlers, tab, monkeypatch
):
    monkeypatch.setattr(type(service), "is_model_loading", True)
    told = handlers.notes.show_model()
    assert texts.MODEL_LOADS in told[tab.model_state].value
    assert told[tab.model_state].visible
    assert told[tab.model_timer].active
    monkeypatch.setattr(type(service), "is_model_loading", False)
    told = handlers.notes.show_model()
    assert not told[tab.model_state].visible
    assert not told[tab.model_timer].active
