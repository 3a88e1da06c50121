import argparse
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lavie.convert.reading import LARGEST_PICKLE, read_weights
from lavie.errors import CheckpointError
from tests.published import RunsCode


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "conv_in.weight": torch.randn(8, 4, 3, 3, generator=generator),
        "conv_in.bias": torch.randn(8, generator=generator),
    }


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def rewrite(source: Path, target: Path, change) -> None:
    """Copy a zip file record by record through ``change(name, content) -> content``."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for record in old.infolist():
            new.writestr(record.filename, change(record.filename, old.read(record)))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda weights: weights,
        lambda weights: {"ema": weights},
        lambda weights: {"ema": weights, "step": 7, "args": argparse.Namespace(lr=1e-4)},
        lambda weights: {name: torch.nn.Parameter(w) for name, w in weights.items()},
    ],
    ids=["bare", "ema", "ema-beside-others", "parameters"],
)
def test_reads_the_state_dict_bare_or_under_ema(tmp_path, weights, wrap):
    torch.save(wrap(weights), tmp_path / "lavie_base.pt")
    assert_same(read_weights(tmp_path / "lavie_base.pt"), weights)


def test_reads_safetensors(tmp_path, weights):
    save_file(weights, tmp_path / "base.safetensors")
    assert_same(read_weights(tmp_path / "base.safetensors"), weights)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"absent\.pt does not exist"):
        read_weights(tmp_path / "absent.pt")


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.98])
def test_truncated_file_is_called_cut_short(tmp_path, weights, kept):
    path = tmp_path / "lavie_base.pt"
    torch.save(weights, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(CheckpointError, match="cut short"):
        read_weights(path)


def test_truncated_safetensors_is_refused(tmp_path, weights):
    path = tmp_path / "base.safetensors"
    save_file(weights, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="not a complete safetensors file"):
        read_weights(path)


@pytest.mark.parametrize("place", ["top", "ema", "value"])
def test_code_in_a_checkpoint_does_not_run(tmp_path, weights, place):
    mark, path = tmp_path / "code-has-run", tmp_path / "lavie_base.pt"
    trap = RunsCode(mark)
    torch.save({"top": trap, "ema": {"ema": trap}, "value": {**weights, "x": trap}}[place], path)
    with pytest.raises(CheckpointError, match="which could run code"):
        read_weights(path)
    assert not mark.exists()


def test_newer_pickle_protocol_does_not_hide_code(tmp_path, weights):
    mark, path = tmp_path / "code-has-run", tmp_path / "lavie_base.pt"
    torch.save({**weights, "x": RunsCode(mark)}, path, pickle_protocol=4)
    with pytest.raises(CheckpointError):
        read_weights(path)
    assert not mark.exists()


def test_call_that_would_fill_the_memory_is_refused(tmp_path, weights):
    torch.save(weights, tmp_path / "good.pt")
    bomb = b"\x80\x02c__builtin__\nbytearray\n\x8a\x06\x00\x00\x00\x00\x00\x10\x85R."
    rewrite(
        tmp_path / "good.pt",
        tmp_path / "bomb.pt",
        lambda name, content: bomb if name.endswith("data.pkl") else content,
    )
    with pytest.raises(CheckpointError, match=r"__builtin__\.bytearray"):
        read_weights(tmp_path / "bomb.pt")


def test_bare_pickle_is_refused(tmp_path, weights):
    path = tmp_path / "old.pt"
    path.write_bytes(pickle.dumps({name: w.numpy() for name, w in weights.items()}, protocol=2))
    with pytest.raises(CheckpointError, match="bare pickle"):
        read_weights(path)


def test_legacy_torch_file_is_refused(tmp_path, weights):
    torch.save(weights, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointError, match=r"before PyTorch 1\.6"):
        read_weights(tmp_path / "old.pt")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a PyTorch checkpoint"),
        (b"<!doctype html><html>not found</html>", "not a PyTorch checkpoint"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:043d\n", "Git LFS pointer"),
        (bytes(range(256)) * 40, "not a PyTorch checkpoint"),
    ],
    ids=["empty", "web-page", "lfs-pointer", "noise"],
)
def test_other_files_are_called_what_they_are(tmp_path, content, says):
    (tmp_path / "lavie_base.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=says):
        read_weights(tmp_path / "lavie_base.pt")


def test_other_zip_file_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(CheckpointError, match="not a PyTorch checkpoint"):
        read_weights(tmp_path / "a.pt")


def test_compressed_records_are_refused_before_unpacking(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", b"\x00" * (LARGEST_PICKLE // 8))
    with pytest.raises(CheckpointError, match="compressed records"):
        read_weights(tmp_path / "bomb.pt")


def test_encrypted_records_are_refused(tmp_path):
    path = tmp_path / "locked.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("locked/data.pkl", b"\x80\x02}.")
    content = bytearray(path.read_bytes())
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # zipfile can't encrypt
        content[content.index(header) + flags] |= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="is encrypted"):
        read_weights(path)


def test_huge_object_description_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w") as archive:
        archive.writestr("bomb/data.pkl", b"\x00" * (LARGEST_PICKLE + 1))
    with pytest.raises(CheckpointError, match="object description"):
        read_weights(tmp_path / "bomb.pt")


def test_tensor_larger_than_its_record_is_refused(tmp_path):
    torch.save({"w": torch.zeros(300)}, tmp_path / "good.pt")
    rewrite(
        tmp_path / "good.pt",
        tmp_path / "bad.pt",
        lambda name, content: (
            content.replace(b"M" + struct.pack("<H", 300), b"M" + struct.pack("<H", 60000))
            if name.endswith("data.pkl")
            else content
        ),
    )
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_weights(tmp_path / "bad.pt")


@pytest.mark.parametrize("content", [[1, 2], {}, {"ema": {}}, {"ema": None}, torch.zeros(2)])
def test_content_without_a_state_dict_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="no state dict"):
        read_weights(tmp_path / "a.pt")


def test_state_dict_of_other_things_than_tensors_is_refused(tmp_path, weights):
    torch.save({**weights, "optimizer": {"lr": 1}}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="'optimizer' is dict, not a tensor"):
        read_weights(tmp_path / "a.pt")


def test_sparse_tensor_is_refused(tmp_path):
    torch.save({"w": torch.eye(4).to_sparse()}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError):
        read_weights(tmp_path / "a.pt")
