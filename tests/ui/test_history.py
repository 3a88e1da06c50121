"""The videos that were made, and the settings that come back, as users meet them."""

import json
import re
import zipfile

import pytest
from playwright.sync_api import Page, expect

from lavie.media import read_video
from tests.ui.test_text_to_video import (
    PROMPT,
    download,
    fill_in,
    generate_button,
    prompt_box,
    set_number,
    used_seed,
    video,
    wait_for_result,
)

pytestmark = pytest.mark.ui

OTHER_PROMPT = "a fox moving right in the snow"


def make_video(page: Page, prompt: str, seed: str) -> None:
    fill_in(page, prompt, steps=2, seed=seed)
    set_number(page, "num_frames", 4)
    generate_button(page).click()
    expect(used_seed(page)).to_have_value(seed)
    wait_for_result(page)


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def cards(page: Page, prompt: str):
    return page.locator("#cards .card").filter(has_text=prompt)


def choose(page: Page, prompt: str) -> None:
    cards(page, prompt).first.click()
    expect(page.locator("#about")).to_contain_text(prompt)


def test_a_video_is_found_again_starred_exported_deleted_and_brought_back(page, tmp_path):
    make_video(page, OTHER_PROMPT, "101")
    expect(page.locator("#shown-prompt")).to_have_text(OTHER_PROMPT)
    make_video(page, PROMPT, "102")
    open_tab(page, "Your videos")
    expect(page.locator("#cards .card").first).to_contain_text(PROMPT)
    page.get_by_label("Search").fill("SNOW fox")
    expect(cards(page, PROMPT)).to_have_count(0)
    card = cards(page, OTHER_PROMPT).first
    expect(card.get_by_alt_text(f"First picture of: {OTHER_PROMPT}")).to_be_visible()
    expect(card.locator(".card-moving")).to_be_hidden()
    card.hover()
    expect(card.locator(".card-moving")).to_be_visible()
    card.press("Enter")
    opened = page.locator("#opened")
    expect(opened.locator("#opened-video video")).to_be_visible()
    expect(opened).to_contain_text(OTHER_PROMPT)
    poster = "document.documentElement.style.getPropertyValue('--poster-of-opened-video')"
    page.wait_for_function(f"{poster}.includes('base-poster')")  # until the film is there
    expect(opened.locator("#opened-seed input, #opened-seed textarea")).to_have_value("101")

    page.get_by_role("button", name="☆ Star").click()
    page.get_by_label("Only starred").check()
    expect(page.locator("#cards .card")).to_have_count(1)
    assert download(page, "WebM", tmp_path).stat().st_size > 100
    shown, own = (download(page, name, tmp_path) for name in ("MP4", "MP4, true size"))
    assert read_video(shown).frames.shape == (4, 320, 512, 3)  # as on the first tab
    assert read_video(own).frames.shape == (4, 40, 64, 3)
    with zipfile.ZipFile(download(page, "PNGs, true size", tmp_path)) as pictures:
        assert len([name for name in pictures.namelist() if name.endswith(".png")]) == 4

    page.get_by_role("button", name="Delete", exact=True).last.click()
    expect(opened).to_be_hidden()
    expect(page.locator("#cards")).to_contain_text("None of your videos is like that")
    expect(page.locator("#undo-row")).to_contain_text(OTHER_PROMPT)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#cards .card")).to_have_count(1)
    expect(page.locator("#undo-row")).to_be_hidden()


