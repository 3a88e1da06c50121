import json

import pytest

from lavie.cli import main
from lavie.errors import Cancelled
from lavie.evaluation.cascade_prompts import judge_every_stage
from lavie.evaluation.interpolation_quality import measure_interpolation
from lavie.evaluation.judge import Judge
from lavie.evaluation.measures import MAX_PSNR
from lavie.evaluation.questions import make_questions
from lavie.evaluation.super_resolution_quality import measure_super_resolution
from lavie.pipelines.exact import EXACT_SAMPLING
from lavie.pipelines.model_folder import save_stage
from lavie.types import CancelToken
from tests.tiny import (
    make_tiny_interpolation,
    make_tiny_pipeline,
    make_tiny_super_resolution,
    write_tiny_model,
)

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def judge():
    return Judge.from_folder()


@pytest.fixture(autouse=True)
def _quick_exact_setting(monkeypatch):
    monkeypatch.setitem(EXACT_SAMPLING, "num_inference_steps", 1)


def test_interpolation_is_measured_beside_what_is_free(judge):
    first, second = measure_interpolation(
        make_tiny_interpolation(), judge, 2, num_inference_steps=1, num_exact=1
    )
    assert first.caption != second.caption
    assert "fast_vs_exact" in first.numbers
    assert "fast_vs_exact" not in second.numbers
    assert first.numbers["psnr_cross_fade"] > first.numbers["psnr_repetition"] > 10
    assert first.numbers["roughness_cross_fade"] < first.numbers["roughness_repetition"]
    assert first.numbers["key_psnr"] < MAX_PSNR
    assert {len(video) for video in first.pictures.values()} == {61}


def test_super_resolution_is_measured_beside_lanczos():
    pipeline = make_tiny_super_resolution(default_num_frames=2)
    (clip,) = measure_super_resolution(pipeline, 1, num_inference_steps=1, num_frames=3)
    numbers = clip.numbers
    assert numbers["psnr_lanczos"] > 20 > numbers["psnr"]
    assert numbers["sharpness_lanczos"] < 1.1
    assert numbers["windowed_vs_whole"] < MAX_PSNR
    assert numbers["other_noise_vs_whole"] < MAX_PSNR
    assert numbers["tiled_vs_whole_frames"] < MAX_PSNR
    assert {"seam_strength", "flicker_frame_by_frame", "fast_vs_exact"} < numbers.keys()
    assert {video.shape for video in clip.pictures.values()} == {(3, 160, 256, 3)}
    assert pipeline.config.default_num_frames == 2


def test_a_clip_of_one_window_has_no_border():
    pipeline = make_tiny_super_resolution()
    (clip,) = measure_super_resolution(pipeline, 1, 0, 1, num_detailed=0, num_frames=3)
    assert "seam_strength" not in clip.numbers


def test_every_stage_is_judged_on_the_same_frames(judge):
    base = make_tiny_pipeline(model_max_length=77)
    base.register_to_config(default_num_frames=2)
    later = make_tiny_interpolation(), make_tiny_super_resolution()
    (judged,) = judge_every_stage(base, *later, judge, make_questions("held_out", 1), 1)
    assert list(judged) == ["base", "interpolation", "super_resolution"]
    assert {clip.frames.shape for clip in judged.values()} == {(2, 40, 64, 3)}


def test_a_cancelled_evaluation_stops(judge):
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        measure_interpolation(make_tiny_interpolation(), judge, 1, cancel=cancel)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = write_tiny_model(tmp_path_factory.mktemp("model"))
    save_stage(make_tiny_interpolation(), folder)
    return folder


def test_the_command_writes_a_report(model, tmp_path, capsys):
    arguments = ["evaluate", "cascade", "--model", str(model), "--parts", "interpolation"]
    arguments += ["--num-clips", "1", "--steps", "1", "--output", str(tmp_path), "--json"]
    assert main(arguments) == 0
    *shown, last = capsys.readouterr().out.splitlines()
    assert "interpolation (clips: 1)" in shown
    report = json.loads((tmp_path / "report.json").read_text())
    assert json.loads(last) == report
    assert report["settings"]["interpolation"]["num_inference_steps"] == 1
    assert (tmp_path / "sheet-interpolation.png").is_file()


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ([], "has no stage 'super_resolution', only base, interpolation."),
        (["--parts", "colours"], "Parts 'colours' is not one of interpolation,"),
        (["--num-clips", "0"], "Clips 0 is not between 1"),
        (["--steps", "0"], "Inference steps 0"),
        (["--model", "nothing"], "Model 'nothing' is not a folder."),
    ],
)
def test_bad_flags_are_one_line(flags, sentence, model, tmp_path, capsys):
    arguments = ["evaluate", "cascade", "--model", str(model), "--output", str(tmp_path)]
    assert main([*arguments, *flags]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())
