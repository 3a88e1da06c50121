"""What outlasts a tab and a server, and what of it others get to see, on real pages."""

import sys

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.ui.conftest import PATIENCE, free_port, serving
from tests.ui.test_text_to_video import (
    PROMPT,
    fill_in,
    generate_button,
    set_number,
    used_seed,
    wait_for_result,
)

pytestmark = pytest.mark.ui


@pytest.fixture
def come(browser):
    """Comes as somebody new: a browser that nobody has used."""
    contexts: list[BrowserContext] = []

    def come() -> BrowserContext:
        contexts.append(browser.new_context())
        contexts[-1].set_default_timeout(PATIENCE)
        return contexts[-1]

    yield come
    for context in contexts:
        context.close()


def open_tab(context: BrowserContext, url: str) -> Page:
    page = context.new_page()
    page.goto(url)
    expect(generate_button(page)).to_be_enabled()
    return page


def begin(page: Page, steps: int, seed: str) -> None:
    fill_in(page, PROMPT, steps=steps, seed=seed)
    set_number(page, "num_frames", 4)
    generate_button(page).click()
    expect(page.locator("#preview")).to_be_visible()


def test_a_job_outlasts_its_tab_and_its_visitor_alone_sees_it(come, tmp_path):
    with serving([sys.executable, "app.py", "--public"], tmp_path) as server:
        anna, bert = come(), come()
        page = open_tab(anna, server.url)
        begin(page, steps=60, seed="33")
        page.close()
        other = open_tab(bert, server.url)
        expect(other.locator("#queue")).to_be_hidden()
        page = open_tab(anna, server.url)
        expect(page.locator("#progress").get_by_role("progressbar")).to_be_visible()
        wait_for_result(page)
        expect(used_seed(page)).to_have_value("33")
        page.get_by_role("tab", name="Your videos").click()
        expect(page.locator("#cards .card")).to_have_count(1)
        other.reload()
        expect(generate_button(other)).to_be_enabled()
        expect(used_seed(other)).to_be_hidden()
        other.get_by_role("tab", name="Your videos").click()
        expect(other.locator("#cards")).to_be_attached()
        expect(other.locator("#cards .card")).to_have_count(0)


def test_a_job_that_ran_when_the_server_ended_goes_on_with_one_click(come, tmp_path):
    command, port = [sys.executable, "app.py"], free_port()
    with serving(command, tmp_path, port) as server:
        visitor = come()
        page = open_tab(visitor, server.url)
        begin(page, steps=100, seed="44")
        page.close()
    with serving(command, tmp_path, port) as server:
        page = open_tab(visitor, server.url)
        expect(page.get_by_text("The studio was stopped")).to_be_visible()
        page.get_by_role("button", name="Try again").click()
        wait_for_result(page)
        expect(used_seed(page)).to_have_value("44")
