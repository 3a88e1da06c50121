"""Weights from files that nobody vouches for: nothing in them runs, nothing is allocated on trust.

A published checkpoint is a zip archive of one pickle (the names, shapes and places of the tensors)
and one raw record per tensor. The pickle's instructions are looked through before it is opened, the
records stay on disk as a memory map, so a wrong file costs milliseconds however large it is.
"""

import argparse
import pickletools
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from lavie.errors import CheckpointError, first_line

LARGEST_PICKLE = 64 * 2**20
"""Bytes. The pickle of a published checkpoint has about 0.2 MB; tensors are stored outside it."""

_ENCRYPTED = 1  # bit of a zip record's flags

_HARMLESS_GLOBALS = re.compile(
    r"collections (OrderedDict|defaultdict)|argparse Namespace|torch (Size|device|dtype)"
    r"|torch(\.cuda|\.storage)? \w+Storage|torch\._utils _rebuild_(tensor_v2|parameter\w*)"
)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict without running code from the file.

    Args:
        path: A ``.safetensors`` file, or a ``.pt``, ``.pth``, ``.ckpt`` or ``.bin`` file saved by
            PyTorch 1.6 or later. Its top level is the state dict, or holds it under ``"ema"``.

    Returns:
        CPU tensors by name, memory-mapped: their values are read from disk when first used.

    Raises:
        CheckpointError: The file is missing, truncated, unsafe, or holds anything but tensors.
    """
    if not path.is_file():
        raise CheckpointError(f"Checkpoint {path} does not exist.")
    if path.suffix == ".safetensors":
        content = _read_safetensors(path)
    else:
        check_archive(path)
        content = _read_archive(path)
    return _state_dict(content, path)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path.name} is not a complete safetensors file ({error}). Download it again."
        ) from error


def _read_archive(path: Path) -> Any:  # noqa: ANN401 - a pickle's top level can be anything
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # a hostile pickle can make the reader raise anything at all
        raise CheckpointError(
            f"{path.name} cannot be read as a PyTorch checkpoint ({first_line(error)}). "
            "Download it again."
        ) from error


def check_archive(path: Path) -> None:
    """Refuse, before opening, what is no checkpoint, is cut short, or would run code.

    Args:
        path: A file saved by ``torch.save``.

    Raises:
        CheckpointError: One sentence that says which of these it is.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
            pickles = [r for r in records if r.filename.rsplit("/", 1)[-1] == "data.pkl"]
            if len(pickles) != 1:
                raise CheckpointError(f"{path.name} is a zip file, but not a PyTorch checkpoint.")
            if any(r.compress_type != zipfile.ZIP_STORED for r in records):
                raise CheckpointError(
                    f"{path.name} has compressed records, which PyTorch never writes; "
                    "it is refused because it could unpack to any size."
                )
            if any(r.flag_bits & _ENCRYPTED for r in records):
                raise CheckpointError(f"{path.name} is encrypted, which PyTorch never writes.")
            if pickles[0].file_size > LARGEST_PICKLE:
                raise CheckpointError(
                    f"{path.name} has {pickles[0].file_size} bytes of object description, a "
                    f"checkpoint has at most {LARGEST_PICKLE}; it is refused."
                )
            _check_pickle(archive.read(pickles[0]), path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise CheckpointError(_why_no_archive(path)) from error


def _check_pickle(content: bytes, path: Path) -> None:
    try:
        names = {
            str(argument)
            for opcode, argument, _ in pickletools.genops(content)
            if opcode.name in ("GLOBAL", "STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4")
        }
    except Exception as error:  # malformed opcodes surface as ValueError, KeyError, struct.error, …
        raise CheckpointError(
            f"{path.name} is damaged: its object description cannot be read. Download it again."
        ) from error
    foreign = sorted(name for name in names if not _HARMLESS_GLOBALS.fullmatch(name))
    if foreign:
        named = ", ".join(name.replace(" ", ".")[:60] for name in foreign[:3])
        raise CheckpointError(
            f"{path.name} is refused: besides tensors it asks to load {named}, which could run "
            "code. Get the file from its publisher, or ask for safetensors."
        )


def _why_no_archive(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith(b"version https://git-lfs"):
        return (
            f"{path.name} is a Git LFS pointer, not the checkpoint itself. Run 'git lfs pull', "
            "or let 'python -m lavie convert' download it."
        )
    if start.startswith(b"PK\x03\x04"):
        return (
            f"{path.name} is cut short after {path.stat().st_size} bytes: the download did not "
            "finish. Download it again."
        )
    if start.startswith(b"\x80\x02") or start.startswith(b"\x80\x04"):
        return (
            f"{path.name} is a bare pickle (as written before PyTorch 1.6), which is not read "
            "because it could run code. Get the file in the newer format or as safetensors."
        )
    return f"{path.name} is not a PyTorch checkpoint: it starts with {start[:8]!r}."


def _state_dict(content: object, path: Path) -> dict[str, Tensor]:
    if isinstance(content, Mapping) and "ema" in content:
        content = content["ema"]
    if not isinstance(content, Mapping) or not content:
        raise CheckpointError(f"{path.name} holds no state dict, neither bare nor under 'ema'.")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise CheckpointError(
                f"{path.name} holds no state dict: the entry {str(name)[:60]!r} is "
                f"{type(value).__name__}, not a tensor."
            )
        if value.layout != torch.strided or value.is_quantized or value.is_meta:
            raise CheckpointError(f"{path.name}: tensor {name!r} is not a plain dense tensor.")
    return {name: value.detach() for name, value in content.items()}
