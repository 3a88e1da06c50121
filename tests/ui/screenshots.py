"""Picture every tab of the running studio at desk and phone size, light and dark, in its states.

python app.py &
python tests/ui/screenshots.py http://127.0.0.1:7860 assets/pictures
"""

import argparse
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
LOOKS = ("light", "dark")
PATIENCE = 300_000
NUM_VIDEOS = 4


def picture(page: Page, folder: Path, state: str, size: str) -> None:
    """Write ``<state>-<size>-<look>.png`` for each look, the whole page."""
    for look in LOOKS:
        page.evaluate("look => document.body.classList.toggle('dark', look === 'dark')", look)
        page.wait_for_timeout(300)
        page.screenshot(path=folder / f"{state}-{size}-{look}.png", full_page=True)


def set_number(page: Page, name: str, value: int) -> None:
    """Type a number into a slider's field."""
    number = page.locator(f"#{name} input[type=number]")
    number.fill(str(value))
    number.blur()


def begin_video(page: Page, example: int) -> None:
    """Take an example and ask for a video of it."""
    button = page.locator("#examples button").nth(example)
    button.click()
    expect(page.get_by_label("What should happen?")).to_have_value(button.inner_text().strip())
    page.get_by_role("button", name="Make the video").click()
    expect(page.locator("#cancel")).to_be_enabled()


def wait_for_video(page: Page) -> None:
    """Wait until it is there, and plays."""
    expect(page.locator("#cancel")).to_be_disabled()
    page.wait_for_function("document.querySelector('#video video')?.currentTime > 1")


def open_page(browser: Browser, url: str, size: str) -> Page:
    """The studio as a new visitor sees it."""
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(PATIENCE)
    page.goto(url)
    page.get_by_role("button", name="Make the video").wait_for()
    return page


def make_others(page: Page) -> None:
    """Make quick videos of the other examples, so that there are several."""
    set_number(page, "num_inference_steps", 8)
    for example in range(1, NUM_VIDEOS):
        begin_video(page, example)
        wait_for_video(page)


def picture_studio(page: Page, folder: Path, size: str) -> None:
    """The tab Text to video: empty, refused, at work, finished."""
    picture(page, folder, "studio-empty", size)
    page.locator("#seed input, #seed textarea").fill("many")
    page.get_by_role("button", name="Make the video").click()
    expect(page.get_by_text("is not a number").first).to_be_visible()
    picture(page, folder, "studio-refused", size)
    page.locator("#seed input, #seed textarea").fill("")
    for stage in ("smooth", "upscale"):
        page.locator(f"#{stage} input").check()
    set_number(page, "upscaling_steps", 2)
    begin_video(page, 0)
    picture(page, folder, "studio-begun", size)
    expect(page.locator("#progress .stages .now")).to_have_text("Upscaled")
    expect(page.locator("#progress .stages .now img")).to_be_visible()
    picture(page, folder, "studio-working", size)
    wait_for_video(page)
    picture(page, folder, "studio-finished", size)


def picture_queue(page: Page, folder: Path, size: str) -> None:
    """The tab Text to video while others wait, one of them being changed."""
    set_number(page, "num_inference_steps", 100)
    begin_video(page, 0)
    set_number(page, "num_inference_steps", 8)
    for example in (1, 2):
        begin_video(page, example)
        expect(page.locator("#queue .queue-job")).to_have_count(example + 1)
    page.locator("#queue [data-action=edit]").last.click()
    expect(page.locator("#edit-bar")).to_be_visible()
    picture(page, folder, "studio-queue", size)
    page.get_by_role("button", name="Keep as it was").click()
    remove = page.locator("#queue [data-action=remove]")
    for num_left in (1, 0):
        remove.last.click()
        expect(remove).to_have_count(num_left)
    page.locator("#cancel").click()
    expect(page.locator("#cancel")).to_be_disabled()


def picture_history(page: Page, folder: Path, size: str) -> None:
    """The tab Your videos: all of them, and one of them."""
    page.get_by_role("tab", name="Your videos").click()
    expect(page.locator("#cards .card")).not_to_have_count(0)
    picture(page, folder, "videos", size)
    page.locator("#cards .card").first.click()
    page.wait_for_function("document.querySelector('#opened-video video')?.currentTime > 1")
    picture(page, folder, "videos-opened", size)


def picture_loras(page: Page, folder: Path, size: str) -> None:
    """The tab Personalised LoRA: empty, with pictures, at work, finished."""
    page.get_by_role("tab", name="Personalised LoRA").click()
    page.wait_for_timeout(1000)
    picture(page, folder, "lora-empty", size)
    page.locator(".lora-set").last.click()
    expect(page.locator(".lora-picture")).not_to_have_count(0)
    page.locator("#lora-effort").get_by_text("Quick").click()
    picture(page, folder, "lora-pictures", size)
    page.get_by_role("button", name="Teach it").click()
    expect(page.locator(".lora-strip li").first).to_be_visible()
    picture(page, folder, "lora-learning", size)
    expect(page.locator("#lora-training h3")).to_contain_text("Learnt")
    page.get_by_role("button", name="Compare with and without").click()
    expect(page.locator("#lora-pair video")).to_have_count(2)
    page.wait_for_timeout(1500)
    picture(page, folder, "lora-learnt", size)
    page.get_by_role("tab", name="Text to video").click()
    page.locator("#loras .lora-chip").first.click()
    picture(page, folder, "studio-with-lora", size)


def picture_other_tabs(page: Page, folder: Path, size: str) -> None:
    """Every tab that is not pictured yet."""
    for name in ("Long video", "Models"):
        page.get_by_role("tab", name=name).click()
        page.wait_for_timeout(1500)
        expect(page.get_by_text("Looking for models")).to_be_hidden()
        picture(page, folder, name.lower().replace(" ", "-"), size)


def main() -> None:
    """Write ``<tab>-<state>-<size>-<look>.png`` for everything that there is to see."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="where the studio runs")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"],
        )
        for size in SIZES:
            page = open_page(browser, arguments.url, size)
            if size == "desktop":
                make_others(page)
                page = open_page(browser, arguments.url, size)
            for pictures in (
                picture_studio,
                picture_queue,
                picture_history,
                picture_loras,
                picture_other_tabs,
            ):
                pictures(page, arguments.folder, size)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
