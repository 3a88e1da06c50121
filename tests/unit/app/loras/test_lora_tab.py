"""What happens when something on the tab Personalised LoRA is used."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from gradio.utils import get_upload_folder
from PIL import Image

from app.handlers.lora import create_lora_handlers
from app.loras.files import note_entry, training_folder
from app.loras.given_pictures import example_sets, key_of
from app.loras.service import Loras
from app.visitors import Visitors
from app.watching import Watching
from lora import opening
from lora.limits import MAX_CLASS_LENGTH, MAX_NAME_LENGTH, MAX_TRIGGER_LENGTH, TRIGGER_WORD
from tests.unit.app.loras.files import write_lora

WORDS = ["{}", "Biscuit", "bsctzq", "panda", "thing", "quick", False]


@pytest.fixture
def tab(lora_tab_and_tabs):
    return lora_tab_and_tabs[0]


@pytest.fixture
def handlers(service, lora_tab_and_tabs):
    tab, tabs = lora_tab_and_tabs
    return create_lora_handlers(service, tab, tabs, [], Visitors(), [])


@pytest.fixture
def upload(tmp_path, monkeypatch):
    """Puts a picture where the page puts what was uploaded."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))

    def upload(name="biscuit.png", side=96) -> str:
        path = Path(get_upload_folder()) / str(len(name)) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8)
        Image.fromarray(noise).save(path)
        return str(path)

    return upload


def told_of(updates, component):
    value = updates[component]
    return getattr(value, "value", value)


def messages(outcome):
    return [field["message"] for field in outcome if not field["is_valid"]]


def updates_of(events):
    async def collect():
        return [updates async for updates in events]

    return asyncio.run(collect())


def test_pictures_are_added_each_once_and_removed(handlers, tab, upload):
    first, second = upload(), upload("other.png", 97)
    told = handlers.form.add([first, second], [first])
    assert told[tab.form.pictures] == [first, second]
    assert told[tab.form.files] is None
    assert "2 pictures" in told[tab.form.table]
    event = SimpleNamespace(action="remove", subject=key_of(Path(first)))
    assert handlers.form.remove([first, second], event)[tab.form.pictures] == [second]


def test_too_few_pictures_are_said_but_no_reason_not_to_train(handlers, tab, upload):
    few = [upload()]
    assert "only 1 different picture." in handlers.form.add(few, [])[tab.form.table]
    assert not messages(handlers.form.check("", few, {}, *WORDS))
    enough = [*few, upload("other.png", 97), upload("a third.png", 98)]
    assert "different picture" not in handlers.form.add(enough, [])[tab.form.table]


def test_a_field_takes_no_more_than_the_rule(tab):
    longest = {"name": MAX_NAME_LENGTH, "token": MAX_TRIGGER_LENGTH, "class_word": MAX_CLASS_LENGTH}
    assert {field: getattr(tab.form, field).max_length for field in longest} == longest
    assert TRIGGER_WORD.fullmatch("z" * MAX_TRIGGER_LENGTH)
    assert not TRIGGER_WORD.fullmatch("z" * (MAX_TRIGGER_LENGTH + 1))


def test_only_what_was_uploaded_is_looked_at(handlers, tab, upload, tmp_path):
    own, secret = upload(), tmp_path / "secret.png"
    Image.new("RGB", (64, 64)).save(secret)
    kept = [own, str(secret), "/etc/passwd", f"{own}/../../secret.png", 7, "\0"]
    assert handlers.form.give_back({}, kept)[tab.form.pictures] == [own]
    for broken in (None, {}, "x", [[]]):
        assert handlers.form.give_back(broken, broken)[tab.form.pictures] == []


def test_the_form_is_given_back_as_it_was_where_it_makes_sense(handlers, tab):
    kept = {"name": "Biscuit", "kind": "monster", "effort": "quick", "token": 7, "other": "x"}
    told = handlers.form.give_back(kept, [])
    assert told[tab.form.name] == "Biscuit"
    assert tab.form.kind not in told
    assert tab.form.token not in told
    assert told[tab.form.effort].value == "quick"


