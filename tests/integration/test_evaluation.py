import json

import numpy as np
import pytest
import torch

from lavie.cli import main
from lavie.errors import Cancelled, InputError
from lavie.evaluation.judge import Judge
from lavie.evaluation.motion_instrument import motion_table, read_motions
from lavie.evaluation.prompt_accuracy import generate_and_judge
from lavie.evaluation.questions import make_questions
from lavie.types import CancelToken
from tests.tiny import make_tiny_pipeline, write_tiny_model

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("model"), model_max_length=77)


@pytest.fixture(scope="module")
def pipeline():
    return make_tiny_pipeline(model_max_length=77)


def test_prompt_accuracy_writes_a_report(model, tmp_path, capsys):
    arguments = ["evaluate", "prompt-accuracy", "--model", str(model), "--num-clips", "3"]
    arguments += ["--steps", "1", "--output", str(tmp_path), "--json"]
    assert main(arguments) == 0
    output = capsys.readouterr().out.splitlines()
    assert json.loads(output[-1])["settings"]["num_inference_steps"] == 1
    report = json.loads((tmp_path / "report.json").read_text())
    assert set(report["sets"]) == {"seen", "held_out", "still_only"}
    assert len(report["clips"]) == 9
    assert (tmp_path / "sheet.png").is_file()


def test_stills_are_single_frames(model, tmp_path):
    arguments = ["evaluate", "prompt-accuracy", "--model", str(model), "--stills"]
    assert main([*arguments, "--num-clips", "3", "--steps", "1", "--output", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert set(report["sets"]) == {"stills"}
    assert all(sum(clip["states"].values()) == 1 for clip in report["clips"])


def test_batches_change_no_clip(pipeline):
    judge = Judge.from_folder()
    questions = make_questions("seen", 2) + make_questions("stills", 1)
    events = []
    one = generate_and_judge(pipeline, judge, questions, 2, batch_size=1, on_event=events.append)
    many = generate_and_judge(pipeline, judge, questions, 2, batch_size=3)
    assert [event.step for event in events] == [1, 2, 3]
    for alone, together in zip(one, many, strict=True):
        assert alone.question == together.question
        assert np.abs(alone.frames.astype(int) - together.frames).max() <= 1


def test_a_cancelled_evaluation_stops(pipeline):
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        generate_and_judge(pipeline, Judge.from_folder(), make_questions("seen", 2), cancel=cancel)


def test_a_model_of_another_size_is_refused(pipeline):
    other = make_tiny_pipeline()
    other.register_to_config(default_height=320, default_width=512)
    with pytest.raises(InputError, match="512x320"):
        generate_and_judge(other, Judge.from_folder(), make_questions("seen", 1))


@pytest.mark.parametrize(
    "flags",
    [["--sets", "seen,nothing"], ["--num-clips", "0"], ["--steps", "0"], ["--judge", "/none"]],
)
def test_bad_flags_are_one_line(flags, model, tmp_path, capsys):
    arguments = ["evaluate", "prompt-accuracy", "--model", str(model), "--output", str(tmp_path)]
    assert main([*arguments, *flags]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["prompt-accuracy", "train-judge"])
def test_a_file_in_the_way_is_seen_before_the_work(command, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["evaluate", command, "--output", str(tmp_path / "file")]) == 2
    assert "is a file" in capsys.readouterr().err


def test_the_instrument_sees_when_words_make_no_difference(pipeline):
    reading = read_motions(pipeline, Judge.from_folder())
    assert reading.frames.shape == (6, 16, 40, 64, 3)
    assert np.allclose(reading.distances, reading.distances.T)
    assert np.all(np.diag(reading.distances) == 0)
    assert np.all(reading.distances[np.triu_indices(6, 1)] > 0)
    assert len(motion_table(reading)) == 8


def test_the_instrument_draws_a_sheet(model, tmp_path, capsys):
    sheet = tmp_path / "foreseen.png"
    command = ["evaluate", "motion-instrument", "--model", str(model), "--sheet", str(sheet)]
    assert main(command) == 0
    assert sheet.is_file()
    assert "read as" in capsys.readouterr().out


def test_a_judge_can_be_made_again(tmp_path, capsys):
    command = ["evaluate", "train-judge", "--output", str(tmp_path)]
    assert main([*command, "--steps", "1", "--num-clips", "2"]) == 0
    accuracy = json.loads((tmp_path / "accuracy.json").read_text())
    assert set(accuracy) == {"real", "spoiled"}
    assert all(torch.isfinite(p).all() for p in Judge.from_folder(tmp_path).parameters())


def test_the_world_is_drawn_into_a_file(tmp_path, capsys):
    assert main(["world", "--sheet", str(tmp_path / "world.png")]) == 0
    assert (tmp_path / "world.png").is_file()
    assert main(["world", "--sheet", str(tmp_path / "world.gif")]) == 2
