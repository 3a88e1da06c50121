"""Checkpoints of a training run: written whole or not at all, read without running code."""

import json
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from lavie.errors import CheckpointError


@dataclass(frozen=True)
class Progressed:
    """How far a run has come."""

    step: int
    samples: int


_NAME = re.compile(r"step-(\d{8})")


def save_checkpoint(folder: Path, progress: Progressed, states: dict[str, Any], keep: int) -> Path:
    """Write one checkpoint and drop the oldest ones.

    The folder gets its final name only when everything in it is on disk, so a kill at any moment
    leaves the previous checkpoint as the newest.

    Args:
        folder: Where the run keeps its checkpoints.
        progress: What has been done.
        states: State dicts by name; tensors, numbers, strings, lists and dicts only.
        keep: How many checkpoints to keep, at least 1.

    Returns:
        The checkpoint's folder.
    """
    target = folder / f"step-{progress.step:08d}"
    temporary = folder / f".{target.name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for name, state in states.items():
        torch.save(state, temporary / f"{name}.pt")
    (temporary / "progress.json").write_text(json.dumps(asdict(progress)))
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)
    for old in list_checkpoints(folder)[:-keep]:
        shutil.rmtree(old)
    return target


def list_checkpoints(folder: Path) -> list[Path]:
    """All finished checkpoints of a run, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def load_checkpoint(path: Path, names: list[str]) -> tuple[Progressed, dict[str, Any]]:
    """Read what `save_checkpoint` wrote.

    Raises:
        CheckpointError: A file is missing or broken.
    """
    try:
        progress = Progressed(**json.loads((path / "progress.json").read_text()))
        states = {
            name: torch.load(path / f"{name}.pt", weights_only=True, map_location="cpu")
            for name in names
        }
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise CheckpointError(
            f"Checkpoint {path} cannot be read ({error}). Delete it to resume from the one before."
        ) from error
    return progress, states
