import asyncio
import json

import gradio as gr
import pytest

from app import texts
from app.handlers.settings import SettingsHandlers
from app.presets import PRESET_FIELDS
from app.request import FIELDS
from app.tabs.text_to_video import TAB_ID, create_text_to_video_tab
from app.visitors import Visitors
from tests.unit.app.known import Known

BASE = {"num_inference_steps": 3, "guidance_scale": 2.5, "scheduler": "ddim"}
RECIPE = {
    "stages": ["base"],
    "settings": {"base": {**BASE, "width": 64, "height": 40, "num_frames": 9}},
    "prompt": "a fox in snow",
    "negative_prompt": "",
    "seed": 5,
    "model": "another",
}


@pytest.fixture
def tab(card):
    async def create():  # in a loop of ours: Gradio would make one and leave it open
        with gr.Blocks(analytics_enabled=False):
            return create_text_to_video_tab(card, None)

    return asyncio.run(create())


@pytest.fixture
def tabs():
    async def create():
        with gr.Blocks(analytics_enabled=False):
            return gr.Tabs()

    return asyncio.run(create())


@pytest.fixture
def handlers(service, tab, tabs):
    return SettingsHandlers(service, tab, None, Visitors(), tabs)


@pytest.fixture
def settings(values):
    return [values[field] for field in PRESET_FIELDS]


@pytest.fixture(autouse=True)
def toasts(monkeypatch):
    """What pops up: Gradio has nobody to show it to here."""
    shown = []
    monkeypatch.setattr(gr, "Info", lambda sentence, duration: shown.append(sentence))
    monkeypatch.setattr(gr, "Warning", shown.append)
    return shown


def test_a_recipe_fills_the_form_shows_it_and_says_what_it_could_not(
    handlers, tab, tabs, toasts, tmp_path
):
    file = tmp_path / "recipe.json"
    file.write_text(json.dumps(RECIPE))
    updates = handlers.restore(str(file))
    assert updates[tab.form.prompt] == "a fox in snow"
    assert (updates[tab.form.seed], updates[tab.form.num_frames]) == ("5", 9)
    assert "“another”" in updates[tab.restored].value
    assert updates[tabs].selected == TAB_ID
    assert toasts == [texts.RESTORED]


def test_a_recipe_that_came_back_whole_leaves_no_note(handlers, tab, toasts, tmp_path, card):
    file = tmp_path / "recipe.json"
    own = {**card.own_settings["base"], **RECIPE["settings"]["base"]}
    whole = {**RECIPE, "model": card.name, "settings": {"base": own}, "fps": own.get("fps")}
    file.write_text(json.dumps(whole))
    assert not handlers.restore(str(file))[tab.restored].visible
    assert toasts == [texts.RESTORED]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"stages": 1}', "[" * 10_000, "\0"])
def test_a_file_that_is_no_recipe_gets_one_sentence(handlers, tab, toasts, tmp_path, content):
    file = tmp_path / "recipe.json"
    file.write_text(content)
    assert handlers.restore(str(file)) == {tab.sources.recipe_file: None}
    (sentence,) = toasts
    assert "recipe" in sentence or "cannot be read" in sentence


def test_what_a_file_says_is_text_in_what_pops_up(handlers, toasts, tmp_path):
    file = tmp_path / "recipe.json"
    file.write_text(json.dumps({**RECIPE, "seed": "<img src=http://stranger/x.png>"}))
    handlers.restore(str(file))
    assert "&lt;img" in toasts[0]
    assert "<" not in toasts[0]


def test_a_preset_fills_in_the_settings_but_not_the_words(handlers, tab):
    offered = handlers.offer_presets()[tab.sources.preset]
    assert [name for name, _ in offered.choices] == list(texts.PRESET_NAMES.values())
    updates = handlers.use_preset(texts.PRESET_NAMES["exact"])
    assert updates[tab.form.scheduler] == "ddpm"
    assert updates[tab.form.num_inference_steps] == 50
    assert tab.form.prompt not in updates
    assert not updates[tab.sources.delete_preset].interactive


def test_own_settings_are_saved_by_name_and_deleted(handlers, tab, settings, toasts):
    updates = handlers.save_preset("mine", None, *settings)
    assert updates[tab.sources.preset].value == "mine"
    assert toasts == [texts.PRESET_SAVED]
    updates = handlers.use_preset("mine")
    assert updates[tab.sources.delete_preset].interactive
    assert list(handlers.name_preset("mine")) == [tab.sources.delete_preset]
    assert not handlers.name_preset("min")[tab.sources.delete_preset].interactive
    assert [updates[getattr(tab.form, field)] for field in PRESET_FIELDS] == settings
    deleted = handlers.delete_preset("mine")
    assert "Deleted: “mine”" in deleted[tab.sources.undo.note]
    back = handlers.undo(deleted[tab.sources.undo.gone])
    assert back[tab.sources.preset].value == "mine"
    assert not back[tab.sources.undo.row].visible
    offered = handlers.delete_preset("mine")[tab.sources.preset]
    assert "mine" not in [name for name, _ in offered.choices]
    assert list(handlers.use_preset("mine")) == [tab.sources.delete_preset]


@pytest.mark.parametrize("name", [None, "", "Fast", "x" * 41])
def test_a_preset_needs_a_name_of_its_own(handlers, settings, name):
    with pytest.raises(gr.Error, match="name"):
        handlers.save_preset(name, None, *settings)


def test_visitors_have_presets_of_their_own(service, tab, tabs, settings):
    mine = SettingsHandlers(service, tab, None, Known("me"), tabs)
    theirs = SettingsHandlers(service, tab, None, Known("them"), tabs)
    mine.save_preset("mine", None, *settings)
    offered = theirs.offer_presets()[tab.sources.preset]
    assert "mine" not in [name for name, _ in offered.choices]


def test_what_was_typed_comes_back(handlers, tab, values):
    kept = {**values, "prompt": "a dragon", "seed": "twelve", "num_frames": 9, "smooth": True}
    updates = handlers.give_back(kept)
    assert {field: updates[getattr(tab.form, field)] for field in FIELDS} == kept


@pytest.mark.parametrize("kept", [None, {}, [], "x"])
def test_a_new_visitor_gets_nothing_back(handlers, tab, kept):
    assert handlers.give_back(kept) == {tab.form.prompt: gr.skip()}


def test_what_this_model_cannot_have_does_not_come_back(handlers, tab, card):
    updates = handlers.give_back({"prompt": 3, "width": 10**9, "scheduler": "x", "smooth": "yes"})
    assert (updates[tab.form.prompt], updates[tab.form.scheduler]) == ("", "dpm++")
    assert updates[tab.form.width] == card.ranges["width"].default
    assert updates[tab.form.smooth] is False


def test_a_surprise_is_a_sentence_that_the_model_knows(handlers, card):
    assert not card.unknown_words(handlers.surprise())


def test_a_late_answer_leaves_alone_what_was_typed_meanwhile(handlers, tab):
    updates = handlers.give_back({"prompt": "a panda", "num_inference_steps": 2})
    assert updates == {tab.form.prompt: "a panda", tab.form.num_inference_steps: 2}
