"""Picture the running studio at desk and phone size, light and dark, before and after a video.

python app.py &
python tests/ui/screenshots.py http://127.0.0.1:7860 assets/pictures
"""

import argparse
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
PATIENCE = 300_000


def make_video(page: Page) -> None:
    """Take the first example, let it become a video, and wait until it plays."""
    page.locator("#examples button").first.click()
    expect(page.get_by_label("What should happen?")).not_to_have_value("")
    page.get_by_role("button", name="Make the video").click()
    page.wait_for_function(
        "() => { const video = document.querySelector('#video video');"
        " return video && video.currentTime > 1; }"
    )


def main() -> None:
    """Write ``page-<size>-<look>[-video].png`` for each size and look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="where the studio runs")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        for size, (width, height) in SIZES.items():
            for look in ("light", "dark"):
                page = browser.new_page(viewport={"width": width, "height": height})
                page.set_default_timeout(PATIENCE)
                page.goto(f"{arguments.url}/?__theme={look}")
                page.get_by_role("button", name="Make the video").wait_for()
                name = f"page-{size}-{look}"
                page.screenshot(path=arguments.folder / f"{name}.png")
                make_video(page)
                page.screenshot(path=arguments.folder / f"{name}-video.png", full_page=True)
                page.close()
        browser.close()


if __name__ == "__main__":
    main()