def test_a_trigger_word_is_thought_of_until_one_is_typed(handlers, tab):
    told = handlers.form.suggest("Biscuit", "", "")
    assert told == {tab.form.token: "bsctzq", tab.form.suggested: "bsctzq"}
    assert handlers.form.suggest("Bo", "bsctzq", "bsctzq")[tab.form.token] == "bzqxz"
    assert tab.form.token not in handlers.form.suggest("Bo", "mine", "bsctzq")
    for typed, suggested in ((("Bo", "mine"), None), (("Bo", "bzqxz"), "bzqxz"), (("", ""), "")):
        told = handlers.form.give_back(dict(zip(("name", "token"), typed, strict=True)), [])
        assert told[tab.form.suggested] == suggested
    assert tab.form.token not in handlers.form.suggest("Bo", "", None)  # its word is on its way


def test_an_example_brings_its_own_trigger_word(service, lora_tab_and_tabs, tab):
    tabs, sets = lora_tab_and_tabs[1], example_sets()
    handlers = create_lora_handlers(service, tab, tabs, [], Visitors(), sets)
    told = handlers.form.use_example(SimpleNamespace(subject=sets[0].folder))
    assert told[tab.form.token] == sets[0].token
    name, token = told[tab.form.name], told[tab.form.token]
    assert tab.form.token not in handlers.form.suggest(name, token, told[tab.form.suggested])
    assert len(told[tab.form.pictures]) == len(sets[0].pictures)
    nothing = handlers.form.use_example(SimpleNamespace(subject="../.."))
    assert nothing == {tab.form.name: gr.skip()}


def test_what_is_wrong_is_said_beside_each_field(handlers, upload):
    outcome = handlers.form.check("", [], {}, *WORDS)
    assert len(outcome) == 3 + len(WORDS)
    assert "picture" in messages(outcome)[0]
    assert not outcome[3]["is_valid"]  # below the pictures
    unnamed = ["{}", "", "", *WORDS[3:]]
    assert len(messages(handlers.form.check("", [upload()], {}, *unnamed))) == 2


def test_a_picture_that_cannot_be_used_is_left_out(handlers, service, tab, upload):
    service.pause(True)
    good, tiny = upload(), upload("tiny.png", 8)
    handlers.form.submit("", [good, tiny], {}, None, *WORDS)
    (status,) = service.queue()
    assert [picture.name for picture in status.job.request.pictures] == ["biscuit.png"]


def test_a_click_decodes_each_picture_once_and_keeps_nothing_before_all_is_right(
    handlers, service, tab, upload, monkeypatch
):
    service.pause(True)
    decoded, decode = [], opening._decode

    def count(image, name, side):
        decoded.append(name)
        return decode(image, name, side)

    monkeypatch.setattr(opening, "_decode", count)
    picture = upload(side=98)
    handlers.form.add([picture], [])
    decoded.clear()
    assert not messages(handlers.form.check("", [picture], {}, *WORDS))
    assert decoded == []
    assert not (service.data / "given").exists()
    handlers.form.submit("", [picture], {}, None, *WORDS)
    assert decoded.count("biscuit.png") == 1  # to keep it


def test_a_training_is_shown_at_once_and_a_second_one_waits(handlers, service, tab, upload, capsys):
    service.pause(True)
    pictures = [upload()]
    told = handlers.form.submit("", pictures, {}, None, *WORDS)
    job_id = told[tab.training.job_id]
    assert service.knows(job_id)
    assert told[tab.training.panel].visible
    assert told[tab.form.trained] == {job_id: pictures}
    with pytest.raises(gr.Error, match="being learnt already"):  # the button pressed twice
        handlers.form.submit(job_id, pictures, {}, None, *WORDS)
    other = (WORDS[0], "Zog", *WORDS[2:])
    second = handlers.form.submit(job_id, pictures, {}, None, *other)
    assert tab.training.job_id not in second
    assert "Added: 2nd in the queue" in capsys.readouterr().out


def test_a_training_is_followed_to_its_end_and_found_again(handlers, service, tab, upload):
    job_id = handlers.form.submit("", [upload()], {}, None, *WORDS)[tab.training.job_id]
    shown = updates_of(handlers.following.resume_for(job_id, Watching()))
    assert "It has learnt." in shown[-1][tab.training.progress]
    again = updates_of(handlers.following.resume_for(job_id, Watching()))  # by a page loaded anew
    assert told_of(again[-1], tab.training.panel) is None or again[-1][tab.training.panel].visible
    assert not again[-1][tab.training.cancel].visible


