import os
import runpy
import sys
from pathlib import Path

import pytest

from app.jobs import __main__ as jobs
from app.restart import Restart, can_restart, with_flags


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["app.py"], ["app.py", "--model", "new", "--port", "7860"]),
        (
            ["-m", "app", "--model", "old", "--data", "x", "--port=80"],
            ["-m", "app", "--data", "x", "--model", "new", "--port", "7860"],
        ),
        (["app.py", "--models", "m", "--model"], ["app.py", "--models", "m"]),
    ],
)
def test_the_next_start_has_the_same_flags_but_for_those_that_change(command, expected):
    made = with_flags(command, {"--model": "new", "--port": "7860"})
    assert made[: len(expected)] == expected
    assert with_flags(made, {"--model": "new", "--port": "7860"}) == made


def test_a_flag_can_be_left_out():
    command = ["app.py", "--long-video", "films", "--model", "old"]
    flags = {"--model": "new", "--long-video": None}
    assert with_flags(command, flags) == ["app.py", "--model", "new"]


def test_flags_are_taken_by_their_whole_names_alone(capsys):
    app = runpy.run_path(str(Path(__file__).parents[3] / "app.py"))
    needed = ["--wire", "sqlite:", "--data", "here"]
    for create_parser, others in ((app["create_parser"], []), (jobs.create_parser, needed)):
        assert create_parser().parse_args([*others, "--long-video", "films"]).long_video == "films"
        with pytest.raises(SystemExit):
            create_parser().parse_args([*others, "--long", "films"])
        assert "unrecognized arguments: --long films" in capsys.readouterr().err


def test_the_page_is_closed_and_the_server_becomes_the_next_one(monkeypatch, wait_until):
    class Page:
        server_port = 7861
        is_closed = False

        def close(self):
            self.is_closed = True

    started = []
    monkeypatch.setattr(os, "execv", lambda *command: started.append(command))
    monkeypatch.setattr("app.restart._SECONDS_TO_ANSWER", 0)
    restart, page = Restart(["app.py", "--port", "1"]), Page()
    restart.go()
    assert started == []
    restart.watch(page)
    restart.ask({"--model": "new"})
    wait_until(lambda: page.is_closed)
    restart.go()
    words = [sys.executable, "app.py", "--model", "new", "--port", "7861"]
    assert started == [(sys.executable, words)]


def test_a_space_is_not_started_again(monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert can_restart() == (os.name == "posix")
    monkeypatch.setenv("SPACE_ID", "me/studio")
    assert not can_restart()
