import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from lavie.cli import main
from lavie.errors import InputError
from lavie.evaluation import benchmark
from lavie.evaluation.benchmark import BenchmarkRequest, benchmark_stage, size_made_for, table
from lavie.evaluation.benchmark_memory import (
    MemoryUse,
    MovingPattern,
    measure_memory,
    memory_table,
)
from lavie.pipelines.model_folder import save_stage
from lavie.pipelines.stages import PIPELINES
from tests.tiny import make_tiny_interpolation, make_tiny_super_resolution, write_tiny_model

STAGES = ("base", "interpolation", "super_resolution")
SHAPES = {
    "base": (2, 8, 2, 4, 8),
    "interpolation": (2, 16, 5, 4, 8),
    "super_resolution": (2, 8, 2, 16, 32),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = write_tiny_model(tmp_path_factory.mktemp("model"))
    save_stage(make_tiny_interpolation(), folder)
    save_stage(make_tiny_super_resolution(), folder)
    return str(folder)


@pytest.fixture(autouse=True)
def _small_peak(monkeypatch):
    monkeypatch.setattr(benchmark, "measure_peak", lambda device, dtype: 1e12)


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_measured(stage, model):
    request = BenchmarkRequest(stage, model, 2, 16, 32, "cpu", num_repeats=1)
    result = benchmark_stage(request)
    assert result.shape == SHAPES[stage]
    assert 0 < result.step.share_of_peak <= 1
    assert 0 < result.decode.share_of_peak <= 1
    assert result.decode_seconds >= result.decode.seconds
    numbers = result.as_json()
    assert numbers["seconds_per_step"] > 0
    assert numbers["flops_per_step"] == result.step.flops
    assert json.loads(json.dumps(numbers)) == numbers


@pytest.mark.parametrize(
    ("stage", "tflop"), [("base", 16), ("interpolation", 67), (STAGES[2], 284)]
)
def test_published_networks_that_take_hours_must_be_asked_for_twice(stage, tflop):
    with pytest.raises(InputError, match=rf"a step has {tflop}\.\d TFLOP. Use smaller") as raised:
        benchmark_stage(BenchmarkRequest(stage, None, 16, 320, 512, "cpu", num_repeats=100))
    assert raised.value.field == "num_frames"


@pytest.mark.parametrize("stage", STAGES)
def test_later_stages_are_measured_on_a_window_and_the_base_on_the_whole_video(stage, model):
    window = PIPELINES[stage].from_pretrained(model).config.default_num_frames
    request = BenchmarkRequest(stage, model, window + 2, 16, 32, "cpu", num_repeats=1)
    at_once = {"base": window + 2, "interpolation": 4 * window - 3, "super_resolution": window}
    assert benchmark_stage(request).shape[2] == at_once[stage]


@pytest.mark.parametrize(("stage", "num_frames"), [("base", 40), (STAGES[1], 61), (STAGES[2], 8)])
def test_published_networks_see_as_much_at_once_as_published(stage, num_frames):
    request = BenchmarkRequest(stage, None, 40, 320, 512, "cpu")
    parts = benchmark._published_parts(request, torch.device("cpu"))
    inputs, _ = benchmark._make_inputs(request, parts)
    assert inputs["sample"].shape[2] == num_frames


def test_a_model_folder_says_what_it_was_made_for(model):
    assert size_made_for(model) == (16, 40, 64)


def test_the_table_has_a_row_for_each_stage(model):
    request = BenchmarkRequest("base", model, 2, 16, 32, "cpu", num_repeats=1)
    result = benchmark_stage(request)
    lines = table([result, replace(result, stage="interpolation", peak_memory=None)])
    assert lines[1].split()[:2] == ["base", "2x8x2x4x8"]
    assert lines[2].split()[0] == "interpolation"
    assert lines[2].split()[-1] == "-"
    assert lines[3] == "peak: matrix products, 1000, 1000 GFLOP/s, float32 on cpu"


def test_a_pattern_is_the_same_in_parts_and_moves():
    pattern = MovingPattern(5, 8, 16)
    whole = pattern[0:5]
    assert whole.shape == pattern.shape
    assert np.array_equal(whole[2:4], pattern[2:4])
    assert not np.array_equal(whole[0], whole[1])
    assert len(pattern[3:99]) == 2


def test_frames_come_one_by_one_and_leave(model):
    use = measure_memory(model, 3, 8, 8, 1, "cpu")
    assert use.num_frames == 3
    assert use.size == (32, 32)
    assert 0 < use.loaded <= use.peak


def test_the_memory_table_compares_with_the_first():
    uses = [MemoryUse(8, (40, 64), 10**8, 2 * 10**8), MemoryUse(61, (40, 64), 10**8, 3 * 10**8)]
    lines = memory_table(uses)
    assert lines[1].split() == ["8", "100", "MB", "200", "MB", "1.000", "0", "MB"]
    assert lines[2].split()[5] == "1.500"


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--stages", "bass"], "Stages 'bass' is not one of base,"),
        (["--repeats", "0"], "Repeats 0 is not between 1 and 1000."),
        (["--height", "2"], "Height 2 is not between 8 and 4096."),
        (["--memory", "--size", "full"], "--memory measures a model: leave out --size full."),
        (["--output", "a.txt"], "Output 'a.txt' does not end in .json."),
        (["--model", "nothing"], "Model 'nothing' is not a folder."),
    ],
)
def test_bad_input_is_one_line(flags, sentence, model, capsys):
    assert main(["benchmark", "--model", model, *flags]) == 2
    out, error = capsys.readouterr()
    assert sentence in error
    assert error.count("\n") == 1
    assert out == ""


def test_a_stage_that_is_not_there_is_said(model_folder, capsys):
    assert main(["benchmark", "--model", str(model_folder), "--memory"]) == 2
    assert "has no stage 'super_resolution', only base." in capsys.readouterr().err


@pytest.mark.integration
def test_the_command_measures_in_fresh_processes(model, tmp_path, capsys):
    small = ["--num-frames", "2", "--height", "16", "--width", "32", "--repeats", "1"]
    output = tmp_path / "speed.json"
    flags = ["--stages", "base", "--device", "cpu", "--json", "--output", str(output)]
    assert main(["benchmark", "--model", model, *small, *flags]) == 0
    *shown, last = capsys.readouterr().out.splitlines()
    assert json.loads(last) == json.loads(output.read_text())
    assert json.loads(last)["stages"][0]["share_of_peak"] < 1
    assert shown[1].split()[0] == "base"
