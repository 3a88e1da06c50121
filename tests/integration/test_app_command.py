"""``python -m app`` against a running studio, as processes of their own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.visitors import new_token
from tests.endurance.quick import is_whole

pytestmark = pytest.mark.integration

STUDIO_FLAGS = ("--public",)
PROMPT = "a panda moving left over ocean"


@pytest.fixture(scope="module")
def ask(studio):
    token = new_token()

    def ask(*words, exit_code=0, visitor=token, address=studio.url):
        command = [sys.executable, "-m", "app", *words]
        flags = ["--studio", address, "--visitor", visitor]
        done = subprocess.run(
            [*command, *flags], capture_output=True, text=True, cwd=Path(__file__).parents[2]
        )
        assert done.returncode == exit_code, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout if exit_code == 0 else done.stderr

    return ask


@pytest.fixture
def held(ask, studio):
    """A job that waits."""
    studio.tell("pause")
    (line,) = ask("submit", PROMPT, "--seed", "7", "--json").splitlines()
    yield json.loads(line)
    studio.tell("go on")


def test_a_video_is_submitted_followed_listed_and_fetched(ask, tmp_path):
    lines = ask("submit", PROMPT, "--seed", "7", "--smooth", "--follow", "--json").splitlines()
    jobs = [json.loads(line) for line in lines]
    assert (jobs[0]["state"], jobs[-1]["state"]) == ("queued", "done")
    assert jobs[-1]["stages"] == ["base", "interpolation"]
    assert (jobs[-1]["seed"], jobs[-1]["settings"]["smooth"]) == (7, True)
    job_id = jobs[-1]["id"]
    assert job_id in ask("list", "--search", "panda")
    assert job_id not in ask("list", "--search", "zebra")
    assert job_id not in ask("list", visitor=new_token())
    output = tmp_path / "panda.mp4"
    assert ask("fetch", job_id, "--format", "mp4", "--output", str(output)).strip() == str(output)
    assert is_whole(output)


def test_a_job_that_waits_is_seen_and_cancelled(ask, held):
    assert held["state"] == "queued"
    assert held["id"] in ask("queue")
    assert "cancelled" in ask("cancel", held["id"])
    assert held["id"] not in ask("queue")
    assert ask("follow", held["id"], exit_code=1).strip() == "The job was cancelled."


def test_what_is_refused_is_said_in_a_line(ask, held):
    assert "There is no job none" in ask("follow", "none", exit_code=2)
    assert "Width 63 is not a multiple of" in ask("submit", PROMPT, "--width", "63", exit_code=2)
    refused = ask("cancel", held["id"], exit_code=2, visitor=new_token())
    assert refused.strip() == "That video is somebody else's. You can only change your own."


def test_without_a_studio_the_way_out_is_said(ask):
    said = ask("queue", exit_code=2, address="http://127.0.0.1:9")
    assert said.startswith("There is no studio at http://127.0.0.1:9. Start one with")
