"""What the tab Long video says while somebody writes, and what its form is given back."""

import asyncio
import json
from dataclasses import replace

import gradio as gr
import pytest
from PIL import Image

from app import texts
from app.films import page
from app.films.check import FILM_FIELDS, film_ranges, windows_of
from app.films.parts import part_files
from app.films.restore import film_values
from app.films.service import Films
from app.handlers.film_following import FilmFollowing
from app.handlers.long_video import LongVideoHandlers
from app.tabs.long_video import TAB_ID, create_long_video_tab
from app.texts import films as films_texts
from app.visitors import Visitors
from lavie.pipelines.story import StoryLine
from tests.unit.app.files import A_FILM


@pytest.fixture
def tab(film_tab_and_tabs):
    return film_tab_and_tabs[0]


@pytest.fixture
def following(service, film_tab_and_tabs):
    return FilmFollowing(service, Films(service), *film_tab_and_tabs)


@pytest.fixture
def handlers(service, film_tab_and_tabs, following):
    tab, tabs = film_tab_and_tabs
    return LongVideoHandlers(service, Films(service), tab, tabs, Visitors(), following)


def rows(*lines):
    return json.dumps([{"prompt": prompt, "seconds": seconds} for prompt, seconds in lines])


def test_hints_and_length_are_told_while_a_line_is_still_empty(handlers, tab):
    story = rows(("a fox", 2), ("a purple panda", 4), ("", 2))
    told = handlers.read_form({"story": story})
    assert "Line 2: “purple” is new to this small model" in told[tab.note].value
    assert "6 seconds of film" in told[tab.cost]


def test_the_words_of_a_whole_story_are_told_of_once(handlers, tab):
    strange = [("a dragon over the castle", 2)] * 3
    lines = [("a fox", 2), *strange, ("a panda", 2), ("a wild dragon", 2), ("a tiny panda", 2)]
    told = handlers.read_form({"story": rows(*lines)})[tab.note].value
    assert told.startswith("Lines 2 to 4, 6 and 7: “dragon”, “castle”, “wild”, “tiny” are new to")
    assert told.count("python -m lavie convert") == 1
    assert len(told.split("\n\n")) == 1


def test_lines_that_are_too_long_are_told_of_once():
    one = films_texts.unread_words({2: ["over", "there"]})
    assert one.startswith("Line 2: The sentence is too long")
    assert films_texts.unread_words({2: ["there"], 5: ["here"]}) == (
        "Lines 2 and 5 are too long for this model. It will not read their ends."
    )


@pytest.mark.parametrize(
    ("field", "name", "way_out"),
    [
        ("picture", "a.png", "Give a PNG, JPEG or WebP."),
        ("end_picture", "a.png", "Give a PNG, JPEG or WebP."),
        ("video", "a.mp4", "Give an MP4, MKV or WebM that plays elsewhere."),
    ],
)
def test_a_broken_file_is_taken_out_of_its_box_at_once(
    handlers, tmp_path, monkeypatch, field, name, way_out
):
    said = []
    monkeypatch.setattr(gr, "Warning", said.append)
    (tmp_path / name).write_text("a text")
    assert handlers.check_file(field, {"path": str(tmp_path / name)}) is None
    (sentence,) = said
    assert sentence.endswith(f"it is broken, or not what its name says. {way_out}")


def test_a_file_that_can_be_used_stays_in_its_box(handlers, tmp_path):
    Image.new("RGB", (64, 40)).save(tmp_path / "a.png")
    assert handlers.check_file("picture", {"path": str(tmp_path / "a.png")}) == gr.skip()
    assert handlers.check_file("picture", None) == gr.skip()


def stopped(service, num_parts):
    """A film of three parts that was stopped when so many were there."""
    service.pause(True)
    film = service.add(replace(A_FILM, story=(StoryLine("a fox", 2.0), StoryLine("a panda", 2.0))))
    for index in range(num_parts):
        latents = part_files(service.data / film.folder, index).latents
        latents.parent.mkdir(parents=True, exist_ok=True)
        latents.touch()
    service.cancel(film.id)
    return service.get(film.id)


