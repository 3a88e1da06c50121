"""The tab Long video as its users meet it. Nothing depends on the pictures."""

import json
import re

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from lavie.media import read_metadata, read_video
from tests.ui.test_text_to_video import download, set_number

pytestmark = pytest.mark.ui

STORY = ("a fox in the snow", "a fox over the ocean", "a fox in the city")
SECONDS = 0.75


@pytest.fixture
def page(open_page) -> Page:
    return open_tab(open_page())


def open_tab(page: Page) -> Page:
    page.get_by_role("tab", name="Long video").click()
    expect(line(page, 1)).to_be_visible()
    return page


def line(page: Page, number: int):
    return page.get_by_label(f"Line {number}: what happens")


def write_story(page: Page, prompts=STORY, seconds: float = SECONDS) -> None:
    for number, prompt in enumerate(prompts, start=1):
        if number > 1:
            page.get_by_role("button", name="Add a line").click()
        line(page, number).fill(prompt)
        page.get_by_label(f"Line {number}: seconds").fill(str(seconds))


def make(page: Page, steps: int) -> None:
    set_number(page, "film-num_inference_steps", steps)
    page.get_by_role("button", name="Make the film").click()


def part(page: Page, number: int):
    return page.get_by_role("button", name=re.compile(f"^Part {number} of "))


def is_done(page: Page, number: int) -> None:
    expect(part(page, number).locator("img")).to_have_count(1)


def wait_for_film(page: Page) -> None:
    expect(page.get_by_role("button", name="Download MP4")).to_be_visible()
    expect(page.locator("#film-stop")).to_be_disabled()


def test_a_story_grows_to_a_film_whose_end_is_redone_and_found_again(page, server, tmp_path):
    write_story(page)
    make(page, steps=20)
    is_done(page, 1)  # the film so far plays before the rest is there
    expect(page.locator("#film-stop")).to_be_enabled()
    expect(page.locator("#film-player video.front")).to_be_visible()
    page.wait_for_function("document.querySelector('#film-player video.front').currentTime > 0.1")
    wait_for_film(page)
    num_parts = page.locator("[data-part]").count()
    is_done(page, num_parts)
    expect(page.locator(".timeline-prompt")).to_have_text(
        [f"{number} · {prompt}" for number, prompt in enumerate(STORY, start=1)]
    )
    first = download(page, "MP4, true size", tmp_path)
    recipe = json.loads(download(page, "Recipe", tmp_path).read_text())
    assert recipe == read_metadata(first)
    assert [row["prompt"] for row in recipe["story"]] == list(STORY)
    num_frames = sum(row["num_frames"] for row in recipe["parts"])
    assert len(read_video(first).frames) == num_frames == 18

    part(page, num_parts).click()
    page.get_by_role("button", name="Redo from here").click()
    expect(page.locator("#film-stop")).to_be_enabled()
    is_done(page, num_parts - 1)  # what is before it is there at once
    context = page.context
    page.close()  # the film goes on without the tab

    page = context.new_page()
    page.goto(server.url)
    open_tab(page)
    wait_for_film(page)
    again = read_metadata(download(page, "MP4, true size", tmp_path))
    assert again["parts"][:-1] == [
        {**told, "line": new["line"]}
        for told, new in zip(recipe["parts"][:-1], again["parts"], strict=False)
    ]
    assert again["parts"][-1]["seed"] != recipe["parts"][-1]["seed"]


def test_a_stopped_film_is_kept_and_gone_on_with(page, tmp_path):
    write_story(page)
    make(page, steps=30)
    is_done(page, 1)
    page.keyboard.press("Escape")
    expect(page.get_by_text("Stopped. The film so far is kept.")).to_be_visible()
    so_far = len(read_video(download(page, "MP4, true size", tmp_path)).frames)
    assert 0 < so_far < 18
    page.get_by_role("button", name="Go on", exact=True).click()
    is_done(page, page.locator("[data-part]").count())
    wait_for_film(page)
    assert len(read_video(download(page, "MP4, true size", tmp_path)).frames) == 18


def test_lines_are_moved_removed_and_pasted_with_the_keys(page):
    write_story(page)
    page.get_by_role("button", name="Move line 3 up").press("Enter")
    expect(line(page, 2)).to_have_value(STORY[2])
    expect(page.get_by_role("button", name="Move line 2 up")).to_be_focused()
    page.get_by_role("button", name="Remove line 1").press("Enter")
    expect(line(page, 1)).to_have_value(STORY[2])
    line(page, 2).press("Enter")
    expect(line(page, 3)).to_be_focused()
    line(page, 3).fill("a rocket over the city")
    page.reload()
    open_tab(page)
    expect(line(page, 3)).to_have_value("a rocket over the city")  # what was typed is kept


def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_lost(page, tmp_path):
    (tmp_path / "text.png").write_text("a text, no picture")
    line(page, 1).fill("dragons everywhere")
    page.get_by_text("A picture", exact=True).click()
    page.locator("#film-picture input[type=file]").set_input_files(tmp_path / "text.png")
    expect(page.locator("#film-picture img")).to_have_count(1)
    page.get_by_role("button", name="Make the film").click()
    for sentence in ("Line 1 of the story: This small model knows none", "broken, or not what"):
        said = page.locator(".validation-error, #film-mistakes").get_by_text(sentence)
        said = said.or_(page.locator(".validation-error, #film-mistakes", has_text=sentence))
        expect(said.locator("visible=true").first).to_be_visible()
    expect(line(page, 1)).to_have_value("dragons everywhere")


def test_a_recipe_brings_the_story_back_and_a_picture_comes_to_life(page, tmp_path):
    Image.new("RGB", (96, 64), "red").save(tmp_path / "red.png")
    write_story(page, STORY[:1], seconds=0.5)
    page.get_by_text("A picture", exact=True).click()
    page.locator("#film-picture input[type=file]").set_input_files(tmp_path / "red.png")
    expect(page.locator("#film-picture img")).to_have_count(1)
    make(page, steps=1)
    wait_for_film(page)
    film = download(page, "MP4, true size", tmp_path)
    assert len(read_video(film).frames) == 5  # the picture and four new ones
    line(page, 1).fill("something else")
    page.locator("#film-recipe input[type=file]").set_input_files(film)
    expect(line(page, 1)).to_have_value(STORY[0])
    expect(page.get_by_text("Give them again")).to_be_visible()

    page.get_by_role("tab", name="Your videos").click()
    page.locator(".card").first.click()
    page.get_by_role("button", name="Make it longer").click()
    expect(page.get_by_text(f"Goes on from: “{STORY[0]}”")).to_be_visible()
    make(page, steps=1)
    expect(page.locator(".timeline-prompt").first).to_have_text("Your video")
    wait_for_film(page)
    assert len(read_video(download(page, "MP4, true size", tmp_path)).frames) == 9


@pytest.mark.parametrize("look", ["light", "dark"])
def test_the_tab_fits_a_phone_and_is_easy_to_read(open_page, look):
    from tests.ui.test_looks import FAINT_TEXTS

    page = open_tab(open_page(390, 844))
    page.evaluate("look => document.body.classList.toggle('dark', look === 'dark')", look)
    write_story(page)
    make(page, steps=1)
    wait_for_film(page)
    part(page, 1).click()
    expect(page.get_by_role("button", name="Redo from here")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(FAINT_TEXTS)["faint"] == []