def test_a_video_is_gone_on_with_and_its_settings_are_used_again(page):
    make_video(page, OTHER_PROMPT, "201")
    fill_in(page, PROMPT, steps=5, seed="")
    open_tab(page, "Your videos")
    choose(page, OTHER_PROMPT)
    page.get_by_role("button", name="Use these settings again").click()
    expect(prompt_box(page)).to_have_value(OTHER_PROMPT)
    expect(page.locator("#seed input, #seed textarea")).to_have_value("201")
    expect(page.locator("#num_inference_steps input[type=number]")).to_have_value("2")
    expect(page.get_by_text("The settings are back")).to_be_visible()
    expect(page.get_by_text("The settings are back")).to_be_hidden()  # it goes by itself
    expect(page.locator("#restored")).to_be_hidden()

    make_video(page, PROMPT, "202")
    open_tab(page, "Your videos")
    choose(page, OTHER_PROMPT)
    page.get_by_role("button", name="Go on with it").click()
    expect(used_seed(page)).to_have_value("201")
    page.get_by_role("button", name="Smooth it").click()
    expect(video(page)).to_have_attribute("src", re.compile("-smooth-large.mp4"))
    wait_for_result(page)
    open_tab(page, "Your videos")
    card = page.locator("#cards .card").first
    expect(card).to_contain_text("Smooth")
    card.click()
    expect(page.locator("#opened-version").get_by_text("First version")).to_be_visible()


def test_two_videos_play_side_by_side_in_step(page):
    make_video(page, PROMPT, "301")
    make_video(page, OTHER_PROMPT, "302")
    open_tab(page, "Your videos")
    choose(page, PROMPT)
    page.get_by_role("button", name="Compare with another").click()
    expect(page.get_by_text("Now choose another video below")).to_be_visible()
    choose(page, OTHER_PROMPT)
    expect(page.locator("#pair video")).to_have_count(2)
    expect(page.locator("#opened-video")).to_be_hidden()
    times = "[...document.querySelectorAll('#pair video')].map((video) => video.currentTime)"
    page.wait_for_function(f"{times}.every((time) => time > 0.1)")
    page.get_by_role("button", name="Play or pause both").click()
    page.get_by_label("Place in both videos").fill("0.5")
    page.wait_for_function(f"{times}.every((time) => Math.abs(time - 0.25) < 0.01)")
    page.get_by_role("button", name="End the comparison").click()
    expect(page.locator("#opened-video video")).to_be_visible()


def test_a_dropped_video_or_recipe_gives_its_settings_back(page, tmp_path):
    make_video(page, OTHER_PROMPT, "401")
    files = [download(page, name, tmp_path) for name in ("MP4, true size", "Recipe")]
    for file in files:
        fill_in(page, PROMPT, steps=9, seed="")
        page.locator("#recipe-file input[type=file]").set_input_files(file)
        expect(prompt_box(page)).to_have_value(OTHER_PROMPT)
        expect(page.locator("#seed input, #seed textarea")).to_have_value("401")
        expect(page.locator("#recipe-file input[type=file]")).to_be_attached()
    recipe = json.loads(files[1].read_text())
    files[1].write_text(json.dumps({**recipe, "model": "<b>another</b>", "prompt": PROMPT}))
    page.locator("#recipe-file input[type=file]").set_input_files(files[1])
    expect(page.locator("#restored")).to_contain_text("made with the model “b>”")
    hostile = {**recipe, "seed": "<img src='http://stranger.example/x.png'> <b>bold</b>"}
    files[1].write_text(json.dumps(hostile))
    page.locator("#recipe-file input[type=file]").set_input_files(files[1])
    expect(page.get_by_text("<b>bold</b> is not a whole number")).to_be_visible()
    expect(prompt_box(page)).to_have_value(PROMPT)
    page.locator("#recipe-file input[type=file]").set_input_files(files[0])
    expect(prompt_box(page)).to_have_value(OTHER_PROMPT)


def drop(page: Page, name: str, content: str, target: str) -> bool:
    """Drop a file somewhere; whether the page took it, so that the browser does not open it."""
    return page.evaluate(
        """([name, content, target]) => {
          const files = new DataTransfer();
          files.items.add(new File([content], name));
          const element = document.querySelector(target);
          return ["dragenter", "dragover", "drop"].map((kind) => !element.dispatchEvent(
            new DragEvent(kind, { dataTransfer: files, bubbles: true, cancelable: true })
          )).every(Boolean);
        }""",
        [name, content, target],
    )


