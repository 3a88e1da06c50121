import asyncio
import threading
from dataclasses import replace
from itertools import product
from pathlib import Path

import gradio as gr
import pytest

from app import texts
from app.handlers.models import ModelsHandlers
from app.model_card import read_model_card
from app.model_work import ModelWork
from app.models import InstalledModel, ModelLibrary, Offer
from app.policy import Policy
from app.service import Service
from app.tabs.models import create_models_tab
from app.ui import create_page
from lavie.errors import Cancelled, CheckpointError, InputError
from lavie.types import Progress

EVIL = "<img src=x onerror=alert(1)>{{ value }}${x}"
MINIATURE = InstalledModel("miniature", None, ("base",), 5, "free", "bundled", True, False)
MINE = InstalledModel(
    "/models/mine", Path("/models/mine"), ("base",), 2 * 10**9, "ask", "model folder", False, True
)
OFFER = Offer(
    "base", "LaVie", "a/b", ("c/d",), 4_460_000_000, 0, (("research only", "Ask first."),), ()
)


class FakeLibrary:
    """Models that are only told of; what makes one can be held up."""

    def __init__(self) -> None:
        self.models = [MINIATURE, MINE]
        self.num_bytes_here = 0
        self.is_offline = False
        self.custom_folders: tuple[Path, ...] = ()
        self.error: Exception | None = None
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.asked: list[tuple] = []

    def installed(self):
        return tuple(self.models)

    def offers(self):
        return (replace(OFFER, num_bytes_here=self.num_bytes_here),)

    def add_folder(self, text):
        if text == "/nowhere":
            raise InputError(texts.not_a_path(text), "path")
        self.custom_folders += (Path(text),)

    def remove_folder(self, text):
        self.custom_folders = tuple(f for f in self.custom_folders if str(f) != text)

    def delete(self, name):
        self.models = [model for model in self.models if model.name != name]

    def install(self, network, on_event, cancel):
        self.asked.append(("install", network))
        return self._make(on_event, cancel)

    def check_conversion(self, path, name, stable_diffusion):
        if path == "/nowhere":
            raise InputError(texts.not_a_path(path), "path")

    def convert(self, path, name, stable_diffusion, on_event, cancel):
        self.asked.append(("convert", path, name, stable_diffusion))
        return self._make(on_event, cancel)

    def _make(self, on_event, cancel):
        on_event(Progress("download", 1_000_000, 4_000_000, 3.0))
        while not self.may_go_on.wait(0.005):
            cancel.raise_if_cancelled()
        if self.error:
            raise self.error
        self.models.append(replace(MINE, name="/models/new", path=Path("/models/new")))
        return self.models[-1]


class FakeRestart:
    def __init__(self) -> None:
        self.flags = None

    def ask(self, flags):
        self.flags = flags


@pytest.fixture
def library():
    return FakeLibrary()


@pytest.fixture
def restart():
    return FakeRestart()


@pytest.fixture
def work():
    return ModelWork()


@pytest.fixture
def tab():
    async def create():  # in a loop of ours: Gradio would make one and leave it open
        with gr.Blocks(analytics_enabled=False), gr.Tabs(), gr.Tab() as tab:
            return create_models_tab(tab)

    return asyncio.run(create())


@pytest.fixture
def handlers(service, tab, library, work, restart):
    return ModelsHandlers(service, tab, library, work, restart)


def press(handlers, action, subject):
    return handlers.choose(gr.EventData(None, {"action": action, "subject": subject}))


def follow(handlers) -> list[dict]:
    async def collect():
        return [updates async for updates in handlers.follow()]

    return asyncio.run(collect())


def test_everything_is_told_of_every_model_as_text(handlers, tab, library):
    library.models.append(replace(MINE, name=EVIL, path=None, licence=EVIL))
    library.custom_folders = (Path(f"/{EVIL}"),)
    updates = handlers.refresh()
    shown = updates[tab.installed]
    for fact in ("mine", "First version", "2 GB", "ask", "/models/mine", "model folder"):
        assert fact in shown
    for text in (shown, updates[tab.folders]):
        assert "onerror" in text
        assert not any(mark in text for mark in ("<img", "{{", "${"))
    assert "4.46 GB" in updates[tab.offers]
    assert "a/b" in updates[tab.offers]


def test_only_what_was_made_here_is_deleted_and_only_when_that_is_confirmed(handlers, tab, library):
    asked = press(handlers, "delete", MINE.name)
    assert "2 GB" in asked[tab.question.text]
    assert MINE in library.models
    updates = handlers.answer_yes(asked[tab.question.asked])
    assert MINE not in library.models
    assert not updates[tab.question.panel].visible
    assert 'data-action="delete"' not in updates[tab.installed]
    with pytest.raises(gr.Error, match="no such model"):
        press(handlers, "delete", MINE.name)


