import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from tests.ui.conftest import ROOT

pytestmark = pytest.mark.ui


def run_app(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "app.py", *arguments], cwd=ROOT, capture_output=True, text=True
    )


def test_help_explains_every_flag():
    text = run_app("--help").stdout
    for flag in (
        "--model",
        "--host",
        "--listen",
        "--port",
        "--share",
        "--data",
        "--auth",
        "--open-to-all",
        "--auth-file",
        "--public",
        "--gallery",
        "--safety",
        "--profile",
        "--models",
    ):
        assert flag in text


@pytest.mark.parametrize(
    ("flag", "value", "sentence"),
    [
        ("--model", "no/such/folder", "Model 'no/such/folder' is not a folder."),
        ("--port", "99999", "Port 99999 is not between 0 and 65535."),
        ("--data", "README.md", "Output folder 'README.md' cannot be made:"),
        ("--host", "0.0.0.0", "Others could reach the page, and everything made on it, without"),
        ("--auth", "me", "--auth is not a name and a password."),
        ("--auth-file", "no/such/file", "The password file 'no/such/file' cannot be read"),
        ("--safety", "no.such:checker", "There is no safety checker 'no.such:checker'."),
    ],
)
def test_a_wrong_flag_is_one_clear_line_and_exit_code_2(flag, value, sentence):
    done = run_app(flag, value)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"app.py: error: {sentence}")
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_said():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_app("--port", str(port))
    assert done.returncode == 2
    assert f"app.py: error: Port {port} cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_server_listens_on_this_computer_only_and_shares_nothing(server):
    assert "Running on local URL:  http://127.0.0.1" in server.log
    assert "public URL" not in server.log


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_the_job_store_is_served_to_nobody(server, suffix):
    store = server.data / f"jobs.sqlite3{suffix}"
    assert store.is_file()
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{server.url}/gradio_api/file={store}", timeout=10)
    caught.value.close()
    assert caught.value.code == 403
