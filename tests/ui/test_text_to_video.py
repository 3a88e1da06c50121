"""The tab Text to video as its users meet it. Nothing here depends on what the picture shows."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lavie.media import read_metadata, read_video

pytestmark = pytest.mark.ui

FEW_STEPS = 6
PROMPT = "a panda moving left over the ocean"


def generate_button(page: Page):
    return page.get_by_role("button", name="Make the video")


def cancel_button(page: Page):
    return page.locator("#cancel")  # usable as long as the job that is watched is not over


def prompt_box(page: Page):
    return page.get_by_label("What should happen?")


def set_number(page: Page, name: str, value: int) -> None:
    number = page.locator(f"#{name} input[type=number]")
    number.fill(str(value))
    number.blur()


def fill_in(page: Page, prompt: str, steps: int = FEW_STEPS, seed: str = "") -> None:
    prompt_box(page).fill(prompt)
    set_number(page, "num_inference_steps", steps)
    page.locator("#seed input, #seed textarea").fill(seed)


def video(page: Page):
    return page.locator("#video video")


def progress(page: Page):
    return page.locator("#progress").get_by_role("progressbar")  # a video has one of its own


def stage_at_work(page: Page):
    return page.locator("#progress .stages .now")


def used_seed(page: Page):
    return page.locator("#used-seed input, #used-seed textarea")


def download(page: Page, button: str, folder: Path) -> Path:
    with page.expect_download() as info:
        page.get_by_role("button", name=button, exact=True).click()
    path = folder / info.value.suggested_filename
    info.value.save_as(path)
    return path


def test_the_whole_journey_from_words_to_files(page, tmp_path):
    page.locator("#word-subject").get_by_text("panda").click()
    expect(prompt_box(page)).to_have_value(re.compile("^a panda .+"))
    example = page.locator("#examples").get_by_role("button").nth(1)
    example.click()
    expect(prompt_box(page)).to_have_value(example.inner_text().strip())
    fill_in(page, PROMPT, steps=12)
    generate_button(page).click()

    preview = page.get_by_alt_text("Preview of the video being made")
    expect(preview).to_have_attribute("src", re.compile("^data:image/webp;base64,"))
    expect(progress(page)).to_have_accessible_name(re.compile("step|files"))
    expect(generate_button(page)).to_be_enabled()
    expect(cancel_button(page)).to_be_enabled()

    expect(video(page)).to_be_visible()
    page.wait_for_function("document.querySelector('#video video').currentTime > 0.2")
    assert page.evaluate("document.querySelector('#video video').videoWidth") >= 256
    expect(cancel_button(page)).to_be_disabled()
    expect(preview).to_be_hidden()

    seed = used_seed(page).input_value()
    large = download(page, "Download MP4", tmp_path)
    true_size = download(page, "MP4, true size", tmp_path)
    recipe = json.loads(download(page, "Recipe", tmp_path).read_text())
    assert download(page, "GIF", tmp_path).read_bytes().startswith(b"GIF89a")
    assert read_metadata(large) == read_metadata(true_size) == recipe
    assert (recipe["prompt"], str(recipe["seed"])) == (PROMPT, seed)
    assert read_video(true_size).frames.shape[1:3] == (40, 64)

    page.get_by_text("The recipe: everything needed").click()
    expect(page.locator("#recipe")).to_contain_text(seed)
    page.get_by_role("button", name="Use this seed again").click()
    expect(page.locator("#seed input, #seed textarea")).to_have_value(seed)


def turn_on(page: Page, *switches: str) -> None:
    for switch in switches:
        page.get_by_role("checkbox", name=re.compile(switch)).check()


def wait_for_result(page: Page) -> None:
    expect(page.get_by_role("button", name="Download MP4")).to_be_visible()
    expect(cancel_button(page)).to_be_disabled()


def show(page: Page, version: str) -> None:
    page.locator("#shown").get_by_text(version, exact=True).click()


def test_smooth_and_large_versions_appear_one_after_the_other(page, tmp_path):
    expect(page.locator("#smooth")).to_contain_text("61 frames")
    expect(page.locator("#smooth")).to_contain_text(re.compile(r"\d (s|min) on this computer"))
    expect(page.locator("#upscale")).to_contain_text(re.compile(r"\d (s|min) on this computer"))
    fill_in(page, PROMPT, steps=2, seed="44")
    set_number(page, "smoothing_steps", 4)
    turn_on(page, "Smooth", "Upscale")
    generate_button(page).click()

    expect(stage_at_work(page)).to_have_text("Smooth")
    expect(video(page)).to_be_visible()
    expect(video(page)).to_have_attribute("src", re.compile("-base-large.mp4"))
    page.wait_for_function("document.querySelector('#video video').currentTime > 0.2")
    expect(stage_at_work(page)).to_have_text("Upscaled")
    expect(video(page)).to_have_attribute("src", re.compile("-smooth-large.mp4"))
    wait_for_result(page)
    expect(video(page)).to_have_attribute("src", re.compile("-upscaled-large.mp4"))
    expect(page.locator("#smooth")).to_contain_text(re.compile(r"About \d+ s"))

    upscaled = read_video(download(page, "MP4, true size", tmp_path))
    assert (upscaled.frames.shape, upscaled.fps) == ((61, 160, 256, 3), 32)
    assert upscaled.metadata["stages"] == ["base", "interpolation", "super_resolution"]
    page.get_by_label("Before and after").check()
    expect(video(page)).to_have_attribute("src", re.compile("-upscaled-before-after.mp4"))
    expect(page.get_by_text("Before", exact=True)).to_be_visible()
    page.wait_for_function("document.querySelector('#video video').videoWidth == 1028")
    behind = "getComputedStyle(document.querySelector('#video video')).backgroundImage"
    assert "poster" not in page.evaluate(behind)
    page.wait_for_function("document.querySelector('#video video').currentTime > 0.2")
    both = read_video(download(page, "Download MP4", tmp_path))
    assert both.frames.shape == (61, 320, 1028, 3)

    show(page, "Smooth")
    expect(video(page)).to_have_attribute("src", re.compile("-smooth-before-after.mp4"))
    page.get_by_label("Before and after").uncheck()
    expect(video(page)).to_have_attribute("src", re.compile("-smooth-large.mp4"))
    smooth = read_video(download(page, "MP4, true size", tmp_path))
    assert (smooth.frames.shape, smooth.fps) == ((61, 40, 64, 3), 32)
    show(page, "First version")
    expect(video(page)).to_have_attribute("src", re.compile("-base-large.mp4"))
    first = read_video(download(page, "MP4, true size", tmp_path))
    assert (first.frames.shape, first.fps) == ((16, 40, 64, 3), 8)
    expect(page.get_by_label("Before and after")).to_be_hidden()


def test_a_finished_video_is_smoothed_and_upscaled_on_demand(page, tmp_path):
    fill_in(page, PROMPT, steps=2, seed="55")
    set_number(page, "num_frames", 4)
    expect(page.locator("#smooth")).to_contain_text("13 frames")
    set_number(page, "smoothing_steps", 2)
    set_number(page, "upscaling_steps", 1)
    generate_button(page).click()
    wait_for_result(page)
    expect(page.locator("#shown")).to_be_hidden()
    page.get_by_role("button", name="Smooth it").click()
    expect(stage_at_work(page)).to_have_text("Smooth")
    expect(video(page)).to_be_visible()
    wait_for_result(page)
    expect(video(page)).to_have_attribute("src", re.compile("-smooth-large.mp4"))
    expect(page.get_by_role("button", name="Smooth it")).to_be_hidden()
    page.get_by_role("button", name="Upscale it").click()
    expect(video(page)).to_have_attribute("src", re.compile("-upscaled-large.mp4"))
    wait_for_result(page)
    expect(page.get_by_role("button", name="Upscale it")).to_be_hidden()
    recipe = json.loads(download(page, "Recipe", tmp_path).read_text())
    assert recipe["stages"] == ["base", "interpolation", "super_resolution"]
    assert recipe["settings"]["super_resolution"]["num_inference_steps"] == 1
    assert recipe["seed"] == 55
    page.reload()
    wait_for_result(page)
    expect(video(page)).to_have_attribute("src", re.compile("-upscaled-large.mp4"))
    show(page, "First version")
    expect(page.get_by_role("button", name="Smooth it")).to_be_visible()
    page.get_by_role("button", name="Upscale it").click()
    expect(page.locator("#shown").get_by_text("Upscaled", exact=True)).to_be_visible()
    wait_for_result(page)
    show(page, "Smooth and upscaled")
    show(page, "Smooth")  # at once: the last click counts
    expect(video(page)).to_have_attribute("src", re.compile("-smooth-large.mp4"))


def test_cancelling_a_later_stage_keeps_the_first_version(page, tmp_path):
    fill_in(page, PROMPT, steps=2)
    set_number(page, "num_frames", 4)
    set_number(page, "smoothing_steps", 100)
    turn_on(page, "Smooth")
    generate_button(page).click()
    expect(progress(page)).to_have_accessible_name(re.compile("Smoothing: step"))
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.get_by_text("Cancelled. What was finished is kept.")).to_be_visible()
    expect(video(page)).to_be_visible()
    assert read_video(download(page, "MP4, true size", tmp_path)).frames.shape == (4, 40, 64, 3)
    expect(page.get_by_role("button", name="Smooth it")).to_be_visible()
    expect(cancel_button(page)).to_be_disabled()


def test_the_same_seed_makes_the_same_video(page, tmp_path):
    files = []
    for name in ("first", "second"):
        fill_in(page, PROMPT, steps=2, seed="7")
        generate_button(page).click()
        expect(cancel_button(page)).to_be_enabled()
        wait_for_result(page)
        expect(used_seed(page)).to_have_value("7")
        (tmp_path / name).mkdir()
        files.append(download(page, "GIF", tmp_path / name))
    assert files[0].name != files[1].name
    assert files[0].read_bytes() == files[1].read_bytes()


def test_cancel_stops_soon_and_the_next_video_is_made(page):
    fill_in(page, PROMPT, steps=100)
    generate_button(page).click()
    expect(page.locator("#preview")).to_be_visible()
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.get_by_text("Cancelled. Nothing was kept.")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel", exact=True)).to_be_disabled()
    fill_in(page, PROMPT, steps=1)
    generate_button(page).click()
    expect(video(page)).to_be_visible()


@pytest.mark.parametrize(
    ("control", "typed", "sentence"),
    [
        ("#prompt textarea", "", "The prompt is empty. Describe the video"),
        ("#prompt textarea", "panda " * 1700, "Use at most 1,000"),
        ("#negative_prompt textarea", "x" * 10_000, "Use at most 1,000"),
        ("#width input", "100000", "Width 100000 is not between"),
        ("#width input", "63", "Width 63 is not a multiple of 4. Use 60 or 64."),
        ("#height input", "", "Height is empty. Use 40."),
        ("#seed input, #seed textarea", "twelve", "Seed 'twelve' is not a number"),
    ],
)
def test_a_mistake_gets_a_sentence_beside_its_field_and_costs_nothing(
    page, control, typed, sentence
):
    prompt_box(page).fill(PROMPT)
    page.locator(control).fill(typed)
    page.locator(control).blur()
    generate_button(page).click()
    places = page.locator(
        f"{control.split()[0]} .validation-error, #mistakes"
    )  # or said again below
    expect(places.filter(has_text=sentence).locator("visible=true").first).to_be_visible()
    expect(page.locator(control)).to_have_value(typed)
    expect(page.locator(control)).to_be_focused()
    expect(page.get_by_text("Your video will appear here.")).to_be_visible()
    if control != "#prompt textarea":
        expect(prompt_box(page)).to_have_value(PROMPT)


def test_words_the_model_never_learned_are_said_kindly(page):
    prompt_box(page).fill("a dragon moving left over the ocean")
    note = page.locator("#vocabulary-note")
    expect(note).to_contain_text("“dragon” is new to this small model")
    expect(note).to_contain_text("python -m lavie convert")
    prompt_box(page).fill(PROMPT)
    expect(note).to_be_hidden()
    prompt_box(page).fill("dragons everywhere")
    generate_button(page).click()
    expect(page.locator("#prompt").get_by_text("knows none of these words")).to_be_visible()


def test_two_users_at_once_each_get_their_own_video(open_page):
    first, second = open_page(), open_page()
    fill_in(first, PROMPT, steps=20, seed="11")
    fill_in(second, "a fox moving right in the snow", steps=2, seed="22")
    generate_button(first).click()
    expect(first.locator("#preview")).to_be_visible()
    generate_button(second).click()
    expect(progress(second)).to_have_accessible_name(re.compile("^2nd in the queue"))
    expect(used_seed(second)).to_have_value("22")
    expect(used_seed(first)).to_have_value("11")
    first.get_by_text("The recipe: everything needed").click()
    expect(first.locator("#recipe")).to_contain_text(PROMPT)


def test_a_page_loaded_again_finds_its_job(page):
    fill_in(page, PROMPT, steps=100, seed="33")
    generate_button(page).click()
    expect(page.locator("#preview")).to_be_visible()
    page.reload()
    expect(page.locator("#preview")).to_be_visible()
    expect(cancel_button(page)).to_be_enabled()
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.get_by_text("Cancelled. Nothing was kept.")).to_be_visible()


def test_a_fault_of_ours_shows_its_job_number_and_the_next_request_works(page, server):
    today = server.data / "results" / f"{datetime.now(UTC):%Y-%m-%d}"
    aside = server.data / "aside"
    if today.exists():
        today.rename(aside)
    today.write_text("a file where the results' folder should be")
    fill_in(page, PROMPT, steps=1)
    generate_button(page).click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Something went wrong on our side (job ")
    job_id = alert.inner_text().split("(job ")[1].split(";")[0]
    assert f"Job {job_id} failed" in server.log
    assert "Traceback" not in page.content()
    expect(prompt_box(page)).to_have_value(PROMPT)
    today.unlink()
    generate_button(page).click()
    expect(video(page)).to_be_visible()


def test_every_control_has_a_name_and_help(page):
    for name in (
        *("prompt", "negative_prompt", "seed", "width", "height", "num_frames"),
        *("num_inference_steps", "guidance_scale", "scheduler", "word-subject"),
        *("smoothing_steps", "upscaling_steps"),
    ):
        field = page.locator(f"#{name}")
        expect(field.locator("[data-testid=block-info]")).not_to_be_empty()
        expect(field.locator("[class*=info-text]")).not_to_be_empty()


def test_a_phone_shows_prompt_button_and_screen_without_sideways_scrolling(open_page):
    fits_a_phone(open_page(390, 844))


def fits_a_phone(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for element in (prompt_box(page), generate_button(page), page.locator("#screen .screen")):
        box = element.bounding_box()
        assert box["y"] + box["height"] <= 844