@pytest.mark.parametrize(
    ("num_parts", "label", "sentence"),
    [
        (0, texts.TRY_AGAIN, "Stopped before the first part was done. “Try again” begins it anew."),
        (1, texts.GO_ON, "Stopped. The film so far is kept."),
    ],
)
def test_a_stopped_film_says_what_its_button_does(
    service, following, tab, num_parts, label, sentence
):
    told = following.show(stopped(service, num_parts))
    button, note = told[tab.result.retry], told[tab.result.progress].value
    assert (button.visible, button.value) == (True, label)
    assert sentence in note
    assert films_texts.GO_ON_INFO in note
    assert ("of 3 parts" in told[tab.result.timeline].value) == (num_parts > 0)
    assert label in texts.interrupted(has_results=num_parts > 0)


def test_a_redo_of_the_first_part_says_that_nothing_is_kept(service, following):
    film = following._films.view(stopped(service, 2))
    assert films_texts.REDO_WHOLE_INFO in page.redo_note(film, 0)
    assert films_texts.REDO_INFO in page.redo_note(film, 1)


@pytest.mark.parametrize("kept", [None, [], {"story": 7}, {"story": "["}, {"story": "[1]"}])
def test_whatever_a_browser_kept_breaks_nothing(handlers, tab, kept):
    assert handlers.read_form(kept)[tab.cost] == ""
    handlers.give_back(kept, "")


def test_the_form_is_given_back_as_it_was(handlers, tab):
    kept = {"story": rows(("a fox", 3)), "seed": "7", "begin": "picture"}
    told = handlers.give_back(kept, "")
    assert (told[tab.form.story], told[tab.form.seed]) == (kept["story"], "7")
    assert told[tab.form.begin] == "picture"
    assert told[tab.form.picture].visible


def test_a_video_that_was_given_is_asked_for_again_as_a_picture_is(handlers, tab):
    told = handlers.give_back({"begin": "video"}, "")
    assert (told[tab.form.begin], told[tab.form.video].visible) == ("video", True)
    assert not told[tab.source_bar].visible
    assert handlers.give_back({"begin": "sound"}, "")[tab.form.begin] == "nothing"


def test_a_video_that_was_made_here_is_gone_on_from_as_long_as_it_is_there(
    service, handlers, tab, values
):
    job = service.wait(service.submit(values).id, 10)
    job.results[0].frames.touch()
    told = handlers.give_back({"begin": "video"}, job.id)
    assert told[tab.source_bar].visible
    assert "Goes on from: “a panda”" in told[tab.source_note]
    assert tab.source not in told
    service.delete(job.id)
    for gone in (job.id, "no-such-job", 7):
        told = handlers.give_back({"begin": "video"}, gone)
        assert (told[tab.source], told[tab.source_bar].visible) == ("", False)
        assert (told[tab.form.begin], told[tab.form.video].visible) == ("video", True)


def test_a_film_is_made_again_from_a_page_whose_form_is_empty(service, handlers, tab):
    service.pause(True)
    film = service.add(A_FILM)
    told = handlers.redo(film.id, 0, rows(("", 2)))
    *_, status = service.queue()
    assert status.job.request.story == A_FILM.story
    assert json.loads(told[tab.form.story])[0]["prompt"] == "a panda"


def test_changed_lines_are_used_from_the_part_on_and_all_stay_typed(
    service, handlers, tab, monkeypatch
):
    said = []
    monkeypatch.setattr(gr, "Info", lambda sentence, duration: said.append(sentence))
    service.pause(True)
    story = tuple(StoryLine(prompt, 2.0) for prompt in ("a fox", "a panda"))
    film = service.add(replace(A_FILM, story=story))
    latents = part_files(service.data / film.folder, 0).latents
    latents.parent.mkdir(parents=True, exist_ok=True)
    latents.touch()
    told = handlers.redo(film.id, 1, rows(("a fox", 2), ("snow", 1)))
    assert [row["prompt"] for row in json.loads(told[tab.form.story])] == ["a fox", "snow"]
    assert films_texts.BEGINNING_KEPT not in said
    told = handlers.redo(film.id, 1, rows(("an ocean", 2), ("snow", 1)))
    assert [row["prompt"] for row in json.loads(told[tab.form.story])] == ["an ocean", "snow"]
    assert [s.job.request.story[1].prompt for s in service.queue()][-2:] == ["snow", "snow"]
    assert said.count(films_texts.BEGINNING_KEPT) == 1


