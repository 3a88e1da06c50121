"""The tab Long video as its users meet it. Nothing depends on the pictures."""

import json
import re
import sys

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from lavie.media import read_metadata, read_video, write_video
from tests.ui.conftest import free_port, serving
from tests.ui.test_text_to_video import download, set_number

pytestmark = pytest.mark.ui

STORY = ("a fox in the snow", "a fox over the ocean", "a fox in the city")
SECONDS = 0.75
SEEDS = ("film-used-seed", "film-seed")


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
    make(page, steps=12)
    is_done(page, 1)  # the film so far plays before the rest is there
    expect(page.locator("#film-stop")).to_be_enabled()
    expect(page.locator("#film-player video.front")).to_be_visible()
    page.wait_for_function("document.querySelector('#film-player video.front').currentTime > 0.1")
    page.get_by_role("button", name="Pause", exact=True).click()
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
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
    used, typed = (page.locator(f"#{name} :is(input, textarea)") for name in SEEDS)
    expect(used).to_have_value(str(recipe["seed"]))
    expect(typed).to_have_value("")
    page.locator("#film-use-seed").click()
    expect(typed).to_have_value(str(recipe["seed"]))
    typed.fill("")

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


ALWAYS_A_FRONT = """() => {
  window.timesWithoutFront = 0;
  const count = () => document.querySelectorAll('#film-player video.front').length;
  const watch = () => { if (count() !== 1) window.timesWithoutFront += 1; };
  const player = document.querySelector('#film-player');
  new MutationObserver(watch).observe(player, { subtree: true, attributeFilter: ['class'] });
}"""

TO_AND_FRO = """() => {
  const behind = document.querySelector('#film-player video:not(.front)');
  behind.removeAttribute('src');
  behind.load();
  for (const detail of [0.8, 0]) window.dispatchEvent(new CustomEvent('film-seek', { detail }));
}"""
"""Faster than a part is loaded."""


def test_a_redo_uses_what_was_typed_keeps_it_and_shows_the_film_meanwhile(page, tmp_path):
    write_story(page)
    make(page, steps=4)
    wait_for_film(page)
    num_parts = page.locator("[data-part]").count()
    line(page, 1).fill("a panda in the snow")
    line(page, 3).fill("a panda in the city")
    page.evaluate(ALWAYS_A_FRONT)
    part(page, num_parts).click()
    page.get_by_role("button", name="Redo from here").click()
    expect(page.get_by_text("the parts before this one stay as they were")).to_be_visible()
    expect(page.locator("#film-player video.front[src*=part-]")).to_be_visible()
    page.evaluate(TO_AND_FRO)
    expect(page.locator("#film-player video[src*=part-00001]")).to_have_count(1)
    page.wait_for_timeout(500)
    assert page.evaluate("window.timesWithoutFront") == 0
    wait_for_film(page)
    expect(page.locator(".timeline-prompt").last).to_contain_text("a panda in the city")
    told = read_metadata(download(page, "MP4, true size", tmp_path))["story"]
    assert [row["prompt"] for row in told] == [*STORY[:2], "a panda in the city"]
    expect(line(page, 1)).to_have_value("a panda in the snow")
    expect(line(page, 3)).to_have_value("a panda in the city")


def test_seconds_that_cannot_be_are_marked_where_they_are(page):
    write_story(page, STORY[:2])
    seconds = page.get_by_label("Line 2: seconds")
    seconds.fill("-3")
    page.get_by_role("button", name="Make the film").click()
    expect(seconds).to_have_attribute("aria-invalid", "true")
    expect(line(page, 2)).not_to_have_attribute("aria-invalid", "true")
    beside = page.locator("#film-mistakes")  # on a phone the story is far above the button
    expect(beside).to_contain_text("Give it 2")  # Gradio may take back what it said at the story
    for _ in range(2):
        expect(beside).to_contain_text("Line 2 of the story is to last '-3' seconds")
        page.get_by_role("button", name="Make the film").click()
    seconds.fill("2")
    expect(beside).to_have_text("")


def test_a_stopped_film_is_kept_and_gone_on_with(page, tmp_path):
    write_story(page)
    make(page, steps=15)
    is_done(page, 1)
    page.keyboard.press("Escape")
    expect(page.get_by_text("Stopped. The film so far is kept.")).to_be_visible()
    so_far = len(read_video(download(page, "MP4, true size", tmp_path)).frames)
    assert 0 < so_far < 18
    page.get_by_role("button", name="Go on where it stopped").click()
    is_done(page, page.locator("[data-part]").count())
    wait_for_film(page)
    assert len(read_video(download(page, "MP4, true size", tmp_path)).frames) == 18


