"""A real server, a real browser, no network beyond this machine."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError

ROOT = Path(__file__).parents[2]
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--autoplay-policy=no-user-gesture-required",
]
PATIENCE = 180_000  # milliseconds; the machine may be busy

expect.set_options(timeout=PATIENCE)


@dataclass(frozen=True)
class Server:
    url: str
    data: Path
    log_file: Path
    process: subprocess.Popen

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")

    def last_words(self) -> str:
        """End a server that does not answer; its log, with what every thread was at."""
        self.process.send_signal(signal.SIGABRT)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        return f"Load {os.getloadavg()} on {os.cpu_count()} cores.\n{self.log[-8000:]}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser on a busy machine gets a second try, which the summary tells of."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def running_server(tmp_path_factory) -> Iterator[Callable[[], Server]]:
    servers: list[Server] = []
    with ExitStack() as stack:

        def get() -> Server:
            if not servers or servers[-1].process.poll() is not None:
                folder = tmp_path_factory.mktemp("server")
                server = stack.enter_context(serving([sys.executable, "app.py"], folder))
                servers.append(server)
            return servers[-1]

        yield get


@pytest.fixture
def server(running_server) -> Server:
    """The one of all tests, or the next one if that has ended."""
    return running_server()


@contextmanager
def serving(
    command: list[str], folder: Path, port: int | None = None, **environment: str
) -> Iterator[Server]:
    """The studio, started by a command, until the end of the block.

    With the folder and the port of one before it is that one, started again.
    """
    port = port or free_port()
    data, log_file = folder / "data", folder / "log.txt"
    with log_file.open("w") as log:
        process = subprocess.Popen(
            [*command, "--data", str(data), "--port", str(port)],
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={
                **os.environ,
                "HF_HUB_OFFLINE": "1",
                "PYTHONFAULTHANDLER": "1",
                "GRADIO_TEMP_DIR": str(folder / "cache"),
                **environment,
            },
            start_new_session=True,
        )
        server = Server(f"http://127.0.0.1:{port}", data, log_file, process)
        try:
            _wait_for(server, process)
            yield server
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            with suppress(ProcessLookupError):  # what it forked, on a Space, or one that hangs
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(server: Server, process: subprocess.Popen) -> None:
    for _ in range(1200):
        assert process.poll() is None, server.log
        try:
            with urllib.request.urlopen(server.url, timeout=5):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.1)
    raise AssertionError(f"The server did not come up:\n{server.log}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=CHROMIUM_FLAGS
        )
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, server):
    """Opens the studio as a new user; every request that leaves this machine fails the test."""
    contexts: list[BrowserContext] = []
    strangers: list[str] = []

    def open_page(width: int = 1280, height: int = 900) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height})
        contexts.append(context)

        def refuse_strangers(route) -> None:
            if route.request.url.startswith((server.url, "data:", "blob:")):
                route.continue_()
            else:
                strangers.append(route.request.url)
                route.abort()

        context.route("**/*", refuse_strangers)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        try:
            page.goto(server.url)
            button = page.get_by_role("button", name="Make the video")
            expect(button).to_be_enabled()
            # set once what this browser keeps was asked for: from now on typing is not undone
            expect(button).to_have_attribute("aria-keyshortcuts", re.compile("Enter"))
        except (AssertionError, PlaywrightError) as error:
            raise AssertionError(f"{error}\n{server.last_words()}") from error
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert strangers == []


@pytest.fixture
def page(open_page) -> Page:
    return open_page()
