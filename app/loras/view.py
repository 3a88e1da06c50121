"""What a page needs to know of a training: how it learns, and what it can show by now."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """What a LoRA made while it was trained.

    Args:
        step: After how many steps.
        video: A small animated WebP, to be fetched by whoever knows its name.
        poster: None: an animated picture needs none.
    """

    step: int
    video: Path
    poster: Path | None = None


@dataclass(frozen=True)
class LoraView:
    """A training at one moment.

    Args:
        job_id: Of the training.
        points: The loss by step.
        held_out: That of a picture that it does not learn from, by step.
        num_steps: Of the whole training.
        step: How many are done.
        samples: What it made meanwhile, the first first.
        pictures: Small ones of what it learns from, as ``data:`` addresses; none once the pictures
            were deleted.
        name: What its owner calls it.
        token: The trigger word.
        class_word: What it is.
        entry_id: Of the LoRA in the registry; empty before it is there.
        is_paused: Whether it stopped and can be gone on with from where it was.
        can_finish: Whether there is something to keep already.
    """

    job_id: str
    points: Sequence[tuple[int, float]]
    held_out: Sequence[tuple[int, float]]
    num_steps: int
    step: int
    samples: Sequence[Sample]
    pictures: Sequence[str]
    name: str
    token: str
    class_word: str
    entry_id: str
    is_paused: bool
    can_finish: bool
