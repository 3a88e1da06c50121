"""The files of a training, in the folder of its job.

Whoever knows the id of a job may fetch what lies in its folder, but nothing from the folder of the
training inside: the pictures are there in small, and what can be gone on with.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from lora.header import RESULT

TRAINING = "training"
"""Inside the folder of a job: what `lora.train` writes, and what belongs to it."""

_ENTRY = "entry.txt"
_CHECKPOINTS = "checkpoints"
_STEP = "step-"
_METRICS = "metrics.jsonl"
_STAYS = (_METRICS, _ENTRY)
_SAMPLE = "sample-"


def training_folder(folder: Path) -> Path:
    """Where the training of a job lies."""
    return folder / TRAINING


def metrics_file(folder: Path) -> Path:
    """What it says about itself, line by line."""
    return training_folder(folder) / _METRICS


def thumbnail_file(folder: Path, index: int) -> Path:
    """A small one of its pictures."""
    return training_folder(folder) / f"picture-{index:03}.webp"


def sample_file(folder: Path, step: int) -> Path:
    """What it could make after so many steps."""
    return folder / f"{_SAMPLE}{step:08}.webp"


def samples(folder: Path) -> Iterator[tuple[int, Path]]:
    """All that it could make, the first first."""
    for file in sorted(folder.glob(f"{_SAMPLE}*.webp")):
        yield int(file.stem.removeprefix(_SAMPLE)), file


def steps_learnt(folder: Path) -> int:
    """After how many steps there is something that it can go on with; 0: there is nothing."""
    steps = (training_folder(folder) / _CHECKPOINTS).glob(f"{_STEP}????????")
    return max((int(step.name.removeprefix(_STEP)) for step in steps), default=0)


def has_learnt(folder: Path) -> bool:
    """Whether there is something that it can go on with."""
    return steps_learnt(folder) > 0


def was_at_work(folder: Path) -> float:
    """When it last learnt something, in seconds since the epoch; 0 if it never did."""
    checkpoints = training_folder(folder) / _CHECKPOINTS
    return checkpoints.stat().st_mtime if checkpoints.exists() else 0.0


def learnt_file(folder: Path) -> Path:
    """The LoRA that came of it, until it is on the shelf."""
    return training_folder(folder) / RESULT


def entry_of(folder: Path) -> str:
    """The id of the LoRA that comes of it; empty before that is certain."""
    file = training_folder(folder) / _ENTRY
    return file.read_text("utf-8") if file.exists() else ""


def note_entry(folder: Path, lora_id: str) -> None:
    """Remember which LoRA comes of it: the whole id, or none yet."""
    file = training_folder(folder) / _ENTRY
    temporary = file.with_suffix(".part")
    temporary.write_text(lora_id, "utf-8")
    temporary.replace(file)


def that_hold_more(results: Path) -> Iterator[Path]:
    """The folders of jobs whose training holds more than what stays of one that is done.

    Args:
        results: The folder of all results, sorted by days.
    """
    for training in results.glob(f"*/*/{TRAINING}"):
        if any(file.name not in _STAYS for file in training.glob("*")):
            yield training.parent


def drop_what_is_done(folder: Path, keeps_pictures: bool) -> None:
    """Remove what a finished training needs no more; what it said about itself stays.

    Args:
        folder: Of the job.
        keeps_pictures: Whether the small pictures stay, too.
    """
    for file in training_folder(folder).glob("*"):
        is_picture = file.name.startswith("picture-")
        if file.name in _STAYS or (keeps_pictures and is_picture):
            continue
        if file.is_dir():
            shutil.rmtree(file, ignore_errors=True)
        else:
            file.unlink(missing_ok=True)