def test_the_model_in_use_is_not_deleted(service, tab, library, work, monkeypatch):
    handlers = ModelsHandlers(service, tab, library, work)
    asked = press(handlers, "delete", MINE.name)[tab.question.asked]
    service._card = replace(service.card, name=MINE.name)
    assert 'data-action="delete"' not in handlers.refresh()[tab.installed]
    with pytest.raises(gr.Error, match="is in use"):
        handlers.answer_yes(asked)
    assert MINE in library.models


def test_a_download_begins_when_its_licences_are_accepted_and_is_followed(handlers, tab, library):
    question = press(handlers, "download", "base")
    for text in ("4.46 GB", "research only", "Ask first."):
        assert text in question[tab.question.text]
    assert library.asked == []
    assert handlers.answer_no()[tab.question.asked] == ()
    handlers.answer_yes(())
    assert library.asked == []

    library.may_go_on.clear()
    handlers.answer_yes(question[tab.question.asked])
    with pytest.raises(gr.Error, match="One thing at a time"):
        handlers.convert("/x.pt", "", "")
    threading.Timer(0.3, library.may_go_on.set).start()
    first, *_, last_work, lists = follow(handlers)  # as a page does that was loaded again
    assert "1 MB of 4 MB · about 3 s left" in first[tab.work]
    assert 'aria-valuenow="25"' in first[tab.work]
    assert "Done: /models/new" in last_work[tab.work]
    assert "/models/new" in lists[tab.installed]
    assert library.asked == [("install", "base")]
    assert handlers.stop()[tab.work_panel].visible is False  # it is put away
    assert len(follow(handlers)) == 1  # so are its lists


def test_a_download_is_stopped_and_the_next_one_goes_on(handlers, tab, library):
    library.may_go_on.clear()
    asked = press(handlers, "download", "base")[tab.question.asked]
    handlers.answer_yes(asked)
    assert "Stopping" in handlers.stop()[tab.work]
    assert "Stopped. What has come" in follow(handlers)[-2][tab.work]
    library.num_bytes_here = 1_000_000
    assert texts.GO_ON_DOWNLOADING in handlers.refresh()[tab.offers]
    started = handlers.answer_yes(asked)
    assert "1 MB of it are here already: it goes on" in started[tab.work]
    library.may_go_on.set()
    assert "Done" in follow(handlers)[-2][tab.work]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (CheckpointError("unet.pt arrived damaged: <b>"), "unet.pt arrived damaged: &lt;b&gt;"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (ZeroDivisionError("secret"), texts.MODEL_WORK_BROKE),
        (Cancelled("x"), texts.MODEL_WORK_CANCELLED),
    ],
)
def test_what_went_wrong_is_one_sentence_and_the_next_thing_works(
    handlers, tab, library, error, sentence
):
    library.error = error
    handlers.convert(" /x.pt ", " ", " mine ")
    work = follow(handlers)[-2][tab.work]
    assert sentence in work
    assert "secret" not in work
    library.error = None
    handlers.convert("/y.pt", "/sd", "")
    follow(handlers)
    assert library.asked[0] == ("convert", " /x.pt ", "mine", None)
    assert library.asked[1] == ("convert", "/y.pt", None, "/sd")


def test_what_cannot_be_converted_is_said_beside_it_and_begins_no_work(handlers, tab, library):
    library.error = CheckpointError("cut short")
    handlers.convert("/x.pt", "", "")
    follow(handlers)
    refused = handlers.convert("/nowhere", "", "")
    assert "is not on this machine" in refused[tab.convert_note].value
    assert refused[tab.work_panel].visible is False
    assert [asked[1] for asked in library.asked] == ["/x.pt"]
    begun = handlers.convert("/y.pt", "", "")
    assert begun[tab.convert_note].visible is False
    assert "/y.pt" in begun[tab.work]


def test_folders_are_added_and_removed(handlers, tab, library):
    assert "/more" in handlers.add_folder("/more")[tab.folders]
    refused = handlers.add_folder("/nowhere")
    assert refused.keys() == {tab.folder_note}
    assert "is not on this machine" in refused[tab.folder_note].value
    assert not handlers.add_folder("/more")[tab.folder_note].visible
    assert "/more" not in press(handlers, "forget", "/more")[tab.folders]


def test_nothing_is_downloaded_offline_and_that_is_said(handlers, tab, library):
    library.is_offline = True
    offers = handlers.refresh()[tab.offers]
    assert texts.OFFLINE in offers
    assert "<button" not in offers


