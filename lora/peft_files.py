"""LoRAs of peft's, which are two files: from a folder or a zip into the one file that is kept."""

import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from lavie.errors import CheckpointError
from lora.alphas import (
    IN_METADATA,
    MAX_SETTINGS_BYTES,
    SETTINGS,
    WEIGHTS,
    alphas_within,
    as_metadata,
)
from lora.header import read_header
from lora.refusals import one_line

_ADVICE = f"Put {WEIGHTS} and {SETTINGS} in it, each once."
_MOST_PACKED = 4
"""How many times smaller the weights of a LoRA get in a zip."""

_MOST_BESIDES = 1 << 20
"""Bytes that may get far smaller: those of its header."""

_MAX_DIRECTORY_BYTES = 1 << 16
_END_BYTES, _END, _LARGE_BYTES, _LARGE = 22, b"PK\x05\x06", 20, b"PK\x06\x07"
_UNREADABLE = (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error)


@contextmanager
def as_one_file(path: Path, folder: Path) -> Generator[Path]:
    """Have a LoRA as one file for a block, with what peft keeps beside the weights inside.

    Args:
        path: Safetensors; or a folder or a zip that has both files of peft's.
        folder: Where there is room for what is needed meanwhile; made if it is not there.

    Yields:
        Safetensors: the given file, if nothing has to be put in.

    Raises:
        CheckpointError: It is no LoRA, or not all of one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    try:
        yield _join(_find_weights(path, work), work / f"{name_of(path)[:60]}.safetensors")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def name_of(path: Path) -> str:
    """What a LoRA is called on the disk: peft calls all of them alike, so there the folder says."""
    if path.name == WEIGHTS:
        path = path.parent
    return path.resolve().name if path.is_dir() else path.stem


def look_into_zip(path: Path) -> Mapping[str, zipfile.ZipInfo]:
    """The two files of peft's in a zip, in whichever folder of it they are; nothing is unpacked.

    Args:
        path: Of anybody's.

    Raises:
        CheckpointError: It is no zip, lacks one or has it twice, or would unpack to far more than
            a LoRA does.
    """
    name = one_line(path.name)
    try:
        _check_directory(path)
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
        num_bytes = path.stat().st_size
    except _UNREADABLE as error:
        raise CheckpointError(_no_zip(name)) from error
    parts = [(PurePosixPath(info.filename).name, info) for info in infos]
    found = [(part, info) for part, info in parts if part in (WEIGHTS, SETTINGS)]
    if sorted(part for part, _ in found) != sorted((WEIGHTS, SETTINGS)):
        raise CheckpointError(f"'{name}' is no zip of a LoRA of peft's. {_ADVICE}")
    sizes = {part: info.file_size for part, info in found}
    packed = sum(info.compress_size for part, info in found if part == WEIGHTS)
    packings = {info.compress_type for _, info in found}
    if not packings <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise CheckpointError(f"'{name}' is packed in an unusual way. Pack it as a plain zip.")
    most = _MOST_PACKED * min(packed, num_bytes) + _MOST_BESIDES  # what it says may be too much
    if sizes[WEIGHTS] > most or sizes[SETTINGS] > MAX_SETTINGS_BYTES:
        raise CheckpointError(
            f"'{name}' would unpack to {sum(sizes.values()) >> 20} MiB, which no LoRA in a zip of "
            f"this size does. {_ADVICE}"
        )
    return dict(found)


def _find_weights(path: Path, work: Path) -> Path:
    if path.is_dir():
        if not (path / WEIGHTS).is_file():
            raise CheckpointError(
                f"'{one_line(path.name)}' is no folder of a LoRA of peft's. {_ADVICE}"
            )
        return path / WEIGHTS
    if path.suffix.lower() != ".zip":
        return path
    (unpacked := work / "unpacked").mkdir()  # so that no name of a zip is one of peft's two
    return _unpack(path, unpacked)


def _unpack(path: Path, folder: Path) -> Path:
    """Under names of our own; no more of each than the zip says, which has been looked at."""
    parts = look_into_zip(path)
    try:
        with zipfile.ZipFile(path) as archive:
            for part, info in parts.items():
                with archive.open(info) as packed, (folder / part).open("xb") as file:
                    shutil.copyfileobj(packed, file)
    except _UNREADABLE as error:
        raise CheckpointError(_no_zip(one_line(path.name))) from error
    return folder / WEIGHTS


def _join(weights: Path, target: Path) -> Path:
    """Write the settings that lie beside weights into their header, where `read_header` looks."""
    header = read_header(weights)
    if not header.alphas or alphas_within(weights.name, header.metadata):
        return weights
    with weights.open("rb") as source, target.open("xb") as file:
        values: dict[str, Any] = json.loads(source.read(int.from_bytes(source.read(8), "little")))
        values["__metadata__"] = {**header.metadata, IN_METADATA: as_metadata(header.alphas)}
        text = json.dumps(values).encode()
        text += b" " * (-len(text) % 8)  # weights begin where 8 divides
        file.write(len(text).to_bytes(8, "little") + text)
        shutil.copyfileobj(source, file)
    return target


def _check_directory(path: Path) -> None:
    """Raise unless a zip ends as one of few files does: its list of files is read as a whole."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _END_BYTES - _LARGE_BYTES))
        tail = file.read()
    end = tail[-_END_BYTES:]
    num_bytes = int.from_bytes(end[12:16], "little")
    is_plain = end.startswith(_END) and end.endswith(b"\0\0") and not tail.startswith(_LARGE)
    if not is_plain or num_bytes > _MAX_DIRECTORY_BYTES:
        raise ValueError("it is no zip of a few files")


def _no_zip(name: str) -> str:
    return f"'{name}' is no zip that can be read. Pack it again, without a password or a comment."
