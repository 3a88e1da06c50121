"""The command line as a user has it: another process, a model folder, a file at the end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lavie.media import read_video

pytestmark = pytest.mark.integration


def lavie(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-m", "lavie", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p or str(Path.cwd()) for p in sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_generate_writes_a_video_with_its_recipe(model_folder, tmp_path):
    arguments = ("generate", "--model", model_folder, "--prompt", "a fox in the snow", "--seed", 7)
    result = lavie(*arguments, "--json", "--output", "fox.mp4", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    report = json.loads(result.stdout.splitlines()[-1])
    assert report["output"] == "fox.mp4"
    assert (report["seed"], report["frames"], report["fps"]) == (7, 16, 8)
    assert report["size"] == [64, 40]
    assert set(report["seconds"]) == {"load", "base", "write"}
    assert report["peak_memory"] > 0
    video = read_video(tmp_path / "fox.mp4")
    assert video.frames.shape == (16, 40, 64, 3)
    assert video.metadata["prompt"] == "a fox in the snow"
    assert json.loads((tmp_path / "fox.recipe.json").read_text()) == video.metadata

    again = lavie(*arguments, "--output", "fox.mp4", cwd=tmp_path)
    assert again.returncode == 0
    assert again.stderr.strip() == "fox.mp4 is replaced when the new one is done."
    assert "16 frames, 64x40, seed 7" in again.stdout
    assert np.array_equal(read_video(tmp_path / "fox.mp4").frames, video.frames)
