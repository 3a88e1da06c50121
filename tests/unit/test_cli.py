import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from lavie.cli import main
from lavie.media import read_video

ROOT = Path(__file__).parents[2]


@pytest.fixture
def generate(model_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        small = ("--num-inference-steps", 1, "--height", 16, "--width", 32, "--num-frames", 2)
        given = ("generate", "--model", model_folder, "--prompt", "a fox", *small, *arguments)
        code = main([str(argument) for argument in given])
        return code, *capsys.readouterr()

    return run


def test_help_and_bad_flags_need_no_torch():
    script = "import sys, lavie.cli; print({'torch', 'diffusers', 'gradio'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.stdout.strip() == "set()", result.stderr


def test_output_defaults_to_the_next_free_name(generate, tmp_path):
    for _ in range(2):
        assert generate()[0] == 0
    assert sorted(path.name for path in (tmp_path / "outputs").iterdir()) == [
        "video-0001.mp4",
        "video-0001.recipe.json",
        "video-0002.mp4",
        "video-0002.recipe.json",
    ]


def test_seed_is_new_each_time_unless_given(generate):
    def seed(*arguments):
        return json.loads(generate("--json", *arguments)[1])["seed"]

    assert seed() != seed()
    assert seed("--seed", 3) == 3


def test_enlarging_shows_every_pixel_as_a_square(generate, tmp_path):
    code, out, _ = generate("--enlarge", 4, "--output", "a.mp4", "--json")
    assert code == 0
    assert json.loads(out)["size"] == [128, 64]
    frames = read_video(tmp_path / "a.mp4").frames.astype(int)
    assert np.abs(frames[:, 1::4, 1::4] - frames[:, 2::4, 2::4]).mean() < 8


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--prompt", ""], "The prompt is empty. Describe the video in a few words."),
        (["--prompt", "x" * 10_000], "Prompt has 10,000 characters. Use at most 1,000."),
        (["--guidance-scale", "nan"], "Guidance scale nan is not a number between 0 and 50."),
        (["--guidance-scale", "much"], "argument --guidance-scale: invalid float value: 'much'"),
        (["--width", "100000"], "Width 100000 is not between 16 and 40960."),
        (["--height", "41"], "Height 41 is not a multiple of 4. Use 40 or 44."),
        (["--seed", "-1"], "Seed -1 is not between 0 and"),
        (["--scheduler", "plms"], "Scheduler 'plms' is not one of dpm++, ddim, ddpm, euler."),
        (["--stages", "bass"], "Stages 'bass' is not one of base, interpolation,"),
        (["--stages", "base,super_resolution"], "has no stage 'super_resolution'. It has base."),
        (["--model", "nothing"], "Model 'nothing' is not a folder."),
        (["--model", "x" * 3000], "cannot be used: File name too long."),
        (["--output", "a.avi"], "Output 'a.avi' does not end in .mp4."),
        (["--output", "no/a.mp4"], "Output folder 'no' does not exist. Make it first."),
        (["--interpolation-steps", "0"], "Inference steps 0 is not between 1 and 1000."),
        (["--tile-size", "small"], "'small' is not 'auto' or a number of pixels"),
        (["--enlarge", "100"], "Enlarge 100 is not between 1 and 16."),
        (["--colour"], "unrecognized arguments: --colour"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(generate, tmp_path, arguments, sentence):
    code, out, err = generate(*arguments)
    assert code == 2
    assert sentence in err
    assert err.count("\n") == 1
    assert out == ""
    assert not list(tmp_path.glob("**/*.mp4"))


def test_a_file_in_the_way_of_the_outputs_is_said(generate, tmp_path):
    (tmp_path / "outputs").touch()
    code, _, err = generate()
    assert code == 2
    assert "Output folder 'outputs' cannot be made" in err


def test_debug_shows_where(generate):
    code, _, err = generate("--debug", "--guidance-scale", "nan")
    assert code == 2
    assert "Traceback" in err


def test_no_command_is_one_line(capsys):
    assert main([]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_missing_package_is_one_line(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "lavie.pipelines.limits", None)
    monkeypatch.delattr("lavie.pipelines.limits")
    assert main(["generate", "--prompt", "a fox"]) == 2
    err = capsys.readouterr().err
    assert err.endswith("Run pip install -r requirements.txt -c constraints.txt\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "unbuffered"), [("lavie --help", ""), ("lora list", ""), ("lora list", "1")]
)
def test_a_reader_that_has_enough_is_no_fault(flags, unbuffered, tmp_path):
    read, write = os.pipe()
    os.close(read)
    around = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered}
    run = partial(subprocess.run, [sys.executable, "-m", *flags.split()], cwd=tmp_path, env=around)
    found = run(stdout=write, stderr=subprocess.PIPE, text=True)
    assert (found.returncode, found.stderr) == (141, "")
    assert run(stdout=write, stderr=write).returncode == 141
    os.close(write)
