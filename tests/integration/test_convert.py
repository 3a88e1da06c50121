"""The command ``convert``: what it writes, and that a failure leaves nothing behind."""

import json
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lavie.cascade import Cascade
from lavie.cli import main
from lavie.convert.published import STABLE_DIFFUSION
from lavie.convert.resolve import find_models, load_pipeline, load_stage
from lavie.convert.stages import find_stages
from lavie.errors import CheckpointError
from lavie.media import read_video
from lavie.pipelines.interpolation import InterpolationPipeline
from lavie.pipelines.long_video import LongVideoPipeline
from lavie.pipelines.super_resolution import SuperResolutionPipeline
from lavie.pipelines.text_to_video import TextToVideoPipeline
from tests.fake_hub import serve_hub
from tests.published import RunsCode, make_state_dict, write_original_folder

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    return write_original_folder(tmp_path_factory.mktemp("original") / "pretrained_models")


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "out" / "lavie-base"


def make_video(pipeline: TextToVideoPipeline) -> torch.Tensor:
    pipeline.set_progress_bar_config(disable=True)
    output = pipeline(
        "a fox in the snow",
        height=32,
        width=40,
        num_frames=3,
        num_inference_steps=2,
        generator=torch.Generator().manual_seed(0),
        output_type="pt",
    )
    return torch.as_tensor(output.frames)


def test_converted_folder_makes_the_video_of_the_published_files(original, target, capsys):
    assert main(["convert", str(original), "--output", str(target), "--dtype", "fp32"]) == 0
    assert "all names and shapes agree" in capsys.readouterr().out
    expected = make_video(load_pipeline(original))
    assert expected.std() > 0
    assert torch.equal(make_video(TextToVideoPipeline.from_pretrained(target)), expected)