def test_pictures_are_forgotten_once_they_are_learnt_unless_they_are_kept(
    handlers, service, tab, upload
):
    learnt, later = upload(), upload("other.png", 97)
    told = handlers.form.submit("", [learnt], {}, None, *WORDS)
    job_id = told[tab.training.job_id]
    service.wait(job_id, timeout=10)
    after = handlers.form.forget(told[tab.form.trained], [learnt, later])
    assert (after[tab.form.pictures], after[tab.form.trained]) == ([later], {})
    assert not Path(learnt).exists()
    kept = handlers.form.submit("", [later], {}, None, *WORDS[:-1], True)
    service.wait(kept[tab.training.job_id], timeout=10)
    after = handlers.form.forget(kept[tab.form.trained], [later])
    assert (after[tab.form.pictures], after[tab.form.trained]) == ([later], {})
    assert Path(later).exists()


def test_a_cancelled_training_takes_its_uploads_along_and_no_others(handlers, service, tab, upload):
    service.pause(True)
    files = [upload(), upload("other.png", 97)]
    ids, trained = [], {}
    for file, keeps in zip(files, (True, False), strict=True):
        told = handlers.form.submit("", [file], trained, None, *WORDS[:-1], keeps)
        trained = told[tab.form.trained]
        ids.append(told[tab.training.job_id])
    assert handlers.form.forget(trained, files) == {tab.form.table: gr.skip()}
    handlers.buttons.cancel(ids[0])
    after = handlers.form.forget(trained, files)
    assert after[tab.form.pictures] == files[1:]
    assert after[tab.form.trained] == {ids[1]: files[1:]}
    assert [Path(file).exists() for file in files] == [False, True]


def test_a_paused_training_goes_on_and_a_cancelled_one_is_gone(
    handlers, service, runner, tab, upload, wait_until
):
    runner.may_go_on.clear()
    job_id = handlers.form.submit("", [upload()], {}, None, *WORDS)[tab.training.job_id]
    wait_until(lambda: service.get(job_id).state == "running")
    handlers.buttons.pause(job_id)
    runner.may_go_on.set()
    assert service.wait(job_id, timeout=10).state == "cancelled"
    shown = updates_of(handlers.following.resume_for(job_id, Watching()))[-1]
    assert "Paused" in shown[tab.training.progress]
    assert shown[tab.training.retry].visible
    job = service.get(job_id)
    view = replace(handlers.following._loras.view(job), can_finish=True)
    finish = handlers.following._buttons(job, view)[tab.training.finish]
    assert (finish.visible, finish.interactive) == (True, True)
    handlers.buttons.retry(job_id)
    assert service.wait(job_id, timeout=10).state == "done"

    service.pause(True)
    job_id = handlers.form.submit("", [upload()], {}, None, *WORDS)[tab.training.job_id]
    gone = handlers.buttons.cancel(job_id)
    assert gone[tab.training.job_id] == ""
    assert service.get(job_id).deleted


def test_a_training_that_nobody_knows_is_said_to_be_lost(handlers, tab):
    (lost,) = updates_of(handlers.following.resume_for("20200101-000000-abc", Watching()))
    assert "no longer knows" in lost[tab.training.screen].value
    assert lost[tab.training.job_id] == ""


def test_the_queue_turns_to_a_training_and_to_nothing_else(handlers, service, tab, upload, values):
    service.pause(True)
    training = handlers.form.submit("", [upload()], {}, None, *WORDS)[tab.training.job_id]
    assert handlers.following.show_training(service.get(training))
    assert handlers.following.show_training(service.submit(values)) == {}


def test_a_comparison_has_one_seed_and_uses_what_was_made(handlers, service, tab):
    asked = ["a panda", "[]", ""]
    told = handlers.trying.compare("", None, *asked)
    with_it, without = told[tab.trying.job_id], told[tab.trying.compared]
    assert service.get(with_it).request.seed == service.get(without).request.seed
    service.wait(without, timeout=10)
    *_, last = updates_of(handlers.trying.following.resume_both(with_it, without, Watching()))
    html = last[tab.trying.pair].value
    assert html.index("With it") < html.index("Without it")
    again = handlers.trying.compare(with_it, None, *asked)
    assert again[tab.trying.job_id] == with_it
    other = handlers.trying.compare(with_it, None, "a fox", "[]", "7")
    assert other[tab.trying.job_id] != with_it


