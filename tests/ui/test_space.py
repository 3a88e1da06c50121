"""The page on a ZeroGPU Space, as far as that can be had without one: tests/zero_gpu_space.py."""

import sys

import pytest
from playwright.sync_api import expect

from tests.ui.conftest import Server, serving
from tests.ui.test_text_to_video import PROMPT, fill_in, generate_button, video

pytestmark = pytest.mark.ui


def test_jobs_run_in_forked_processes_with_a_lent_gpu(browser, tmp_path, monkeypatch):
    pytest.importorskip("spaces")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # threads of the CPU do not outlive a fork
    log = tmp_path / "devices.txt"
    command = [sys.executable, "-m", "tests.zero_gpu_space", str(log)]
    with serving(command, tmp_path) as server:
        page = browser.new_page()
        page.goto(server.url)
        expect(generate_button(page)).to_be_enabled()
        fill_in(page, PROMPT, steps=2)
        generate_button(page).click()
        expect(video(page)).to_be_visible()
        page.get_by_role("button", name="Smooth it").click()
        expect(page.get_by_label("Smooth", exact=True)).to_be_checked()
        page.close()
    check_calls(log.read_text().splitlines(), server)


def check_calls(calls: list[str], server: Server) -> None:
    assert calls[0].startswith("/startup-report")
    kinds = [call.split("?")[0] for call in calls[1:]]
    assert (kinds.count("/schedule"), kinds.count("/release")) == (2, 2)
    assert kinds.count("/allow") >= 1  # a process that is still there is lent the GPU again
    assert all("durationSeconds=20" in call for call in calls if "/schedule" in call)
    assert "Traceback" not in server.log
