"""A folder that appears complete or not at all."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lavie.errors import CheckpointError, InputError
from lavie.media import check_output_folder


def check_target(target: Path, *, overwrite: bool) -> None:
    """Refuse a target that would be overwritten without being asked, or that is no model folder.

    Raises:
        InputError: The target is a file, holds files, or holds something other than a model.
    """
    check_output_folder(target)
    if not target.exists() or not any(target.iterdir()):
        return
    if not overwrite:
        raise InputError(
            f"Output {target} is not empty. Choose another folder, or overwrite it with --force.",
            "output",
        )
    if not (target / "model_index.json").is_file():
        raise InputError(
            f"Output {target} is not a model folder (no model_index.json), so it is not "
            "overwritten even with --force. Choose another folder.",
            "output",
        )


def check_space(target: Path, num_bytes: int) -> None:
    """Refuse to start writing what the disk cannot hold.

    Args:
        target: A file or folder to be written; its nearest existing parent is asked.
        num_bytes: What is about to be written.

    Raises:
        CheckpointError: Less than that, plus one percent, is free.
    """
    parent = next(p for p in (target.absolute(), *target.absolute().parents) if p.exists())
    free = shutil.disk_usage(parent).free
    if free < num_bytes * 1.01:
        raise CheckpointError(
            f"{parent} has {free / 1e9:.2f} GB free and {num_bytes / 1e9:.2f} GB are needed. "
            "Free some space or choose another disk."
        )


@contextmanager
def new_folder(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary folder that becomes `target` if the block ends without an exception.

    It lies beside the target, so that the last step is a rename. An exception of any kind (also
    Ctrl-C) removes it, together with the parents made for it, and leaves an old target as it was.

    Args:
        target: The folder to make.
        overwrite: Replace a target that is a model folder.

    Raises:
        InputError: See `check_target`.
    """
    check_target(target, overwrite=overwrite)
    made_parents = [p for p in target.absolute().parents if not p.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        new = unfinished / "new"
        new.mkdir()
        yield new
        if target.exists():
            target.rename(unfinished / "old")
        new.rename(target)
    except BaseException:
        if (unfinished / "old").exists() and not target.exists():
            (unfinished / "old").rename(target)
        shutil.rmtree(unfinished, ignore_errors=True)
        for parent in made_parents:  # innermost first
            if parent.exists() and not any(parent.iterdir()):
                parent.rmdir()
        raise
    shutil.rmtree(unfinished, ignore_errors=True)