def test_a_video_is_asked_for_with_the_rules_of_the_first_tab(handlers, service, tab):
    assert len(messages(handlers.trying.check("", None, "", "[]", "many"))) == 2
    unknown = json.dumps([{"id": "0123456789abcdef", "weight": 1}])
    assert "no LoRA" in messages(handlers.trying.check("", None, "a panda", unknown, ""))[0]
    job_id = handlers.trying.make("", None, "a panda", "[]", "7")[tab.trying.job_id]
    assert service.get(job_id).request.seed == 7


def test_without_loras_the_list_says_so_and_no_choice_is_seen(handlers, tab):
    told = handlers.library.refresh("", "")
    assert "Nothing here yet" in told[tab.library.cards]
    assert not told[tab.library.trainings].visible
    assert not told[tab.trying.picker.choices].visible
    assert told[tab.trying.picker.chosen] == "[]"


def test_a_lora_that_is_gone_is_not_opened_again(handlers, tab):
    told = handlers.library.open_again("0123456789abcdef")
    assert told[tab.trying.opened] == ""
    with pytest.raises(gr.Error, match="no LoRA"):
        handlers.library.choose("", "", SimpleNamespace(subject="0123456789abcdef"))


def test_a_lora_that_was_deleted_elsewhere_is_no_error_on_every_load(
    handlers, service, tab, upload, tmp_path
):
    job_id = handlers.form.submit("", [upload()], {}, None, *WORDS)[tab.training.job_id]
    job = service.wait(job_id, timeout=10)
    loras = Loras(service)
    entry = loras.import_file(str(write_lora(tmp_path / "a.safetensors")), "Biscuit")
    training_folder(service.data / job.folder).mkdir(parents=True, exist_ok=True)
    note_entry(service.data / job.folder, entry.id)
    told = handlers.library.open_learnt(job_id, "")
    assert (told[tab.training.job_id], told[tab.trying.opened]) == ("", entry.id)
    loras.delete(entry.id)
    assert handlers.library.open_learnt(job_id, "") == {tab.training.job_id: ""}


def test_why_a_file_cannot_be_used_is_said_beside_the_field(handlers, tab, tmp_path):
    file = tmp_path / "text.safetensors"
    file.write_text("no tensors")
    told = handlers.library.import_file(str(file), "")
    assert told[tab.library.imported] is None
    assert told[tab.library.refused].visible
    assert 'role="alert"' in told[tab.library.refused].value


def test_a_file_that_is_in_the_list_is_opened_and_said_to_be_there(
    handlers, service, tab, tmp_path, monkeypatch
):
    said = []
    monkeypatch.setattr(gr, "Info", lambda sentence, duration: said.append(sentence))
    file = write_lora(tmp_path / "Biscuit.safetensors")
    first, again = (handlers.library.import_file(str(file), "") for _ in range(2))
    assert said == ["It can be used now.", "It is there already, as “Biscuit”."]
    assert again[tab.trying.opened] == first[tab.trying.opened]
    assert len(service.shelf.list("")) == 1


def test_of_a_download_one_copy_alone_is_left(handlers, service, tab, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    entry = service.shelf.registry.add(write_lora(tmp_path / "a.safetensors"), "Biscuit")
    before = sorted(service.data.rglob("*.safetensors"))
    told = handlers.library.export("kohya", entry.id)
    assert Path(told[tab.trying.export_file]).read_bytes() == entry.file.read_bytes()
    assert sorted(service.data.rglob("*.safetensors")) == before


def test_a_file_of_a_long_name_is_called_as_it_calls_itself(handlers, service, tmp_path):
    file = write_lora(tmp_path / f"{'long ' * 20}.safetensors", modelspec_title="Biscuit")
    handlers.library.import_file(str(file), "")
    assert [entry.name for entry in service.shelf.list("")] == ["Biscuit"]
