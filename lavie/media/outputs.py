"""Where files are written: refused early if they could not be, and whole or not there at all."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from lavie.errors import InputError


def check_output(path: Path, suffix: str) -> None:
    """Refuse an output that could not be written, before the work that would fill it.

    Args:
        path: Where a file is to be written; an existing file there is replaced.
        suffix: The ending it must have, as ``.mp4``.

    Raises:
        InputError: Another ending, no such folder, a folder of that name, or not for us.
    """
    if path.suffix.lower() != suffix:
        raise InputError(f"Output '{path.name}' does not end in {suffix}.", "output")
    try:
        if path.is_dir():
            raise InputError(f"Output '{path}' is a folder. Add a file name.", "output")
        if not path.parent.is_dir():
            raise InputError(
                f"Output folder '{path.parent}' does not exist. Make it first.", "output"
            )
        _try_to_write(path.parent)
    except OSError as error:
        raise InputError(
            f"Output '{path}' cannot be written: {error.strerror}.", "output"
        ) from error


def check_output_folder(folder: Path) -> None:
    """Refuse a folder that could not be made, before the work that would fill it.

    Raises:
        InputError: It, or what it should lie in, is a file or not for us.
    """
    try:
        nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not nearest.is_dir():
            raise InputError(
                f"Output folder '{folder}' cannot be made: {nearest} is a file.", "output"
            )
        _try_to_write(nearest)
    except OSError as error:
        raise InputError(
            f"Output folder '{folder}' cannot be made: {error.strerror}.", "output"
        ) from error


def _try_to_write(folder: Path) -> None:
    """Asking for the rights would not tell of disks that are full or read only."""
    with tempfile.TemporaryFile(dir=folder):
        pass


@contextmanager
def replace_when_complete(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``, whose file takes over on success only.

    Args:
        path: The name to take; its folder exists.

    Yields:
        Where to write.
    """
    temporary = path.with_name(f".{uuid4().hex}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
