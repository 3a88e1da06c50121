"""Personal LoRAs on the bundled miniature, by the commands that people type."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lavie.cli import main
from lavie.cli.lora import main as lora_main
from lavie.media import read_video
from lavie.training.checkpoint import list_checkpoints
from tests.unit.lora.personal import assert_equal_runs, draw_pictures

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
STEPS = ["--set", "num_steps=6", "--set", "num_prior_images=1", "--set", "sample_every=0"]
FEW = [*STEPS, "--set", "checkpoint_every=1", "--set", "num_variants=2"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    draw_pictures(folder, 4, (64, 40))
    (folder / "0.txt").write_text("in the snow")
    return folder


def train_flags(pictures, output):
    return ["train", "--images", str(pictures), "--token", "zog", "--output", str(output), *FEW]


@pytest.fixture(scope="module")
def trained(pictures, tmp_path_factory):
    output = tmp_path_factory.mktemp("whole") / "run"
    kept = output.parent / "kept"
    assert lora_main([*train_flags(pictures, output), "--keep", "--registry", str(kept)]) == 0
    return output / "lora.safetensors", kept


def test_a_killed_training_resumes_with_the_same_weights(pictures, tmp_path):
    """Each in a process of its own: rounding may depend on what a process has done before."""

    def start(name, **more):
        flags = [*train_flags(pictures, tmp_path / name), "--debug"]
        command = [sys.executable, "-m", "lora", *flags]
        more |= {"stdout": subprocess.DEVNULL, "env": {**os.environ, "OMP_NUM_THREADS": "1"}}
        return subprocess.Popen(command, cwd=ROOT, **more)

    assert start("whole").wait(240) == 0
    process = start("run")
    try:
        until = time.monotonic() + 240
        while not (tmp_path / "run" / "checkpoints" / "step-00000002").exists():
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < until
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (tmp_path / "run" / "lora.safetensors").exists()
    learnt = int(list_checkpoints(tmp_path / "run" / "checkpoints")[-1].name[-8:])
    again = start("run", stderr=subprocess.PIPE, text=True)
    said = again.communicate(timeout=240)[1]
    assert again.returncode == 0
    assert f"Resumed stage lora at step {learnt}." in said
    assert_equal_runs(tmp_path / "run", tmp_path / "whole")


def test_a_finished_training_that_is_kept_again_is_kept_once(pictures, trained, capsys):
    path, kept = trained
    again = [*train_flags(pictures, path.parent), "--keep", "--registry", str(kept)]
    assert lora_main(again) == 0
    said = capsys.readouterr()
    assert lora_main(["list", "--registry", str(kept), "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert f"already kept as 'zog' ({entry['id']})" in said.err
    assert f"--lora {entry['id']}" in said.out


def test_a_kept_lora_makes_videos_whose_recipe_names_it(trained, tmp_path, capsys):
    kept = trained[1]
    assert lora_main(["list", "--registry", str(kept), "--json"]) == 0
    entry = json.loads(capsys.readouterr().out)[0]
    flags = ["--seed", "1", "--num-inference-steps", "1", "--registry", str(kept)]
    frames = {}
    for name, lora in {"with": ["--lora", f"{entry['id']}:0.5"], "without": []}.items():
        output = tmp_path / f"{name}.mp4"
        asked = ["generate", "--prompt", "a zog in the snow", *flags, "--output", str(output)]
        assert main([*asked, *lora]) == 0
        frames[name] = read_video(output)
    about = frames["with"].metadata["loras"]
    assert about == [{"name": "zog", "token": "zog", "weight": 0.5, "sha256": entry["sha256"]}]
    assert "loras" not in frames["without"].metadata
    assert (frames["with"].frames != frames["without"].frames).any()


def test_a_story_is_filmed_with_a_lora(trained, tmp_path):
    story, output = tmp_path / "story.txt", tmp_path / "film.mp4"
    story.write_text("a zog moving left over the ocean | 2\na zog in the snow | 2")
    flags = ["--num-inference-steps", "1", "--lora", str(trained[0]), "--output", str(output)]
    assert main(["generate", "--story", str(story), *flags]) == 0
    assert read_video(output).metadata["loras"][0]["token"] == "zog"


def test_kept_loras_are_renamed_tagged_exported_deleted_and_had_back(trained, tmp_path, capsys):
    path = trained[0]
    at = ["--registry", str(tmp_path / "mine")]
    assert lora_main(["import", str(path), "--name", "Mine", *at]) == 0
    assert lora_main(["rename", "Mine", "My own", *at]) == 0
    assert lora_main(["tag", "My own", "sea", *at]) == 0
    capsys.readouterr()
    for style in ("kohya", "diffusers"):
        folder = tmp_path / style
        asked = ["export", "My own", "--output", str(folder), "--format", style, *at]
        assert lora_main(asked) == 0
        assert lora_main(["import", str(folder / "My-own.safetensors"), "--name", style, *at]) == 0
    capsys.readouterr()
    assert lora_main(["delete", "My own", "--json", *at]) == 0
    deleted = json.loads(capsys.readouterr().out)
    assert deleted["tags"] == ["sea"]
    assert lora_main(["delete", "My own", *at]) == 2
    assert "There is no LoRA 'My own'" in capsys.readouterr().err
    assert lora_main(["undelete", deleted["id"], *at]) == 0
    assert lora_main(["list", "--json", *at]) == 0
    names = {entry["name"] for entry in json.loads(capsys.readouterr().out.splitlines()[-1])}
    assert names == {"My own", "diffusers"}  # kohya's is the file itself


def test_a_dry_run_says_what_would_be_done_and_what_memory_that_takes(pictures, tmp_path, capsys):
    output = tmp_path / "run"
    assert lora_main([*train_flags(pictures, output), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "num_steps: 6" in said
    assert "GB while it learns" in said
    assert "A larger picture" not in said
    size = ["--set", "height=200", "--set", "width=320"]
    assert lora_main([*train_flags(pictures, output), *size, "--dry-run"]) == 0
    assert "# '0.png' has only 256x160 pixels, and videos are 200 high" in capsys.readouterr().out
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["train", "--token", "zog"], "Give --images"),
        (["train", "--images", "absent", "--token", "zog"], "'absent' does not exist"),
        (["train", "--images", "{pictures}"], "Give --token"),
        (["train", "--images", "{pictures}", "--token", "fox"], "already means"),
        (["train", "--images", "{pictures}", "--token", "zog", "--set", "rnk=3"], "'rank'"),
        (
            ["train", "--images", "{pictures}", "--token", "zog", "--caption-model", "absent"],
            "no model that describes",
        ),
        (["import", "{pictures}/0.txt"], "no safetensors file"),
        (["check", "{pictures}/0.txt"], "can't be read"),
        (["rename", "nothing", "x"], "There is no LoRA"),
        (["export", "nothing"], "There is no LoRA"),
    ],
)
def test_mistakes_get_one_line_and_exit_code_2(pictures, tmp_path, capsys, arguments, match):
    arguments = [text.format(pictures=pictures) for text in arguments]
    registry = [] if arguments[0] == "check" else ["--registry", str(tmp_path)]
    assert lora_main([*arguments, *registry]) == 2
    told = capsys.readouterr()
    said = told.out if arguments[0] == "check" else told.err
    assert match in said
    assert len(told.err.splitlines()) == 1