@pytest.mark.parametrize("wrap", ["bare", "ema"])
def test_half_precision_folder_holds_the_rounded_weights(original, tmp_path, target, capsys, wrap):
    state_dict = make_state_dict()
    checkpoint = tmp_path / "lavie_base.pt"
    torch.save(state_dict if wrap == "bare" else {"ema": state_dict}, checkpoint)
    parts = original / "stable-diffusion-v1-4"
    arguments = ["convert", str(checkpoint), "--stable-diffusion", str(parts), "--json"]
    assert main([*arguments, "--output", str(target)]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["output"] == str(target)
    assert (result["network"], result["dtype"], result["keys"]) == ("base", "fp16", len(state_dict))
    written = load_file(next((target / "unet").glob("*.safetensors")))
    assert written.keys() == state_dict.keys()
    assert all(torch.equal(value, state_dict[key].half()) for key, value in written.items())
    files = {path.name for path in target.rglob("*") if path.is_file()}
    assert not any(name.endswith((".bin", ".pt")) for name in files)


def test_original_folder_is_a_model_by_itself(original):
    cascade = Cascade.from_pretrained(original, device="cpu")
    video = cascade.generate(
        "a fox", height=32, width=32, num_frames=2, num_inference_steps=1, seed=3
    )
    assert video.frames.shape == (2, 32, 32, 3)
    assert video.metadata["model"] == str(original)


def test_published_files_come_from_the_hub(original, target, tmp_path):
    repositories = {
        "Vchitect/LaVie": original,
        STABLE_DIFFUSION.repository: original / "stable-diffusion-v1-4",
    }
    (original / "stable-diffusion-v1-4/tokenizer/special_tokens_map.json").write_text("{}")
    with serve_hub(repositories) as hub:
        hub.cuts = [50_000]
        # The library reads its address once, at import
        environment = {"HF_ENDPOINT": hub.endpoint, "HF_HUB_CACHE": str(tmp_path / "cache")}
        done = subprocess.run(
            [sys.executable, "-m", "lavie", "convert", "--output", str(target)],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "lavie_base.pt: about 3.64 GB" in done.stderr
    assert "licence" in done.stderr
    assert hub.fetched[:2] == ["lavie_base.pt", "lavie_base.pt@50000"]
    TextToVideoPipeline.from_pretrained(target)


@pytest.fixture(scope="module")
def long_video_folder(tmp_path_factory) -> Path:
    """A model folder of SEINE."""
    home = tmp_path_factory.mktemp("seine")
    source = write_original_folder(home / "pretrained_models", network="long_video")
    assert main(["convert", str(source), "--output", str(home / "long")]) == 0
    return home / "long"


def test_long_video_folder_holds_the_network_with_nine_channels(long_video_folder):
    weights = load_file(next((long_video_folder / "unet").glob("*.safetensors")))
    expected = make_state_dict("long_video")
    assert all(torch.equal(weights[key], value.half()) for key, value in expected.items())
    config = json.loads((long_video_folder / "unet" / "config.json").read_text())
    assert config["in_channels"] == 9


def test_long_video_folder_says_what_it_is_for(long_video_folder):
    index = json.loads((long_video_folder / "model_index.json").read_text())
    assert index["_class_name"] == "LongVideoPipeline"
    assert index["unet"] == ["lavie.models", "BaseUNet"]
    assert (index["default_num_inference_steps"], index["default_guidance_scale"]) == (250, 8.0)
    assert all((long_video_folder / part).is_dir() for part in ("vae", "text_encoder", "tokenizer"))


@pytest.mark.parametrize("sampler", [(), ("--scheduler", "ddim")], ids=["ddpm", "ddim"])
def test_a_story_is_filmed_with_the_base_and_the_long_video_network(
    original, long_video_folder, tmp_path, monkeypatch, sampler
):
    said = []
    call = LongVideoPipeline.__call__

    def heard(self, prompt, *args, **options):
        said.append(prompt)
        return call(self, prompt, *args, **options)

    monkeypatch.setattr(LongVideoPipeline, "__call__", heard)
    (tmp_path / "story.txt").write_text("a fox | 0.5\na pig | 0.5\n")
    networks = ("--model", str(original), "--long-video", str(long_video_folder))
    size = ("--height", "256", "--width", "256", "--num-inference-steps", "2", "--seed", "3")
    film = tmp_path / "film.mp4"
    given = ("--story", str(tmp_path / "story.txt"), "--output", str(film))
    assert main(["generate", *networks, *size, *given, *sampler]) == 0
    video = read_video(film)
    assert video.frames.shape == (8, 256, 256, 3)
    told = video.metadata["settings"]["long_video"]
    assert (told["way"], told["num_given"], told["guidance_scale"]) == ("recursion", 1, 8)
    assert told["scheduler"] == ("ddim" if sampler else "ddpm")
    assert said == ["a pig, slow motion."]


def test_text_to_video_refuses_the_long_video_folder_by_name(long_video_folder):
    with pytest.raises(CheckpointError, match="is for LongVideoPipeline"):
        TextToVideoPipeline.from_pretrained(long_video_folder)


@pytest.fixture(scope="module")
def three(tmp_path_factory) -> Path:
    """The original's folder with all three checkpoints."""
    folder = tmp_path_factory.mktemp("three") / "pretrained_models"
    for network in ("base", "interpolation", "super_resolution"):
        write_original_folder(folder, network=network)
    return folder


@pytest.fixture(scope="module")
def cascade_folder(three) -> Path:
    target = three.parent / "lavie"
    assert main(["convert", str(three), "--output", str(target)]) == 0
    return target


def test_a_folder_with_all_stages_becomes_one_model_that_stores_shared_parts_once(
    cascade_folder,
):
    def names(folder: Path) -> set[str]:
        return {path.name for path in folder.iterdir() if path.is_dir()}

    parts = {"unet", "vae", "text_encoder", "tokenizer", "scheduler"}
    assert names(cascade_folder) == parts | {"interpolation", "super_resolution"}
    assert names(cascade_folder / "interpolation") == {"unet", "scheduler"}
    own = {
        "unet",
        "vae",
        "scheduler",
        "low_res_scheduler",
    }  # its text is the base's
    assert names(cascade_folder / "super_resolution") == own
    for stage, folder in (
        ("base", cascade_folder),
        ("interpolation", cascade_folder / "interpolation"),
        ("super_resolution", cascade_folder / "super_resolution"),
    ):
        weights = load_file(next((folder / "unet").glob("*.safetensors")))
        expected = make_state_dict(stage)
        assert weights.keys() == expected.keys()
        assert all(torch.equal(weights[key], value.half()) for key, value in expected.items())


def test_a_converted_cascade_names_no_path_of_this_machine(cascade_folder, three):
    for path in cascade_folder.rglob("*.json"):
        assert str(three.parent) not in path.read_text(), path


def test_a_converted_cascade_gives_the_stages_of_the_published_files(three, tmp_path):
    target = tmp_path / "lavie"
    assert main(["convert", str(three), "--output", str(target), "--dtype", "fp32"]) == 0
    for stage in find_stages(three):
        ours, theirs = load_stage(three, stage), load_stage(target, stage)
        assert type(ours) is type(theirs)
        for name, part in ours.components.items():
            if isinstance(part, torch.nn.Module):
                other = theirs.components[name].state_dict()
                assert all(torch.equal(v, other[k]) for k, v in part.state_dict().items())
        for key in (key for key in ours.config if key.startswith("default_")):
            assert ours.config[key] == theirs.config[key]


@pytest.mark.parametrize(
    ("network", "kind"),
    [("interpolation", InterpolationPipeline), ("super_resolution", SuperResolutionPipeline)],
)
def test_a_later_stage_alone_stands_alone(three, target, capsys, network, kind):
    arguments = ["convert", str(three), "--network", network, "--output", str(target), "--json"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["network"] == network
    kind.from_pretrained(target)
    assert find_stages(target) == (network,)


def test_converting_the_cascade_is_reported_per_network(three, target, capsys):
    arguments = ["convert", str(three), "--network", "cascade", "--output", str(target), "--json"]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.endswith(":")] == [
        "base:",
        "interpolation:",
        "super_resolution:",
    ]
    result = json.loads(lines[-1])
    assert result["network"] == "cascade"
    assert result["networks"] == ["base", "interpolation", "super_resolution"]


@pytest.mark.parametrize("broken", ["interpolation", "super_resolution"])
def test_one_broken_stage_leaves_nothing_of_the_cascade(three, tmp_path, target, capsys, broken):
    folder = shutil.copytree(three, tmp_path / "pretrained_models")
    state_dict = make_state_dict(broken)
    state_dict["conv_out.bias"][0] = torch.nan  # seen only when the values are read
    write_original_folder(folder, state_dict, broken)
    assert main(["convert", str(folder), "--output", str(target)]) == 2
    assert "undefined values" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [folder]


def test_a_cascade_without_the_upscalers_folder_names_what_is_missing(
    three, tmp_path, target, capsys
):
    folder = shutil.copytree(three, tmp_path / "pretrained_models")
    upscaler = shutil.move(folder / "stable-diffusion-x4-upscaler", tmp_path / "elsewhere")
    assert main(["convert", str(folder), "--output", str(target)]) == 2
    error = capsys.readouterr().err
    assert "of stabilityai/stable-diffusion-x4-upscaler in that folder" in error
    assert error.count("\n") == 1
    arguments = ["convert", str(folder), "--output", str(target), "--upscaler", str(upscaler)]
    assert main(arguments) == 0


@pytest.mark.parametrize("source", [[], ["Vchitect/LaVie"]])
def test_a_disk_too_small_for_all_checkpoints_is_noticed_before_the_first(
    tmp_path, target, capsys, monkeypatch, source
):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10e9, 4e9, 6e9))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    assert main(["convert", *source, "--network", "cascade", "--output", str(target)]) == 2
    error = capsys.readouterr().err
    assert "lavie_vsr.pt: about 2.76 GB" in error
    assert "6.00 GB free and 10.04 GB are needed" in error
    assert list(tmp_path.iterdir()) == []


