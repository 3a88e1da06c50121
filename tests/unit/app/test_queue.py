import asyncio
import re
from types import SimpleNamespace

import gradio as gr
import pytest

from app import queue_view, texts
from app.films.service import Films
from app.handlers.editing import Editor
from app.handlers.film_following import FilmFollowing
from app.handlers.lora_training import TrainingFollowing
from app.handlers.queue import QueueHandlers
from app.handlers.text_to_video import create_text_to_video_handlers
from app.jobs.crew import ThreadCrew
from app.loras.service import Loras
from app.policy import Policy
from app.request import FIELDS
from app.service import Service
from app.tabs.long_video import TAB_ID
from app.visitors import Visitors
from app.watching import Watching
from tests.unit.app.files import A_FILM
from tests.unit.app.test_gallery import HOSTILE
from tests.unit.app.test_handlers import create_tab


@pytest.fixture
def tab(card):
    return create_tab(card)


@pytest.fixture
def editor(service, tab):
    return Editor(service, tab, Visitors())


@pytest.fixture
def studio(service, tab, editor):
    return create_text_to_video_handlers(service, tab, None, Visitors(), editor)


@pytest.fixture
def films(service, film_tab_and_tabs):
    return FilmFollowing(service, Films(service), *film_tab_and_tabs)


@pytest.fixture
def trainings(service, lora_tab_and_tabs):
    tab, tabs = lora_tab_and_tabs
    return TrainingFollowing(service, Loras(service), tab.training, tabs, Visitors())


@pytest.fixture
def handlers(service, tab, studio, editor, films, trainings):
    return QueueHandlers(service, tab, Visitors(), studio.following, editor, films, trainings)


@pytest.fixture
def held(service):
    """A service that begins nothing."""
    service.pause(True)
    return service


@pytest.fixture
def press(handlers):
    def press(action, job_id="", edited=None, kept=None, watching=None):
        event = SimpleNamespace(action=action, job=job_id)
        return handlers.use(edited or {}, kept or {}, watching or Watching(), event)

    return press


def buttons(html):
    return re.findall(r'data-action="(\w+)" data-job="([^"]*)"', html)


def test_the_job_that_is_watched_anyway_is_no_queue(service, runner, values, wait_until):
    runner.may_go_on.clear()
    job = service.submit(values)
    wait_until(lambda: service.get(job.id).state == "running")
    assert queue_view.queue(service.queue(), watched=job.id) == ""
    other = queue_view.queue(service.queue(), watched="")
    assert "progressbar" in other
    assert "0 waiting" not in other
    assert queue_view.queue([], watched="") == ""


def test_every_job_has_its_place_what_it_makes_and_its_buttons(service, runner, values, wait_until):
    runner.may_go_on.clear()
    running, second, third = (service.submit({**values, "smooth": True}).id for _ in range(3))
    wait_until(lambda: service.get(running).state == "running")
    html = queue_view.queue(service.queue(), watched=running)
    assert "Queue · 2 waiting" in html
    assert "Smooth · 61 frames · 64×40 px" in html
    assert "2nd in the queue" in html
    assert "3rd in the queue" in html
    everything = [(action, second) for action in ("show", "edit", "up", "down", "remove")]
    everything += [(action, third) for action in ("show", "edit", "up", "down", "remove")]
    assert buttons(html) == [("pause", ""), ("cancel", running), *everything]
    assert html.count('aria-disabled="true"') == 2  # the first one's up, the last one's down


def test_a_visitor_neither_moves_jobs_nor_stops_the_queue(held, values):
    jobs = [held.submit(values).id for _ in range(2)]
    html = queue_view.queue(held.queue(), watched="", is_steered=False)
    assert {action for action, _ in buttons(html)} == {"show", "edit", "remove"}
    assert {job for _, job in buttons(html)} == set(jobs)


def test_a_prompt_in_the_queue_is_text(held, values):
    job = held.submit({**values, "prompt": HOSTILE})
    for html in (queue_view.queue(held.queue(), watched=""), queue_view.edit_note(job)):
        for steering in ("<img src=x", "${", "{{", "\"' panda"):
            assert steering not in html