def test_a_recipe_fills_in_the_form_and_says_what_is_missing(handlers, film_tab_and_tabs):
    tab, tabs = film_tab_and_tabs
    own = {"num_given": 3, "num_inference_steps": 9, "guidance_scale": 5.0}
    own |= {"begins_with": "picture", "ends_with": None}
    recipe = {
        "stages": ["long_video", "interpolation"],
        "settings": {"long_video": own, "interpolation": {"num_inference_steps": 2}},
        "prompt": "a fox",
        "seed": 11,
        "story": [{"prompt": "a fox", "seconds": 2, "seed": 2**62}],
        "fps": 8,
    }
    told = handlers.fill_in(recipe)
    form = tab.form
    assert told[tabs].selected == TAB_ID
    assert json.loads(told[form.story]) == [{"prompt": "a fox", "seconds": 2, "seed": str(2**62)}]
    assert (told[form.seed], told[form.overlap], told[form.num_inference_steps]) == ("11", 3, 9)
    assert (told[form.smooth], told[form.smoothing_steps]) == (True, 2)
    assert "Give them again" in told[tab.restored].value
    assert (told[form.ends], told[form.end_picture].visible) == (False, False)


@pytest.mark.parametrize(
    ("changes", "notes"),
    [
        ({}, []),
        ({"scheduler": "euler", "height": 32}, ["this page does not offer: scheduler, height."]),
        ({"num_given": 0, "way": "free_noise"}, ["this page does not offer: way."]),
    ],
)
def test_what_the_form_of_films_has_no_control_for_is_said(card, changes, notes):
    windows, scheduler = windows_of(card), card.own_settings["long_video"]["scheduler"]
    own = {"height": windows.height, "width": windows.width, "scheduler": scheduler}
    own |= {"num_given": 3, "way": "recursion", "begins_with": "text", "ends_with": None} | changes
    story = [{"prompt": "a fox", "seconds": 2}]
    recipe = {"stages": ["long_video"], "settings": {"long_video": own}, "story": story, "seed": 1}
    values, said = film_values(recipe | {"model": card.name}, card)
    assert [note.rpartition(" that ")[2] for note in said] == notes
    assert values.get("overlap") == (own["num_given"] or None)


def test_a_film_made_at_once_is_restored_where_films_are_made_at_once(card):
    own = {"num_given": 0, "way": "free_noise", "begins_with": "text", "ends_with": None}
    story = [{"prompt": "a fox", "seconds": 2}]
    recipe = {"stages": ["long_video"], "settings": {"long_video": own}, "story": story, "seed": 1}
    alone = replace(card, stages=("base",))
    assert film_values(recipe | {"model": card.name}, alone)[1] == []


@pytest.mark.parametrize(("seed", "kept"), [("", [None, None]), ("3", [7, None])])
def test_lines_keep_the_seeds_of_a_film_as_long_as_the_form_has_its_seed(
    service, handlers, card, seed, kept
):
    story = [{"prompt": "a fox", "seconds": 2, "seed": "7"}, {"prompt": "a panda", "seconds": 2}]
    usual = {name: limits.default for name, limits in film_ranges(card).items()}
    switches = {"smooth": False, "upscale": False, "ends": False}
    values = {**usual, **switches, "story": json.dumps(story), "begin": "nothing", "seed": seed}
    service.pause(True)
    typed = [{"negative_prompt": "", **values}.get(field) for field in FILM_FIELDS]
    handlers.submit("", "", None, *typed)
    (status,) = service.queue()
    assert [line.seed for line in status.job.request.story] == kept


@pytest.mark.parametrize("goes_on", [True, False])
def test_the_page_says_how_films_are_made(card, goes_on):
    async def shown():
        with gr.Blocks(analytics_enabled=False) as blocks:
            create_long_video_tab(card if goes_on else replace(card, stages=("base",)), None)
        return [block for block in blocks.blocks.values() if block.elem_id == "film-way"]

    (way,) = asyncio.run(shown())
    assert (films_texts.GOES_ON_FROM_FRAMES in way.value) == goes_on
    assert (films_texts.AT_ONCE in way.value) == (not goes_on)