def test_a_recipe_may_be_dropped_anywhere_on_the_page_and_nothing_else_is_opened(page):
    recipe = json.dumps(
        {
            "prompt": OTHER_PROMPT,
            "negative_prompt": "",
            "seed": 411,
            "stages": ["base"],
            "settings": {"base": {"num_inference_steps": 7, "guidance_scale": 2}},
        }
    )
    for target in ("#screen", "body", "#recipe-file"):
        fill_in(page, PROMPT, steps=9, seed="")
        assert drop(page, "recipe.json", recipe, target)
        expect(prompt_box(page)).to_have_value(OTHER_PROMPT)
        expect(page.locator("#seed input, #seed textarea")).to_have_value("411")
        expect(page.locator("#drop-hint")).to_be_hidden()
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<i class=upload-container>')")
    assert not drop(page, "recipe.json", recipe, "i.upload-container")  # another field's own
    assert drop(page, "notes.txt", "", "#screen")
    expect(page.get_by_text(re.compile("notes.txt"))).to_be_visible()
    open_tab(page, "Your videos")
    assert drop(page, "recipe.json", recipe.replace(OTHER_PROMPT, PROMPT), "#cards")
    expect(prompt_box(page)).to_be_visible()
    expect(prompt_box(page)).to_have_value(PROMPT)


def test_presets_and_surprises_fill_the_form(page):
    page.get_by_label("Preset").click()
    page.get_by_role("option", name="As in the paper").click()
    expect(page.locator("#num_inference_steps input[type=number]")).to_have_value("50")
    set_number(page, "num_inference_steps", 11)
    page.get_by_label("Preset").fill("eleven")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved. You find it among the presets.")).to_be_visible()
    page.reload()
    expect(page.locator("#num_inference_steps input[type=number]")).to_have_value("11")
    set_number(page, "num_inference_steps", 3)
    page.get_by_label("Preset").click()
    page.get_by_role("option", name="eleven").click()
    expect(page.locator("#num_inference_steps input[type=number]")).to_have_value("11")
    delete = page.get_by_role("button", name="Delete", exact=True).first
    delete.click()
    expect(page.locator("#preset-undo-row")).to_contain_text("Deleted: “eleven”")
    page.locator("#preset-undo").click()
    expect(page.get_by_label("Preset")).to_have_value("eleven")
    delete.click()
    page.get_by_label("Preset").click()
    expect(page.get_by_role("option", name="Best quality")).to_be_visible()
    expect(page.get_by_role("option", name="eleven")).to_have_count(0)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Surprise me").click()
    expect(prompt_box(page)).to_have_value(re.compile("^an? .+"))


def test_what_was_typed_is_there_after_a_reload_and_what_is_not_read_is_said(page):
    prompt_box(page).fill(f"{PROMPT} and {PROMPT} and a fox moving right")
    expect(page.locator("#vocabulary-note")).to_contain_text(
        "will not read its end: “moving right”"
    )
    page.get_by_role("checkbox", name=re.compile("Smooth")).check()
    set_number(page, "num_frames", 9)
    page.locator("#seed input, #seed textarea").fill("12")
    page.reload()
    expect(prompt_box(page)).to_have_value(re.compile("and a fox moving right$"))
    expect(page.get_by_role("checkbox", name=re.compile("Smooth"))).to_be_checked()
    expect(page.locator("#num_frames input[type=number]")).to_have_value("9")
    expect(page.locator("#seed input, #seed textarea")).to_have_value("12")
    expect(page.locator("#vocabulary-note")).to_contain_text("“moving right”")


def test_the_history_fits_a_phone(open_page):
    page = open_page(390, 844)
    make_video(page, PROMPT, "501")
    open_tab(page, "Your videos")
    choose(page, PROMPT)
    expect(page.locator("#opened-video video")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