def test_info_tells_the_stages(three, cascade_folder):
    found = {model.name: model.stages for model in find_models(three.parent)}
    assert found[str(three)] == found[str(cascade_folder)]
    assert found[str(three)] == ("base", "interpolation", "super_resolution")


def break_file(kind: str, path: Path, mark: Path) -> None:
    """Make the checkpoint wrong in one way."""
    state_dict = make_state_dict()
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:-5000])
    elif kind == "not a checkpoint":
        path.write_bytes(b"hello, world" * 100)
    elif kind == "malicious":
        torch.save({"ema": {**state_dict, "x": RunsCode(mark)}}, path)
    elif kind == "interpolation network":
        kept = {k: v for k, v in state_dict.items() if "rotary" not in k and "rel_pos" not in k}
        torch.save(kept | {"conv_in.weight": torch.zeros(32, 8, 3, 3)}, path)
    elif kind == "extra key":
        torch.save(state_dict | {"extra": torch.zeros(1)}, path)
    elif kind == "missing key":
        torch.save({k: v for k, v in state_dict.items() if k != "conv_out.bias"}, path)
    elif kind == "too large for half":
        torch.save(state_dict | {"conv_out.bias": torch.full((4,), 1e9)}, path)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("truncated", "cut short"),
        ("not a checkpoint", "not a PyTorch checkpoint"),
        ("malicious", "could run code"),
        ("interpolation network", "looks like LaVie's interpolation network"),
        ("extra key", "1 unexpected (as 'extra')"),
        ("missing key", "1 missing (as 'conv_out.bias')"),
        ("too large for half", "--dtype fp32"),
    ],
)
def test_wrong_file_gives_one_sentence_and_writes_nothing(
    original, tmp_path, target, capsys, kind, says
):
    folder, mark = tmp_path / "pretrained_models", tmp_path / "code-has-run"
    shutil.copytree(original, folder)
    break_file(kind, folder / "lavie_base.pt", mark)
    assert main(["convert", str(folder), "--output", str(target)]) == 2
    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == [folder]


