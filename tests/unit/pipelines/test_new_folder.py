import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from lavie.errors import CheckpointError, InputError
from lavie.pipelines.new_folder import check_space, new_folder


def make_model_folder(path: Path, content: str) -> Path:
    path.mkdir(parents=True)
    (path / "model_index.json").write_text(content)
    return path


def test_folder_appears_when_the_block_is_done(tmp_path):
    target = tmp_path / "deep" / "model"
    with new_folder(target) as folder:
        (folder / "model_index.json").write_text("new")
        assert not target.exists()
    assert (target / "model_index.json").read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_nothing_is_left_behind_after_a_failure(tmp_path, failure):
    def write_half() -> None:
        with new_folder(tmp_path / "deep" / "model") as folder:
            (folder / "half.safetensors").write_text("half")
            raise failure

    with pytest.raises(failure):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_empty_target_is_used(tmp_path):
    (tmp_path / "model").mkdir()
    with new_folder(tmp_path / "model") as folder:
        (folder / "a").touch()
    assert (tmp_path / "model" / "a").exists()


def test_full_target_is_kept_unless_asked(tmp_path):
    target = make_model_folder(tmp_path / "model", "old")
    with pytest.raises(InputError, match="--force") as caught, new_folder(target):
        pytest.fail("the block must not run")
    assert caught.value.field == "output"
    assert (target / "model_index.json").read_text() == "old"


def test_model_folder_is_replaced_when_asked(tmp_path):
    target = make_model_folder(tmp_path / "model", "old")
    (target / "left-over").touch()
    with new_folder(target, overwrite=True) as folder:
        (folder / "model_index.json").write_text("new")
    assert [p.name for p in target.iterdir()] == ["model_index.json"]
    assert list(tmp_path.iterdir()) == [target]


def test_failed_replacement_keeps_the_old_model(tmp_path):
    target = make_model_folder(tmp_path / "model", "old")
    with pytest.raises(ValueError, match="x"), new_folder(target, overwrite=True):
        raise ValueError("x")
    assert (target / "model_index.json").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_other_folders_are_never_replaced(tmp_path):
    (tmp_path / "thesis.txt").touch()
    with (
        pytest.raises(InputError, match="not a model folder"),
        new_folder(tmp_path, overwrite=True),
    ):
        pytest.fail("the block must not run")
    assert (tmp_path / "thesis.txt").exists()


def test_file_as_target_is_refused(tmp_path):
    (tmp_path / "model").touch()
    for target in (tmp_path / "model", tmp_path / "model" / "below"):
        with pytest.raises(InputError, match="is a file"), new_folder(target):
            pytest.fail("the block must not run")


def test_too_small_disk_is_refused_with_both_figures(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10e9, 9e9, 1e9))
    with pytest.raises(CheckpointError, match=r"1\.00 GB free and 3\.64 GB are needed"):
        check_space(tmp_path / "not" / "there", 3_636_842_083)
    check_space(tmp_path, 900_000_000)
