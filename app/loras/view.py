"""What a page needs to know of a training: how it learns, and what it can show by now."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path
from typing import Any

from app.jobs.job import Job, JobState
from app.loras.files import entry_of, metrics_file, samples, steps_learnt, thumbnail_file
from app.loras.request import LoraTrainingRequest
from app.loras.small_pictures import picture_of

_MAX_POINTS = 400


@dataclass(frozen=True)
class Sample:
    """What a LoRA made while it was trained.

    Args:
        step: After how many steps.
        video: A small animated WebP, to be fetched by whoever knows its name.
    """

    step: int
    video: Path


@dataclass(frozen=True)
class LoraView:
    """A training at one moment.

    Args:
        job_id: Of the training.
        points: The loss by step.
        num_steps: Of the whole training.
        step: How many are done.
        samples: What it made meanwhile, the first first.
        pictures: Small ones of what it learns from, as ``data:`` addresses; none once the pictures
            were deleted.
        name: What its owner calls it.
        token: The trigger word.
        class_word: What it is.
        entry_id: Of the LoRA in the registry; empty before it is there.
        state: Of the job.
        is_paused: Whether it stopped and can be gone on with from where it was.
        can_finish: Whether it can be ended now, with what it has learnt.
    """

    job_id: str
    points: Sequence[tuple[int, float]]
    num_steps: int
    step: int
    samples: Sequence[Sample]
    pictures: Sequence[str]
    name: str
    token: str
    class_word: str
    entry_id: str
    state: JobState
    is_paused: bool
    can_finish: bool


def view_training(job: Job, data: Path) -> LoraView | None:
    """The training that a job is; None if it is something else.

    Args:
        job: As it is now.
        data: The data folder.
    """
    request = job.request
    if not isinstance(request, LoraTrainingRequest):
        return None
    folder = data / job.folder
    rows = list(_rows(metrics_file(folder)))
    learnt = steps_learnt(folder)
    num_steps, step = request.training.num_steps, max(learnt, rows[-1]["step"] if rows else 0)
    if job.progress is not None and job.progress.stage == "lora":
        num_steps, step = job.progress.total, job.progress.step
    if job.state == "done" and step:
        num_steps = step  # also one that ended early
    return LoraView(
        job_id=job.id,
        points=_points(rows, "own_loss" if any("own_loss" in row for row in rows) else "loss"),
        num_steps=num_steps,
        step=step,
        samples=[Sample(step, file) for step, file in samples(folder)],
        pictures=list(_pictures(folder)),
        name=request.name,
        token=request.token,
        class_word=request.class_word,
        entry_id=entry_of(folder) if job.state == "done" else "",
        state=job.state,
        is_paused=job.can_go_on and learnt > 0,
        can_finish=job.state == "running" or (job.state != "done" and learnt > 0),
    )


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    """What a training said of itself; the last line may be half written."""
    if not file.exists():
        return
    for line in file.read_text("utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("step"), int):
            yield row


def _points(rows: Sequence[dict[str, Any]], name: str) -> list[tuple[int, float]]:
    """The course of one number, by steps; of a long one every so many."""
    points = [(row["step"], float(row[name])) for row in rows if _is_number(row.get(name))]
    return points[:: -(-len(points) // _MAX_POINTS) or 1]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _pictures(folder: Path) -> Iterator[str]:
    files = (thumbnail_file(folder, index) for index in count())
    for file in takewhile(Path.exists, files):
        yield picture_of(file)
