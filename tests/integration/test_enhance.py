"""Smooth and enlarge as a user does: other processes, files in between, and a change of mind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lavie.media import read_video, write_video
from tests.unit.data.media_files import grey_frames

pytestmark = pytest.mark.integration


def start(*arguments, cwd):
    return subprocess.Popen(
        [sys.executable, "-m", "lavie", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p or str(Path.cwd()) for p in sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs tests in the background has children ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def lavie(*arguments, cwd):
    process = start(*arguments, "--json", cwd=cwd)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


def test_a_sentence_becomes_a_video_then_smooth_then_large(cascade_folder, tmp_path):
    model = ("--model", cascade_folder)
    small = ("--height", 16, "--width", 32, "--num-frames", 3, "--seed", 4)
    made = lavie("generate", *model, *small, "--prompt", "a fox", cwd=tmp_path)
    smooth = lavie("interpolate", made["output"], *model, cwd=tmp_path)
    large = lavie("upscale", smooth["output"], *model, cwd=tmp_path)
    assert [found["seed"] for found in (made, smooth, large)] == [4, 4, 4]
    assert (smooth["frames"], smooth["fps"]) == (9, 4 * made["fps"])
    assert (large["frames"], large["size"]) == (9, [128, 64])
    video = read_video(tmp_path / large["output"])
    assert video.frames.shape == (9, 64, 128, 3)
    assert video.metadata["prompt"] == "a fox"
    assert video.metadata["source"]["recipe"]["source"]["recipe"]["stages"] == ["base"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_leaves_nothing_half_written(cascade_folder, tmp_path):
    write_video(tmp_path / "film.mp4", grey_frames(range(0, 240), (32, 48)), 8)
    process = start("upscale", "film.mp4", "--model", cascade_folder, cwd=tmp_path)
    outputs = tmp_path / "outputs"
    deadline = time.monotonic() + 200
    while not any(outputs.glob(".*")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert process.poll() is None, process.communicate()[1]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=100)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "Stopped."
    assert list(outputs.iterdir()) == []
