"""Checkpoints of a training run: written whole or not at all, read without running code."""

import json
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lavie.errors import CheckpointError, ConfigError


@dataclass(frozen=True)
class Progressed:
    """How far a run has come.

    Args:
        step: Optimizer steps.
        samples: Samples of all processes.
        seconds: Time spent training, over all restarts.
        num_processes: Processes that shared the work; 0 if unknown.
        rows: Numbers of the steps since the last line of ``metrics.jsonl``.
    """

    step: int
    samples: int
    seconds: float = 0.0
    num_processes: int = 0
    rows: tuple[dict[str, float], ...] = ()


CHECKPOINTS = "checkpoints"
"""Their folder within that of a run."""

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
    for leftover in folder.glob(".*.tmp"):  # of a run that was killed right here
        shutil.rmtree(leftover)
    target = folder / f"step-{progress.step:08d}"
    temporary = _temporary(target)
    temporary.mkdir(parents=True)
    for name, state in states.items():
        torch.save(state, temporary / f"{name}.pt")
    (temporary / "progress.json").write_text(json.dumps(asdict(progress)))
    replace_folder(temporary, target)
    for old in list_checkpoints(folder)[:-keep]:
        shutil.rmtree(old.rename(_temporary(old)))  # never half a checkpoint under a good name
    return target


def replace_folder(temporary: Path, target: Path) -> None:
    """Give a finished folder its final name, once all of it is on disk."""
    for path in [*temporary.rglob("*"), temporary]:
        _flush(path)
    if target.exists():
        shutil.rmtree(target)
    temporary.rename(target)
    _flush(target.parent)


def list_checkpoints(folder: Path) -> list[Path]:
    """All finished checkpoints of a run, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def load_checkpoint(path: Path, names: Iterable[str]) -> tuple[Progressed, dict[str, Any]]:
    """Read what `save_checkpoint` wrote.

    Args:
        path: The checkpoint's folder.
        names: States to read.

    Raises:
        CheckpointError: A file is missing or broken.
    """
    try:
        progress = Progressed(**json.loads((path / "progress.json").read_text()))
        states = {
            name: torch.load(path / f"{name}.pt", weights_only=True, map_location="cpu")
            for name in names
        }
    except Exception as error:  # damaged bytes make an unpickler fail in any way
        raise CheckpointError(
            f"Checkpoint {path} cannot be read ({error}). Delete it to resume from the one before."
        ) from error
    return progress, states


def trainable_weights(module: nn.Module) -> dict[str, Tensor]:
    """The weights that learn, by name; they share memory with the module's."""
    return {n: p.detach() for n, p in module.named_parameters() if p.requires_grad}


def load_trainable_weights(module: nn.Module, weights: dict[str, Tensor]) -> None:
    """Put the weights of a checkpoint in their places.

    Raises:
        ConfigError: The module's trainable weights have other names or shapes.
    """
    own = trainable_weights(module)
    if {n: p.shape for n, p in own.items()} != {n: p.shape for n, p in weights.items()}:
        raise ConfigError(
            "The run's checkpoint trains other weights than these settings. Use another output."
        )
    for name, parameter in own.items():
        parameter.copy_(weights[name])


def _temporary(target: Path) -> Path:
    return target.with_name(f".{target.name}.tmp")


def _flush(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
