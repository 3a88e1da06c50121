import asyncio

import gradio as gr
import pytest

from app import texts
from app.handlers.history import HistoryHandlers
from app.tabs.history import PAGE_SIZE, create_history_tab
from app.tabs.text_to_video import create_text_to_video_tab
from app.visitors import Visitors
from lavie.pipelines.model_folder import LATER_STAGES
from tests.unit.app.known import Known


@pytest.fixture
def page(card):
    async def create():  # in a loop of ours: Gradio would make one and leave it open
        with gr.Blocks(analytics_enabled=False):
            with gr.Tabs() as tabs:
                with gr.Tab():
                    studio = create_text_to_video_tab(card, None)
                with gr.Tab() as tab:
                    return tabs, studio, create_history_tab(tab)

    return asyncio.run(create())


@pytest.fixture
def studio(page):
    return page[1]


@pytest.fixture
def tab(page):
    return page[2]


@pytest.fixture
def handlers(service, page):
    tabs, studio, tab = page
    return HistoryHandlers(service, tab, studio, tabs, Visitors())


@pytest.fixture
def make(service, values):
    def make(prompt="a panda", owner="", **switches):
        job = service.submit({**values, "prompt": prompt, **switches}, owner)
        return service.wait(job.id, timeout=10)

    return make


def choose(handlers, job, compared=()):
    return handlers.choose(compared, gr.EventData(None, {"job": job.id}))


def test_the_newest_videos_are_shown_and_more_on_demand(handlers, tab, make):
    jobs = sorted((make() for _ in range(3)), key=lambda job: job.id)  # within one second
    updates = handlers.refresh("", False, 2, "")
    assert updates[tab.cards].index(jobs[2].id) < updates[tab.cards].index(jobs[1].id)
    assert jobs[0].id not in updates[tab.cards]
    assert updates[tab.more].visible
    updates = handlers.refresh("", False, 3, jobs[0].id)
    assert jobs[0].id in updates[tab.cards]
    assert not updates[tab.more].visible
    assert handlers.show_more(PAGE_SIZE) == 2 * PAGE_SIZE


def test_a_visitor_sees_own_videos_only(service, page, make):
    tabs, studio, tab = page
    mine, theirs = make(owner="me"), make(owner="them")
    cards = HistoryHandlers(service, tab, studio, tabs, Known("me")).refresh("", False, 9, "")
    assert mine.id in cards[tab.cards]
    assert theirs.id not in cards[tab.cards]


def test_search_and_stars_narrow_it_down(handlers, tab, make):
    fox, panda = make("a fox in snow"), make("a panda in snow")
    found = handlers.refresh("SNOW fox", False, 9, "")[tab.cards]
    assert fox.id in found
    assert panda.id not in found
    assert texts.NOTHING_FOUND in handlers.refresh("", True, 9, "")[tab.cards]
    assert handlers.star(panda.id)[tab.opened.star].value == texts.UNSTAR
    assert panda.id in handlers.refresh("", True, 9, "")[tab.cards]
    assert handlers.star(panda.id)[tab.opened.star].value == texts.STAR


def test_a_chosen_video_shows_its_newest_version_and_the_others(handlers, tab, make):
    job = make(smooth=True)
    updates = choose(handlers, job)
    assert updates[tab.opened.panel].visible
    assert updates[tab.opened.video].endswith("interpolation.view")
    assert updates[tab.opened.seed] == "7"
    assert [name for name, _ in updates[tab.opened.shown].choices] == ["First version", "Smooth"]
    assert "a panda" in updates[tab.opened.about]
    updates = handlers.show_version(job.id, "base", ())
    assert updates[tab.opened.video].endswith("base.view")


def test_what_is_deleted_is_gone_until_it_is_brought_back(handlers, tab, make):
    job = make()
    updates = handlers.delete(job.id)
    assert updates[tab.undo.row].visible
    assert not updates[tab.opened.panel].visible
    assert job.id not in handlers.refresh("", False, 9, "")[tab.cards]
    with pytest.raises(gr.Error, match="no such video"):
        choose(handlers, job)
    assert not handlers.undo(updates[tab.undo.gone])[tab.undo.row].visible
    assert job.id in handlers.refresh("", False, 9, "")[tab.cards]
    with pytest.raises(gr.Error, match="too late"):
        handlers.undo({"job_id": "20200101-000000-abc"})


def test_two_videos_are_shown_beside_each_other(handlers, tab, make):
    first, second = make("a fox"), make("a panda", smooth=True)
    compared = handlers.compare(first.id, "base", ())[tab.opened.compared]
    updates = choose(handlers, second, compared)
    pair = updates[tab.opened.pair].value
    assert pair.index(f"{first.id}/base.view") < pair.index(f"{second.id}/interpolation.view")
    assert not updates[tab.opened.video].visible
    updates = handlers.show_version(second.id, "base", compared)
    assert f"{second.id}/base.view" in updates[tab.opened.pair].value
    updates = handlers.compare(second.id, "base", compared)
    assert updates[tab.opened.compared] == ()
    assert updates[tab.opened.video].visible
    handlers.delete(first.id)
    assert choose(handlers, second, compared)[tab.opened.video].visible


def test_the_settings_of_a_video_fill_the_form(handlers, studio, service, make, page, capsys):
    job = make()
    settings = {"num_inference_steps": 3, "guidance_scale": 2.5, "scheduler": "ddim"}
    size = {"width": 64, "height": 40, "num_frames": 9}
    recipe = {"settings": {"base": settings | size}, "stages": ["base"], "negative_prompt": ""}
    job.results[0].metadata.update(recipe)
    service._store.update(job.id, results=job.results)
    updates = handlers.reuse(job.id, "base")
    form = studio.form
    assert updates[page[0]].selected == "text-to-video"
    assert (updates[form.prompt], updates[form.seed]) == ("a panda", "7")
    assert (updates[form.scheduler], updates[form.num_frames]) == ("ddim", 9)
    assert texts.RESTORED in capsys.readouterr().out


def test_going_on_hands_the_video_to_the_first_tab(handlers, studio, make):
    job = make()
    assert handlers.go_on(job.id)[studio.job_id] == job.id


@pytest.mark.parametrize("version", ["", "nothing", "interpolation", LATER_STAGES[-1]])
def test_a_version_that_is_not_there_is_refused_kindly(handlers, make, version):
    with pytest.raises(gr.Error, match="no such video"):
        handlers.export("gif", make().id, version)
