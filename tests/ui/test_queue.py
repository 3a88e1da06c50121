"""Several videos at once, as their user sees them: one journey through the queue of the page."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.ui.test_text_to_video import (
    PROMPT,
    cancel_button,
    fill_in,
    generate_button,
    prompt_box,
    used_seed,
    wait_for_result,
)

pytestmark = pytest.mark.ui

OTHER_FOX = "a fox and a dragon at night"
FOX, PIG, FROG = "a fox moving right in the snow", "a pig at sunset", "a frog on the grass"


def jobs(page: Page):
    return page.locator("#queue .queue-job")


def press(page: Page, action: str, prompt: str) -> None:
    page.locator("#queue").get_by_role("button", name=f"{action}: {prompt}", exact=True).click()


def expect_queue(page: Page, *prompts: str) -> None:
    expect(page.locator("#queue .queue-prompt")).to_have_text(list(prompts))


def add(page: Page, prompt: str, seed: str) -> None:
    fill_in(page, prompt, steps=2, seed=seed)
    generate_button(page).click()
    expect(jobs(page).filter(has_text=prompt)).to_be_visible()


def test_the_queue_is_filled_changed_held_found_again_and_finished(open_page):
    page = open_page()
    fill_in(page, PROMPT, steps=100, seed="1")
    generate_button(page).click()
    expect(page.locator("#preview")).to_be_visible()
    expect(page.locator("#queue")).to_be_hidden()
    add(page, FOX, "2")
    expect(page.get_by_text("Added: 2nd in the queue")).to_be_visible()
    toast = page.locator(".toast-body").last.bounding_box()
    head = page.locator("#queue .queue-head").bounding_box()
    assert toast["x"] + toast["width"] <= head["x"] or toast["y"] >= head["y"] + head["height"]
    add(page, PIG, "3")
    add(page, FROG, "4")
    expect_queue(page, PROMPT, FOX, PIG, FROG)
    expect(jobs(page).first).to_contain_text("On the screen")
    expect(jobs(page).nth(3)).to_contain_text(re.compile(r"4th in the queue, begins in about \d+"))
    expect(cancel_button(page)).to_be_enabled()

    press(page, "Move up", FROG)
    expect_queue(page, PROMPT, FOX, FROG, PIG)
    expect(page.get_by_role("button", name=f"Move up: {FROG}")).to_be_focused()
    press(page, "Remove", PIG)
    expect_queue(page, PROMPT, FOX, FROG)
    expect(page.locator("#queue h3")).to_be_focused()
    expect(page.locator("#queue-undo-row")).to_contain_text(f"Removed: “{PIG}”")
    page.locator("#queue-undo").click()
    expect_queue(page, PROMPT, FOX, FROG, PIG)
    expect(page.locator("#queue-undo-row")).to_be_hidden()
    press(page, "Remove", PIG)
    expect_queue(page, PROMPT, FOX, FROG)

    fill_in(page, "half a sentence", seed="9")
    page.set_viewport_size({"width": 390, "height": 500})
    press(page, "Edit", FOX)
    expect(prompt_box(page)).to_have_value(FOX)
    expect(prompt_box(page)).to_be_in_viewport()
    page.set_viewport_size({"width": 1280, "height": 900})
    expect(page.locator("#edit-bar")).to_contain_text(FOX)
    expect(jobs(page).nth(1)).to_contain_text("Being changed")
    page.keyboard.press("Escape")  # leaves the change, and stops nothing
    expect(page.get_by_role("button", name="Keep as it was")).to_be_hidden()
    expect(page.locator("#cancel")).to_be_enabled()
    expect(prompt_box(page)).to_have_value("half a sentence")
    expect(page.locator("#queue")).not_to_contain_text("Being changed")
    press(page, "Edit", FOX)
    expect(page.locator("#seed input, #seed textarea")).to_have_value("2")
    prompt_box(page).fill(OTHER_FOX)
    expect(page.locator("#vocabulary-note")).to_contain_text("“dragon”")
    page.reload()
    expect(page.locator("#edit-bar")).to_contain_text(FOX)
    expect(jobs(page).nth(1)).to_contain_text("Being changed")
    expect(prompt_box(page)).to_have_value(OTHER_FOX)
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("Saved. It is made with these settings")).to_be_visible()
    expect(prompt_box(page)).to_have_value("half a sentence")
    expect(page.locator("#edit-bar")).to_be_hidden()
    expect_queue(page, PROMPT, OTHER_FOX, FROG)

    page.get_by_role("button", name="Finish this one, then stop").click()
    expect(page.locator("#queue")).to_contain_text("The queue stops after this one")
    cancel_button(page).click()
    expect(page.get_by_text("Cancelled. Nothing was kept.")).to_be_visible()
    expect(jobs(page).first).to_contain_text("1st in the queue, which is stopped")
    page.reload()
    expect(page.get_by_text("Cancelled. Nothing was kept.")).to_be_visible()
    expect_queue(page, OTHER_FOX, FROG)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    press(page, "Show on the screen", OTHER_FOX)
    expect(page.locator("#progress")).to_contain_text("1st in the queue, which is stopped")
    expect(page.locator("#screen .screen")).to_be_in_viewport()

    page.get_by_role("button", name="Go on", exact=True).click()
    wait_for_result(page)
    expect(used_seed(page)).to_have_value("2")
    expect(page.locator("#shown-prompt")).to_have_text(OTHER_FOX)
    expect(page.locator("#queue")).to_be_hidden()
    page.set_viewport_size({"width": 1280, "height": 900})
    page.get_by_role("tab", name="Your videos").click()
    expect(page.locator("#cards .card").filter(has_text=FROG)).to_have_count(1)