def test_report_of_a_wrong_file_lists_its_keys(original, tmp_path, target, capsys):
    folder = tmp_path / "pretrained_models"
    shutil.copytree(original, folder)
    break_file("missing key", folder / "lavie_base.pt", tmp_path)
    assert main(["convert", str(folder), "--output", str(target)]) == 2
    assert capsys.readouterr().out.splitlines()[1:] == ["missing (1):", "  conv_out.bias"]


def test_full_disk_is_noticed_before_writing(original, tmp_path, target, capsys, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10e9, 10e9, 1000))
    assert main(["convert", str(original), "--output", str(target)]) == 2
    assert "GB are needed" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_existing_folder_is_replaced_only_when_asked(original, target, capsys):
    arguments = ["convert", str(original), "--output", str(target), "--dtype"]
    assert main([*arguments, "fp16"]) == 0
    before = (target / "model_index.json").stat().st_mtime_ns
    assert main([*arguments, "fp32"]) == 2
    assert "--force" in capsys.readouterr().err
    assert (target / "model_index.json").stat().st_mtime_ns == before
    assert main([*arguments, "fp32", "--force"]) == 0
    weights = load_file(next((target / "unet").glob("*.safetensors")))
    assert {value.dtype for value in weights.values()} == {torch.float32}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere/else/at-all"], "does not exist"),
        (["absent.pt"], "absent.pt does not exist"),
        (["--network", "bse"], "Known: base, interpolation, super_resolution, long_video, cascade"),
        (["--dtype", "int8"], "--dtype"),
    ],
)
def test_bad_arguments_give_one_line(tmp_path, capsys, arguments, says):
    assert main(["convert", *arguments, "--output", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_info_finds_published_files_and_converted_folders(original, tmp_path, target):
    assert main(["convert", str(original), "--output", str(target)]) == 0
    shutil.copytree(original, tmp_path / "pretrained_models")
    (tmp_path / "out" / "other").mkdir()
    (tmp_path / "out" / "other" / "model_index.json").write_text('{"_class_name": "Other"}')
    (tmp_path / "out" / "other-bytes").mkdir()
    (tmp_path / "out" / "other-bytes" / "model_index.json").write_bytes(b"\xff\xfe")
    found = {model.name: model.kind for model in find_models(tmp_path, tmp_path / "out")}
    assert found[str(tmp_path / "pretrained_models")] == "published files"
    assert found[str(target)] == "model folder"
    assert not any("other" in name for name in found)


def test_info_prints_versions_devices_and_models(original, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(original.parent)
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    assert f"torch {torch.__version__}" in text
    assert "pretrained_models   published files" in text
    assert "memory profile of the published models: " in text
    assert main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["devices"][0]["name"] == "cpu"
    assert "xformers" in facts["optional_packages"]
    assert "pretrained_models" in [model["name"] for model in facts["models"]]
