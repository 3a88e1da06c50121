import subprocess
import sys

import pytest

from tests.ui.conftest import ROOT

pytestmark = pytest.mark.ui


def run_app(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "app.py", *arguments], cwd=ROOT, capture_output=True, text=True
    )


def test_help_explains_every_flag():
    text = run_app("--help").stdout
    for flag in ("--model", "--host", "--listen", "--port", "--share", "--data"):
        assert flag in text


def test_a_wrong_model_is_one_clear_line_and_exit_code_2(tmp_path):
    done = run_app("--model", str(tmp_path / "absent"))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("app.py: error: Model '")
    assert "Traceback" not in done.stderr


def test_the_server_listens_on_this_computer_only_and_shares_nothing(server):
    assert "Running on local URL:  http://127.0.0.1" in server.log
    assert "public URL" not in server.log
