import json

import pytest

from lavie.cli import main
from tests.tiny import write_tiny_model

pytestmark = pytest.mark.integration

QUICK = [
    *("--num-videos", "1", "--num-unchanged", "1", "--num-pictures", "3"),
    *("--newcomers", "ghost", "--styles", "phosphor"),
    *("--set", "num_steps=2", "--set", "num_prior_images=0", "--set", "sample_every=0"),
    *("--set", "num_variants=2"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("model"), model_max_length=77)


def test_the_command_teaches_measures_and_goes_on(model, tmp_path, capsys):
    arguments = ["evaluate", "lora", "--model", str(model), "--output", str(tmp_path), *QUICK]
    assert main([*arguments, "--json"]) == 0
    *shown, last = capsys.readouterr().out.splitlines()
    assert any("NOT REACHED" in line for line in shown)
    report = json.loads((tmp_path / "report.json").read_text())
    assert json.loads(last)["rows"] == report["rows"]
    assert set(report["rows"]) == {"things", "styles", "all_layers", "ablation"}
    (ghost,) = report["lessons"]["things"]
    assert len(ghost["videos"]) == 1
    assert ghost["seconds"] > 0
    assert (tmp_path / "sheet.png").is_file()

    made_at = {path: path.stat().st_mtime_ns for path in tmp_path.glob("loras/*/*.safetensors")}
    (tmp_path / "videos" / "things-ghost.npz").unlink()
    assert main([*arguments, "--parts", "things"]) == 0
    again = json.loads((tmp_path / "report.json").read_text())
    for part in ("base", "settings"):
        assert again[part] == report[part]
    for part in ("rows", "lessons"):
        assert again[part]["things"] == report[part]["things"]
    assert {path: path.stat().st_mtime_ns for path in made_at} == made_at
    assert main([*arguments, "--seed", "1"]) == 2
    assert "made with another seed" in capsys.readouterr().err


def test_the_instrument_needs_no_training(model, tmp_path, capsys):
    arguments = ["evaluate", "lora", "--model", str(model), "--output", str(tmp_path)]
    few = ("--newcomers", "penguin", "--num-clips", "1")
    assert main([*arguments, "--instrument", *few]) == 0
    summary = json.loads((tmp_path / "instrument.json").read_text())
    named = {row["measure"]: row for row in summary["true"]}["nearest"]
    assert named["is_reached"]
    for kind in ("removed", "ghosted", "bent", "cut"):
        named = {row["measure"]: row for row in summary[kind]}
        assert named["clearly so, among strangers too"]["value"] <= 0.05


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--parts", "colours"], "Parts 'colours' is not one of things,"),
        (["--newcomers", "fox"], "Newcomers 'fox' is not one of octopus,"),
        (["--grounds", "marble"], "Grounds 'marble' is not one of plain,"),
        (["--num-videos", "0"], "0 is not between 1"),
        (["--num-unchanged", "30"], "30 is not between 0 and 24"),
        (["--set", "num_stepps=3"], "num_steps"),
    ],
)
def test_bad_flags_are_one_line(flags, sentence, model, tmp_path, capsys):
    arguments = ["evaluate", "lora", "--model", str(model), "--output", str(tmp_path)]
    assert main([*arguments, *flags]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())