def test_a_stage_for_a_finished_video_can_be_removed_but_not_edited(service, values, tab, press):
    first = service.wait(service.submit(values).id, timeout=10)
    service.pause(True)
    stage = service.submit_next(first.id, "base", "interpolation", 5)
    html = queue_view.queue(service.queue(), watched="", is_paused=True)
    assert buttons(html) == [("go_on", ""), ("show", stage.id), ("remove", stage.id)]
    with pytest.raises(gr.Error, match="cannot be changed"):
        press("edit", stage.id)
    press("remove", stage.id)
    assert service.queue() == []


def test_jobs_move_up_and_down(held, values, press):
    first, second, third = (held.submit(values).id for _ in range(3))
    press("up", third)
    assert [status.job.id for status in held.queue()] == [first, third, second]
    press("down", first)
    assert [status.job.id for status in held.queue()] == [third, first, second]
    press("up", third)
    assert held.queue()[0].job.id == third


def test_what_was_removed_comes_back_to_its_place(held, values, tab, press, handlers):
    first, second, third = (held.submit(values).id for _ in range(3))
    removed = press("remove", second)
    assert removed[tab.queue.undo.row].visible
    assert "Removed: “a panda”" in removed[tab.queue.undo.note]
    assert [status.job.id for status in held.queue()] == [first, third]
    back = handlers.undo(removed[tab.queue.undo.gone], Watching())
    assert not back[tab.queue.undo.row].visible
    assert second in back[tab.queue.jobs].value
    assert [status.job.id for status in held.queue()] == [first, second, third]
    press("remove", second)
    assert not press("up", third)[tab.queue.undo.row].visible
    with pytest.raises(gr.Error, match="no job"):
        handlers.undo({}, Watching())


def test_the_job_that_is_in_the_form_is_marked(held, values, tab, press, handlers):
    job = held.submit(values)
    watching = Watching()
    edited = press("edit", job.id, kept=values)[tab.edit.edited]
    assert texts.BEING_CHANGED in handlers.mark(edited, watching)[tab.queue.jobs].value
    assert texts.BEING_CHANGED in press("up", job.id, watching=watching)[tab.queue.jobs].value
    assert texts.BEING_CHANGED not in handlers.mark({}, watching)[tab.queue.jobs].value


def test_the_queue_stops_and_goes_on(service, tab, press):
    assert texts.QUEUE_GO_ON in press("pause")[tab.queue.jobs].value
    assert service.is_paused
    assert not press("go_on")[tab.queue.jobs].visible
    assert not service.is_paused


def test_what_is_gone_is_said_kindly(press):
    for action in ("show", "edit", "up", "remove", "nonsense"):
        with pytest.raises(gr.Error, match="no job"):
            press(action, "20200101-000000-abc")


def test_a_shown_job_is_the_one_that_the_page_watches(held, values, tab, press):
    job = held.submit(values)
    updates = press("show", job.id)
    assert updates[tab.job_id] == job.id
    assert "1st in the queue, which is stopped" in updates[tab.result.progress].value


def test_a_film_is_shown_on_its_own_tab(held, films, tab, press):
    job = held.add(A_FILM)
    updates = press("show", job.id)
    assert tab.job_id not in updates
    tabs, job_id, *_ = films.turned()
    assert (updates[tabs].selected, updates[job_id]) == (TAB_ID, job.id)


def test_what_ran_when_the_server_stopped_is_listed_until_it_is_gone_on_with(
    held, values, tab, press, handlers
):
    jobs = [held.submit(values).id for _ in range(2)]
    for job in jobs:
        held._store.update(job, state="interrupted")
    assert held.queue() == []
    html = press("show", jobs[0])[tab.queue.jobs].value
    assert html.count(texts.WAS_INTERRUPTED) == 2
    assert [action for action, job in buttons(html) if job == jobs[1]] == [
        "show",
        "retry",
        "remove",
    ]
    removed = press("remove", jobs[1])
    assert [job.id for job in held.interrupted()] == jobs[:1]
    handlers.undo(removed[tab.queue.undo.gone], Watching())
    assert [job.id for job in held.interrupted()] == jobs
    press("retry", jobs[1])
    assert [status.job.id for status in held.queue()] == jobs[1:]
    assert [job.id for job in held.interrupted()] == jobs[:1]


