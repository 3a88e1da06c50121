"""Whole training runs: two steps of every stage on real files, killed, stopped and resumed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

from lavie import SuperResolutionPipeline, TextToVideoPipeline
from lavie.cli import main
from lavie.config import dump_config, load_config, preset_names
from lavie.errors import CheckpointError, ConfigError, InputError, TrainingError
from lavie.media import read_video
from lavie.pipelines.model_folder import MINIATURE_FOLDER
from lavie.training.checkpoint import list_checkpoints
from lavie.training.loop import train
from lavie.training.stages.base import BaseConfig, BaseStage
from lavie.training.stages.image import ImageStage
from lavie.training.stages.interpolation import InterpolationStage
from lavie.training.stages.super_resolution import SuperResolutionConfig, SuperResolutionStage
from lavie.training.stages.vae import VAEStage
from lavie.types import Progress
from tests.tiny import UNET, make_tiny_super_resolution
from tests.training_runs import (
    VIDEO,
    base_config,
    image_config,
    interpolation_config,
    super_resolution_config,
    vae_config,
    write_clips,
    write_image_model,
    write_metadata,
    write_pictures,
    write_tars,
)

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
PRESETS = [name for name in preset_names() if name.startswith("train-")]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return write_clips(tmp_path_factory.mktemp("clips"))


def curve(output):
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def weights_of(output):
    newest = list_checkpoints(output / "checkpoints")[-1]
    return torch.load(newest / "weights.pt", weights_only=True)


def assert_equal_runs(first, second):
    assert curve(first) == curve(second)
    ours, theirs = weights_of(first), weights_of(second)
    assert all(torch.equal(weight, theirs[name]) for name, weight in ours.items())


# Every stage, two steps


def test_vae_then_image_then_base_on_real_files(tmp_path, pictures, clips):
    vae = train(VAEStage(vae_config(tmp_path / "vae", pictures, preview_every=2)))
    scratch = {"init_from": None, "vae": vae / "vae", "unet": UNET, "train_text_encoder": True}
    text = {"width": 32, "num_layers": 1, "num_heads": 2}
    image = train(
        ImageStage(image_config(tmp_path / "image", None, pictures, text=text, **scratch))
    )
    config = base_config(tmp_path / "base", image, clips, preview_every=2, unet=UNET)
    base = train(BaseStage(config))

    assert len(curve(tmp_path / "base")) == 2
    for name in ("vae", "base"):
        assert (tmp_path / name / "previews" / "step-00000002.png").stat().st_size > 500
    moving = read_video(tmp_path / "base" / "previews" / "step-00000002.mp4")
    assert (len(moving.frames), moving.fps) == (VIDEO["num_frames"], VIDEO["fps"])
    pipeline = TextToVideoPipeline.from_pretrained(base)
    pipeline.set_progress_bar_config(disable=True)
    video = pipeline("a fox", generator=torch.Generator().manual_seed(0)).frames[0]
    assert video.shape == (VIDEO["num_frames"], VIDEO["height"], VIDEO["width"], 3)


def test_the_published_preset_at_reduced_width(tmp_path):
    tars = write_tars(tmp_path / "tars")
    data = [
        f'videos=[{{kind: webdataset, urls: ["{tars}/clips.tar"]}}, '
        f"{{kind: metadata, path: {write_metadata(tmp_path / 'vimeo')}, from_step: 1}}]",
        f'images=[{{kind: webdataset, urls: ["{tars}/pictures.tar"], stills: true}}]',
    ]
    small = [f"unet.{key}={json.dumps(value)}" for key, value in UNET.items()]
    shape = [f"video.{key}={value}" for key, value in VIDEO.items()]
    run = ["num_steps=2", "log_every=1", "preview_every=0", f"output={tmp_path / 'run'}"]
    start = f"init_from={write_image_model(tmp_path / 'sd')}"
    overrides = [*data, *small, *shape, *run, start]
    config = load_config(BaseConfig, "train-base", overrides=overrides)
    assert (config.mixed_precision, config.gradient_checkpointing) == ("bf16", True)
    folder = train(BaseStage(config))
    assert [line["samples"] for line in curve(tmp_path / "run")] == [4, 8]
    assert TextToVideoPipeline.from_pretrained(folder).scheduler.config.beta_schedule == "linear"


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_passes_a_dry_run(preset, tmp_path, capsys):
    stage = preset.split("-")[1]
    output = tmp_path / "run"
    arguments = ["train", stage, "--preset", preset, "--output", str(output), "--dry-run"]
    code = main(arguments)
    printed = capsys.readouterr().out
    assert code == (2 if "# MISSING" in printed else 0)
    assert yaml.safe_load(printed)["output"] == str(output)
    assert "# " in printed
    assert not output.exists()


def test_a_dry_run_tells_what_is_missing_and_how_large_it_gets(capsys):
    assert main(["train", "base", "--preset", "train-base", "--dry-run"]) == 2
    printed = capsys.readouterr().out
    assert "# MISSING pretrained_models/stable-diffusion-v1-4/unet does not exist yet" in printed
    assert "# latents of a row: 4 x 20 x 40 x 64" in printed


def test_super_resolution_starts_from_the_bundled_model(tmp_path, capsys):
    """Its own sub-folder, and the parts it shares from the folder above."""
    arguments = ["train", "vsr", "--preset", "train-vsr-miniature", "--output", str(tmp_path / "a")]
    bundled = ["--set", f"init_from={MINIATURE_FOLDER}"]
    assert main([*arguments, *bundled, "--dry-run"]) == 0
    assert main([*arguments, "--dry-run"]) == 2
    assert main(arguments) == 2
    printed = capsys.readouterr()
    way_out = "python -m lavie train vsr --preset train-vsr-miniature-image makes it; or start from"
    assert way_out in printed.out
    assert way_out in printed.err
    config = load_config(SuperResolutionConfig, "train-vsr-miniature", None, bundled[1:])
    stage = SuperResolutionStage(config)
    assert torch.equal(
        stage.model.unet.conv_in.weight,
        SuperResolutionPipeline.from_pretrained("miniature").unet.conv_in.weight,
    )
    both = [*arguments, *bundled, "--set", f"text_from={MINIATURE_FOLDER}"]
    assert main(both) == 2
    assert "Leave text_from out." in capsys.readouterr().err


# Stopped, killed, resumed


def launch(config, stage, output, *flags):
    path = output.with_suffix(".yaml")
    path.write_text(dump_config(config))
    command = [sys.executable, "-m", "lavie", "train", stage, "--config", str(path), *flags]
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    return subprocess.Popen(
        [*command, "--output", str(output)],
        cwd=ROOT,
        env={**os.environ, **threads},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_step(process, output, step):
    path = output / "metrics.jsonl"
    while not path.exists() or path.read_text().count("\n") < step:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)


def test_stopped_then_killed_then_resumed_equals_never_stopped(tmp_path, pictures):
    changes = {"checkpoint_every": 4, "gradient_accumulation_steps": 2}
    endless = vae_config(tmp_path / "run", pictures, **{**changes, "num_steps": 100_000})
    output = endless.output

    stopped = launch(endless, "vae", output)
    wait_for_step(stopped, output, 2)
    stopped.send_signal(signal.SIGINT)
    _, errors = stopped.communicate(timeout=600)
    stop = int(list_checkpoints(output / "checkpoints")[-1].name.removeprefix("step-"))
    assert stopped.returncode == 130
    assert f"Stopped at step {stop} of 100000; start again to resume." in errors

    killed = launch(endless, "vae", output)
    wait_for_step(killed, output, stop + 6)
    killed.kill()
    killed.communicate()
    last = int(list_checkpoints(output / "checkpoints")[-1].name.removeprefix("step-"))
    done = curve(output)[-1]["step"]
    assert last > stop
    assert done - last <= changes["checkpoint_every"]

    num_steps = last + 3
    train(VAEStage(endless.model_copy(update={"num_steps": num_steps})))
    again = vae_config(tmp_path / "again", pictures, **{**changes, "num_steps": num_steps})
    train(VAEStage(again))
    assert_equal_runs(output, tmp_path / "again")


@pytest.fixture(scope="module")
def upscaler(tmp_path_factory):
    folder = tmp_path_factory.mktemp("upscaler")
    make_tiny_super_resolution().save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("stage", "make_config", "start", "changes"),
    [
        (BaseStage, base_config, "model_folder", {"frames_per_clip": 2}),
        (InterpolationStage, interpolation_config, "model_folder", {"patch_size": 8}),
        (SuperResolutionStage, super_resolution_config, "upscaler", {}),
    ],
)
def test_a_run_resumes_exactly(stage, make_config, start, changes, tmp_path, clips, request):
    changes = {
        "num_steps": 4,
        "log_every": 3,
        "optimizer": {"schedule": "cosine", "warmup_steps": 1},
        **changes,
    }
    model = request.getfixturevalue(start)
    train(stage(make_config(tmp_path / "whole", model, clips, **changes)))

    cut = make_config(tmp_path / "cut", model, clips, **changes)
    seen = []

    def hear(event):
        if isinstance(event, Progress):
            seen.append(event.step)

    def stop_after_two(event):
        hear(event)
        if seen[-1:] == [2]:
            raise KeyboardInterrupt

    train_cut = cut.model_copy(update={"checkpoint_every": 1, "num_data_threads": 3})
    with pytest.raises(KeyboardInterrupt):
        train(stage(train_cut), stop_after_two)
    train(stage(train_cut), hear)
    assert seen == [1, 2, 2, 3, 4]  # the report of step 2 came before its checkpoint
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")


def test_a_finished_run_may_go_on_and_another_may_not_take_its_folder(tmp_path, pictures):
    config = vae_config(tmp_path / "run", pictures)
    train(VAEStage(config))
    train(VAEStage(config.model_copy(update={"num_steps": 3})))
    assert [line["step"] for line in curve(config.output)] == [1, 2, 3]
    with pytest.raises(ConfigError, match="its seed is 0, not 1"):
        train(VAEStage(config.model_copy(update={"seed": 1})))
    with pytest.raises(ConfigError, match="less than the 3 steps already done"):
        train(VAEStage(config))


def test_a_broken_newest_checkpoint_is_named(tmp_path, pictures):
    config = vae_config(tmp_path / "run", pictures, checkpoint_every=1)
    train(VAEStage(config))
    (tmp_path / "run" / "checkpoints" / "step-00000002" / "ema.pt").write_bytes(b"")
    longer = config.model_copy(update={"num_steps": 3})
    with pytest.raises(CheckpointError, match="step-00000002 cannot be read.*Delete it"):
        train(VAEStage(longer))


def test_a_gradient_that_is_no_number_stops_the_run(tmp_path, pictures):
    stage = VAEStage(vae_config(tmp_path / "run", pictures))
    with torch.no_grad():
        stage.vae.decoder.conv_out.weight.fill_(torch.nan)
    with pytest.raises(TrainingError, match="gradient is nan after 0 steps"):
        train(stage)


def test_a_preview_that_fails_costs_no_training(tmp_path, pictures, caplog):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "previews").write_text("a file where the folder should be")
    folder = train(VAEStage(vae_config(tmp_path / "run", pictures, preview_every=1)))
    assert (folder / "vae" / "config.json").exists()
    assert "The preview of step 1 failed" in caplog.text


def test_fp16_needs_a_gpu(tmp_path, pictures, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    with pytest.raises(ConfigError, match="fp16 needs a GPU"):
        train(VAEStage(vae_config(tmp_path / "run", pictures, mixed_precision="fp16")))


def test_missing_files_are_said_in_one_line(tmp_path, model_folder, capsys):
    missing = tmp_path / "nothing"
    with pytest.raises(InputError, match="nothing does not exist"):
        train(VAEStage(vae_config(tmp_path / "run", missing)))
    with pytest.raises(CheckpointError, match="nothing' does not exist. Name another with"):
        ImageStage(image_config(tmp_path / "run", missing, missing))
    code = main(["train", "base", "--set", f"init_from={missing}", "--output", str(tmp_path / "r")])
    assert code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    (tmp_path / "file").touch()
    assert main(["train", "vae", "--output", str(tmp_path / "file")]) == 2
    assert "is a file" in capsys.readouterr().err
    assert main(["train", "base", "--set", "num_step=3", "--dry-run"]) == 2
    assert "did you mean 'num_steps'?" in capsys.readouterr().err


def test_two_processes_share_the_work(tmp_path, model_folder, clips):
    config = base_config(tmp_path / "run", model_folder, clips, gradient_accumulation_steps=2)
    path = tmp_path / "config.yaml"
    path.write_text(dump_config(config))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    port = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]
    command = ["-m", "lavie", "train", "base", "--config", str(path)]
    environment = {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    result = subprocess.run(
        [*torchrun, *port, *command],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [str(tmp_path / "run" / "model")]  # one process prints
    assert "bucket view strides" not in result.stderr
    assert [line["samples"] for line in curve(tmp_path / "run")] == [8, 16]
