"""How long the studio takes to start, and its page to load.

``python -m tests.endurance.startup`` starts it anew several times and prints the seconds until it
answers, until its model is loaded, and what new visitors wait for: one who comes while the model is
being loaded, and one who comes afterwards.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, sync_playwright

from tests.ui.conftest import CHROMIUM_FLAGS, serving

NAMES = (
    "the page answers",
    "the model is loaded",
    "painted, while it loads",
    "usable, while it loads",
    "painted, afterwards",
    "usable, afterwards",
)
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime / 1000"


def visit(browser: Browser, url: str, is_waiting: bool = False) -> tuple[float, float]:
    """Seconds until a new visitor sees something, and until a prompt can be typed."""
    context = browser.new_context()
    page = context.new_page()
    asked = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.get_by_label("What should happen?").fill("a panda")
    usable = time.perf_counter() - asked
    painted = page.wait_for_function(_PAINT).json_value()
    if is_waiting:  # how long a stage takes is known as soon as its model is there
        page.locator("#smooth").get_by_text("on this computer").wait_for(timeout=300_000)
    context.close()
    return painted, usable


def measure(folder: Path) -> tuple[float, ...]:
    """Seconds, one for each of `NAMES`; the first two from the start of the command."""
    began = time.perf_counter()
    with serving([sys.executable, "app.py"], folder) as server, sync_playwright() as playwright:
        answered = time.perf_counter() - began
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=CHROMIUM_FLAGS
        )
        early = visit(browser, server.url, is_waiting=True)
        loaded = time.perf_counter() - began
        late = visit(browser, server.url)
        browser.close()
    return (answered, loaded, *early, *late)


def main() -> None:
    """Print the median of all tries, and the worst."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=3)
    tries = []
    for _ in range(parser.parse_args().tries):
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            tries.append(measure(Path(folder)))
    for name, seconds in zip(NAMES, zip(*tries, strict=True), strict=True):
        print(f"{name:24} {median(seconds):6.2f} s  (worst {max(seconds):.2f} s)")


if __name__ == "__main__":
    main()