def test_the_form_is_lent_to_a_job_and_given_back(held, values, tab, editor, studio, press, capsys):
    job = held.submit({**values, "seed": "5"})
    typed = {**values, "prompt": "a fox", "seed": ""}
    lent = press("edit", job.id, kept=typed)
    assert (lent[tab.form.prompt], lent[tab.form.seed]) == ("a panda", "5")
    assert lent[tab.generate].value == texts.SAVE_CHANGES
    edited = lent[tab.edit.edited]
    changed = {**values, "prompt": "a panda in the snow", "seed": "5"}
    saved = studio.asking.submit(
        "", edited, Watching(), None, *[changed[field] for field in FIELDS]
    )
    assert held.get(job.id).request.prompt == "a panda in the snow"
    assert texts.CHANGES_SAVED in capsys.readouterr().out
    assert (saved[tab.form.prompt], saved[tab.edit.edited]) == ("a fox", {})
    assert saved[tab.generate].value == texts.GENERATE
    again = press("edit", job.id, edited=edited, kept=changed)
    assert editor.leave(again[tab.edit.edited])[tab.form.prompt] == "a fox"
    removed = press("remove", job.id, edited=edited)
    assert removed[tab.form.prompt] == "a fox"


def test_changes_that_come_too_late_stay_in_the_form(service, runner, values, tab, studio, press):
    service.pause(True)
    job = service.submit(values)
    edited = press("edit", job.id, kept=values)[tab.edit.edited]
    service.pause(False)
    service.wait(job.id, timeout=10)
    with pytest.warns(UserWarning, match="being made already"):
        late = studio.asking.submit(
            "", edited, Watching(), None, *[values[field] for field in FIELDS]
        )
    assert late[tab.edit.edited] == {}
    assert tab.form.prompt not in late


def test_what_is_wrong_with_changes_is_said_and_they_go_on(held, values, tab, studio, press):
    job = held.submit(values)
    edited = press("edit", job.id, kept=values)[tab.edit.edited]
    with pytest.raises(gr.Error, match="prompt is empty"):
        studio.asking.submit(
            "", edited, Watching(), None, *[{**values, "prompt": ""}[field] for field in FIELDS]
        )


@pytest.mark.parametrize("edited", [{"job_id": "gone"}, {"job_id": 3}, [1], "x", {}, None])
def test_an_edit_that_a_browser_kept_is_only_trusted_if_it_makes_sense(editor, tab, edited):
    assert tab.edit.bar not in editor.resume(edited)
    assert editor.leave(edited)[tab.form.prompt] == ""


def test_the_edit_is_found_again_after_a_reload(held, values, tab, editor):
    job = held.submit(values)
    assert editor.resume({"job_id": job.id})[tab.edit.bar].visible


def test_the_queue_is_told_as_it_changes_and_then_no_more(service, runner, values, handlers, tab):
    async def scenario():
        told = []
        async for updates in handlers.follow(Watching()):
            told.append(updates)
            runner.may_go_on.set()
        return told

    runner.may_go_on.clear()
    service.submit(values)
    first, *_, emptied, last = asyncio.run(scenario())
    assert first[tab.queue.jobs].visible
    assert not emptied[tab.queue.jobs].visible
    assert not last[tab.queue.timer].active


def test_in_public_everybody_sees_his_own_jobs_with_their_place_among_all(
    card, runner, tmp_path, values, wait_until
):
    service = Service(card, ThreadCrew(runner), tmp_path / "public", Policy(is_public=True))
    service.start()
    runner.may_go_on.clear()
    try:
        running = service.submit(values, "anna").id
        wait_until(lambda: service.get(running).state == "running")
        service.submit(values, "bert")
        service.submit(values, "anna")
        html = queue_view.queue(service.queue("anna"), watched=running, is_steered=False)
        assert "2nd in" not in html
        assert "3rd in the queue" in html
    finally:
        runner.may_go_on.set()
        service.stop()