def test_a_film_without_a_part_yet_is_found_again_with_one_screen(page):
    faults = []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    write_story(page, STORY[:1], seconds=2)
    make(page, steps=100)
    expect(page.locator("#film-display img")).to_be_visible()
    page.reload()
    page.wait_for_timeout(3000)  # the film is followed before its tab is there
    expect(page.get_by_role("tab", name="Long video")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#film-display img")).to_be_visible()
    expect(page.locator("#film-player")).to_be_hidden()
    page.locator("#film-stop").click()
    expect(page.get_by_text("“Try again” begins it anew")).to_be_visible()
    expect(page.locator("#film-retry")).to_have_text("Try again")
    assert [said for said in faults if "js_on_load" in said] == []


PASTE = """(field, text) => {
  const clipboardData = new DataTransfer();
  clipboardData.setData("text", text);
  field.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
}"""


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
    line(page, 3).evaluate(PASTE, "a frog | 4.5 seconds")
    expect(line(page, 3)).to_have_value("a frog")
    expect(page.get_by_label("Line 3: seconds")).to_have_value("4.5")
    line(page, 3).evaluate(PASTE, "a car | two seconds")
    page.get_by_role("button", name="Make the film").click()
    expect(page.locator("#film-mistakes")).to_contain_text("Line 3 of the story is to last 'two'")
    line(page, 3).evaluate(PASTE, "# foxes\na fox in the snow | 2 s | seed 7\na pig\n" * 5000)
    expect(page.locator(".story-line")).to_have_count(250 + 5)
    expect(line(page, 3)).to_have_value("a fox in the snow")
    expect(page.get_by_label("Line 3: seconds")).to_have_value("2")
    page.get_by_role("button", name="Make the film").click()
    expect(page.locator("#film-mistakes")).to_contain_text("has 255 lines. Use at most 200")


def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_lost(page, tmp_path):
    (tmp_path / "text.png").write_text("a text, no picture")
    line(page, 1).fill("dragons everywhere")
    page.get_by_text("A picture", exact=True).click()
    page.locator("#film-picture input[type=file]").set_input_files(tmp_path / "text.png")
    expect(page.get_by_text("not what its name says. Give a PNG, JPEG or WebP.")).to_be_visible()
    expect(page.locator("#film-picture img")).to_have_count(0)
    page.get_by_role("button", name="Make the film").click()
    for sentence in ("Line 1 of the story: This small model knows none", "There is no picture"):
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
    assert len(read_video(film).frames) == 4  # half a second, the picture among them
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
    assert len(read_video(download(page, "MP4, true size", tmp_path)).frames) == 8


def test_a_film_from_a_video_to_a_picture_is_smoothed_and_its_end_redone(page, tmp_path):
    write_video(tmp_path / "red.mp4", np.full((6, 80, 128, 3), (200, 30, 30), np.uint8), 8)
    Image.new("RGB", (96, 64), "white").save(tmp_path / "white.png")
    write_story(page, STORY[:2], seconds=0.5)
    page.get_by_text("A video", exact=True).click()
    make(page, steps=1)
    said = page.get_by_text("There is no video. Give one").locator("visible=true")
    expect(said.first).to_be_visible()
    page.locator("#film-video input[type=file]").set_input_files(tmp_path / "red.mp4")
    expect(page.locator("#film-video video")).to_have_count(1)
    page.get_by_label("End with a picture").check()
    page.locator("#film-end-picture input[type=file]").set_input_files(tmp_path / "white.png")
    expect(page.locator("#film-end-picture img")).to_have_count(1)
    make(page, steps=1)
    expect(page.locator(".timeline-prompt").first).to_have_text("Your video")
    wait_for_film(page)
    expect(said).to_have_count(0)
    recipe = json.loads(download(page, "Recipe", tmp_path).read_text())
    own = recipe["settings"]["long_video"]
    assert (own["begins_with"], own["ends_with"]) == ("video", "picture")
    assert (recipe["num_given_frames"], recipe["source"]["file"]) == (6, "red.mp4")
    num_frames = 6 + sum(row["num_frames"] for row in recipe["parts"])

    page.locator("#film-smooth-it").click()
    expect(page.get_by_text("Film and smooth", exact=True)).to_be_visible()
    smooth = read_video(download(page, "MP4, true size", tmp_path)).frames
    assert len(smooth) == 4 * (num_frames - 1) + 1

    num_parts = page.locator("[data-part]").count()
    part(page, num_parts).click()
    page.get_by_role("button", name="Redo from here").click()
    expect(page.locator("#film-shown")).to_be_hidden()  # the new one is not smoothed
    wait_for_film(page)
    again = read_metadata(download(page, "MP4, true size", tmp_path))
    assert again["parts"][:-1] == recipe["parts"][:-1]
    assert again["parts"][-1]["seed"] != recipe["parts"][-1]["seed"]
    assert again["settings"]["long_video"]["ends_with"] == "picture"


def test_a_film_that_ran_when_the_server_ended_is_found_by_any_browser(browser, tmp_path):
    command, port = [sys.executable, "app.py"], free_port()
    with serving(command, tmp_path, port) as server:
        visitor = browser.new_context()
        page = visitor.new_page()
        page.goto(server.url)
        open_tab(page)
        write_story(page)
        make(page, steps=15)
        is_done(page, 1)
        page.close()
    with serving(command, tmp_path, port) as server:
        for context in (visitor, browser.new_context()):
            page = context.new_page()
            page.goto(server.url)
            queue = page.locator("#queue")
            expect(queue).to_contain_text("The studio was stopped")
            if context is visitor:
                open_tab(page)  # it knows which film was watched here
            else:
                queue.get_by_role("button", name=re.compile("^Show")).click()
            expect(page.locator("#film-player video.front")).to_be_visible()
            is_done(page, 1)
            expect(page.get_by_text("What was finished is kept")).to_be_visible()
        page.get_by_role("button", name="Go on where it stopped").click()
        is_done(page, page.locator("[data-part]").count())
        wait_for_film(page)
        for context in (visitor, page.context):
            context.close()


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
