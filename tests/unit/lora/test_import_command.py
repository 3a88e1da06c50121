"""What the command that takes a LoRA in asks of its file: the same as the page."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from lavie.cli.lora import main
from lavie.errors import CheckpointError
from lavie.pipelines.model_folder import MINIATURE_FOLDER
from lora import read_lora, write_lora
from lora.registry import Registry
from lora.rewriting import check_fits, shapes_for
from lora.weights import Lora
from tests.unit.app.loras.files import write_lora as write_foreign


def copy_without_weights(folder):
    """The bundled model as nothing can load it."""
    ignored = shutil.ignore_patterns("*.safetensors", "*.png", "logs")
    return shutil.copytree(MINIATURE_FOLDER, folder, ignore=ignored)


@pytest.fixture
def model(tmp_path):
    return copy_without_weights(tmp_path / "small")


@pytest.fixture
def write(make_lora, tmp_path):
    def write(**about: str):
        file = write_foreign(tmp_path / "shapes.safetensors")
        unet, text_encoder = shapes_for(file, "miniature")
        lora = make_lora(SimpleNamespace(unet=unet, text_encoder=text_encoder))
        about = {f"lavie.{name}": text for name, text in about.items()}
        return write_lora(Lora(lora.layers, {}, about), tmp_path / "mine.safetensors")

    return write


@pytest.fixture
def take_in(tmp_path):
    at = ["--registry", str(tmp_path / "kept")]
    return lambda file, *flags: main(["import", str(file), *flags, *at])


def kept(tmp_path):
    return [entry.name for entry in Registry(tmp_path / "kept").list()]


def test_whether_a_file_fits_is_seen_without_the_weights_of_the_model(
    model, write, take_in, tmp_path, capsys
):
    assert take_in(write(), "--model", str(model)) == 0
    assert kept(tmp_path) == ["mine"]
    foreign = write_foreign(tmp_path / "foreign.safetensors")
    assert take_in(foreign, "--model", str(model)) == 2
    assert "was made for another model" in capsys.readouterr().err
    assert take_in(foreign, "--model", str(model), "--trust") == 0
    assert kept(tmp_path) == ["foreign", "mine"]


def test_a_file_that_is_kept_is_said_to_be(model, write, take_in, tmp_path, capsys):
    file = write()
    assert take_in(file, "--model", str(model)) == 0
    assert capsys.readouterr().err == ""
    assert take_in(file, "--name", "Other", "--json", "--model", str(model)) == 0
    said = capsys.readouterr()
    assert f"already kept as 'mine' ({json.loads(said.out)['id']})" in said.err
    assert kept(tmp_path) == ["mine"]


def test_a_file_for_another_model_than_the_default_is_refused_with_the_way_out(
    take_in, tmp_path, capsys
):
    foreign = write_foreign(tmp_path / "foreign.safetensors")
    assert take_in(foreign) == 2
    said = capsys.readouterr().err
    assert "was made for another model" in said
    assert "name another model with --model" in said
    assert len(said.splitlines()) == 1
    broken = tmp_path / "broken.safetensors"
    broken.write_text("no tensors")
    assert take_in(broken) == 2
    assert "--model" not in capsys.readouterr().err
    assert take_in(foreign, "--model", "Vchitect/LaVie") == 0


def test_a_lora_for_a_model_of_another_size_is_exported_for_that(
    make_lora, pipeline, tmp_path, capsys
):
    model, at = tmp_path / "tiny", ["--registry", str(tmp_path / "kept")]
    pipeline.save_pretrained(model)
    write_lora(make_lora(pipeline, text=()), tmp_path / "mine.safetensors")
    taken = ["import", str(tmp_path / "mine.safetensors"), "--model", str(model), "--name", "Mine"]
    assert main([*taken, *at]) == 0
    asked = ["export", "Mine", "--output", str(tmp_path), "--format", "diffusers", *at]
    assert main(asked) == 2
    assert main([*asked, "--model", str(model)]) == 0
    written = capsys.readouterr().out.splitlines()[-1]
    read = read_lora(Path(written), pipeline.unet, pipeline.text_encoder)
    assert read.layers["unet"]


@pytest.mark.parametrize("style", ["kohya", "diffusers"])
def test_a_lora_is_exported_to_the_file_that_is_named(
    model, write, take_in, tmp_path, capsys, style
):
    assert take_in(write(), "--model", str(model)) == 0
    output = tmp_path / "new" / "toy.safetensors"
    capsys.readouterr()
    at = ["--registry", str(tmp_path / "kept"), "--model", str(model), "--format", style]
    assert main(["export", "mine", "--output", str(output), *at]) == 0
    assert capsys.readouterr().out == f"{output}\n"
    assert list(output.parent.iterdir()) == [output]
    assert main(["check", str(output)]) == 0
    before = output.read_bytes()
    assert main(["export", "mine", "--output", str(output), *at]) == 2
    assert "toy.safetensors' is there already. Choose another name." in capsys.readouterr().err
    assert output.read_bytes() == before


@pytest.mark.parametrize(
    ("output", "style", "sentence"),
    [
        ("toy.safetensors", "peft", "Peft's is a folder of two files. Give --output a folder."),
        ("toy.safetensors", "pickle", "Format 'pickle' is unknown"),
        ("a/b", "pickle", "Format 'pickle' is unknown"),
        ("a/b", "peft", "text encoder"),
    ],
)
def test_an_export_that_is_refused_leaves_no_folder(
    model, write, take_in, tmp_path, capsys, output, style, sentence
):
    assert take_in(write(), "--model", str(model)) == 0
    at = ["--registry", str(tmp_path / "kept"), "--model", str(model), "--format", style]
    before = sorted(tmp_path.iterdir())
    assert main(["export", "mine", "--output", str(tmp_path / output), *at]) == 2
    assert sentence in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_an_empty_list_says_where_loras_come_from(tmp_path, capsys):
    assert main(["list", "--registry", str(tmp_path / "kept")]) == 0
    said = capsys.readouterr().out
    for words in ("train --keep keeps one there", "Those of the page", "lora import FILE"):
        assert words in said


def test_all_files_are_looked_at_though_the_first_is_broken(write, tmp_path, capsys):
    broken, mine = tmp_path / "broken.safetensors", write()
    broken.write_text("no tensors")
    assert main(["check", str(broken), str(mine)]) == 2
    told = capsys.readouterr()
    assert "'broken.safetensors' is no safetensors file" in told.out
    assert f"{mine}: a LoRA" in told.out
    assert main(["check", "--json", str(broken), str(mine)]) == 2
    found = json.loads(capsys.readouterr().out)
    assert [each["usable"] for each in found] == [False, True]
    assert main(["check", str(mine)]) == 0


def test_a_file_that_names_another_model_is_refused_though_its_shapes_fit(
    write, take_in, tmp_path, capsys
):
    assert take_in(write(base_model="runs/other", base_model_hash="abc")) == 2
    assert "made for the model 'other', not for 'miniature'" in capsys.readouterr().err
    assert take_in(write(base_model="somewhere/miniature", base_model_hash="abc")) == 0


@pytest.mark.parametrize(
    ("made_for", "made_on", "known", "match"),
    [
        ("runs/other", "abc", "abc", None),  # the same weights, called otherwise by now
        ("miniature", "abc", "def", None),  # as with a better VAE
        ("runs/other", "abc", "def", "'other', not for 'miniature'"),
        ("miniature", "abc", "", None),
        ("runs/other", "abc", "", "'other', not for 'miniature'"),
        ("miniature", "", "def", None),
        ("v1-5.ckpt", "", "def", None),
        ("", "", "def", None),
    ],
)
def test_a_file_is_for_a_model_of_its_weights_or_of_its_name(
    write, made_for, made_on, known, match
):
    file = write(base_model=made_for, base_model_hash=made_on)
    if match is None:
        check_fits(file, "miniature", known)
        return
    with pytest.raises(CheckpointError, match=match):
        check_fits(file, "miniature", known)


def test_a_model_of_the_hub_is_asked_for_its_own_shapes(write, take_in, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    repository = tmp_path / "cache" / "models--someone--small"
    copy_without_weights(repository / "snapshots" / "abc")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    assert take_in(write(), "--model", "someone/small") == 0
    assert kept(tmp_path) == ["mine"]


def test_what_is_no_model_is_said(write, take_in, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert take_in(write(), "--model", str(tmp_path / "empty")) == 2
    assert "is not a model folder" in capsys.readouterr().err
    assert kept(tmp_path) == []