def test_a_made_up_button_does_nothing_or_is_refused(handlers, library):
    subjects = ("", "x", None, 5, [], {"a": 1}, EVIL)
    for action, subject in product(("use", "delete", "download"), subjects):
        with pytest.raises(gr.Error) as caught:
            press(handlers, action, subject)
        assert "<img" not in str(caught.value)
    for action, subject in product(("forget", "x", None, []), subjects):
        press(handlers, action, subject)
    assert library.asked == []
    assert library.models == [MINIATURE, MINE]


def test_another_model_is_used_by_starting_again_when_nothing_is_to_be_done(
    handlers, tab, library, restart, work, service, runner, values, model_folder, wait_until
):
    library.models.append(replace(MINE, name=str(model_folder), path=model_folder))
    with pytest.raises(gr.Error, match="is not a folder"):
        press(handlers, "use", MINE.name)

    runner.may_go_on.clear()
    service.submit(values)
    with pytest.raises(gr.Error, match="Videos are being made or wait"):
        press(handlers, "use", str(model_folder))
    runner.may_go_on.set()
    wait_until(lambda: not service.queue())

    library.may_go_on.clear()
    handlers.convert("/x.pt", "", "")
    with pytest.raises(gr.Error, match="One thing at a time"):
        press(handlers, "use", str(model_folder))
    library.may_go_on.set()
    follow(handlers)

    service.use_profile("8gb")
    assert restart.flags is None
    assert str(model_folder) in press(handlers, "use", str(model_folder))[tab.restart]
    flags = {name: value for name, value in restart.flags.items() if value}
    assert flags == {"--model": str(model_folder), "--profile": "8gb"}
    without = {"--long-video", "--interpolation", "--super-resolution"}  # of the model before
    assert restart.flags.keys() - flags.keys() == without


def test_a_later_stage_alone_is_used_with_the_model_in_use(
    handlers, tab, library, restart, model_folder
):
    alone = model_folder / "interpolation"
    library.models.append(replace(MINE, name=str(alone), path=alone, stages=("interpolation",)))
    shown = handlers.refresh()[tab.installed]
    assert f"--interpolation {alone}" in shown
    assert texts.USE_STAGE in shown
    press(handlers, "use", str(alone))
    assert restart.flags == {"--interpolation": str(alone)}
    gone = replace(MINE, name="later", stages=("interpolation",))
    library.models.append(gone)
    with pytest.raises(gr.Error, match="is not a folder"):
        press(handlers, "use", "later")


def test_a_folder_of_several_later_stages_or_of_none_is_not_used_by_a_button(
    handlers, tab, library, restart
):
    several = replace(MINE, name="later", stages=("interpolation", "super_resolution"))
    library.models += [several, replace(MINE, name="strange", stages=())]
    shown = handlers.refresh()[tab.installed]
    assert "--interpolation later --super-resolution later" in shown
    assert "has no stage of this studio" in shown
    with pytest.raises(gr.Error, match="--interpolation later --super-resolution later"):
        press(handlers, "use", "later")
    with pytest.raises(gr.Error, match="has no stage of this studio"):
        press(handlers, "use", "strange")
    assert restart.flags is None


def test_where_the_server_cannot_start_again_the_command_is_told(service, tab, library, work):
    handlers = ModelsHandlers(service, tab, library, work)
    shown = handlers.refresh()[tab.installed]
    assert "--model" in shown
    assert 'data-action="use"' not in shown
    with pytest.raises(gr.Error, match="--model"):
        press(handlers, "use", MINE.name)


def test_the_profile_is_shown_and_holds_for_jobs_from_now_on(
    handlers, tab, service, runner, values
):
    assert handlers.refresh()[tab.profile] == "auto"
    service.wait(service.submit(values).id, 10)
    handlers.use_profile("12gb")
    service.wait(service.submit(values).id, 10)
    assert [task.profile for task in runner.tasks] == [None, "12gb"]
    assert handlers.refresh()[tab.profile] == "12gb"
    with pytest.raises(gr.Error, match="'<x>' is unknown|&lt;x&gt;"):
        handlers.use_profile("<x>")


@pytest.mark.parametrize("is_public", [True, False])
def test_there_is_no_such_tab_in_public(tmp_path, is_public, runner):
    from app.jobs.crew import ThreadCrew

    card = read_model_card("miniature")
    service = Service(card, ThreadCrew(runner), tmp_path, Policy(is_public=is_public))
    library = ModelLibrary(tmp_path / "models", tmp_path / "models.json")

    async def count():
        page, bare = create_page(service, library), create_page(service)
        return [
            [block for block in page.blocks.values() if "models" in str(block.elem_id)],
            [f for f in page.fns.values() if "ModelsHandlers" in str(f.fn)],
            len(page.fns) - len(bare.fns),
        ]

    blocks, functions, num_more = asyncio.run(count())
    assert bool(blocks) == bool(functions) == bool(num_more) == (not is_public)
    service._store.close()
