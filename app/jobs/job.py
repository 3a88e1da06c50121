"""A job: a request, and what has become of it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from app.request import Request
from app.result import Result
from lavie.types import Progress

RESULTS = "results"
"""Folder inside the data folder of all that visitors may fetch, and of nothing else."""

JobState = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]


@dataclass(frozen=True)
class Animation:
    """What the video looks like so far.

    Args:
        step: After which step of its stage.
        webp: A small animated picture in base 64, as a page shows it.
    """

    step: int
    webp: str


@dataclass(frozen=True)
class Job:
    """What is known about a job at one moment; ``revision`` grows with each change.

    Args:
        id: Sorts by time and cannot be guessed.
        request: What to make.
        created: When it was submitted, UTC.
        owner: Who submitted it; empty on a server that does not tell its visitors apart.
        state: ``interrupted`` if the server stopped while it ran.
        rank: Place in the queue: lower comes first.
        ticket: Names the latest try at it, so that reports of earlier ones are not mixed up.
        results: One for each stage that is done, and those that it was given to go on from.
        kept: What else was made of the same first version before, so that it still can be shown.
        error: Why it failed, in a sentence for its owner.
        note: What else its owner should know.
        is_cancel_requested: It is to stop at its next step.
        is_finish_requested: It is to end as soon as it can with what it has learnt.
        is_memory_short: It ran out of memory once, and is tried again with less.
        is_starred: Its owner wants to find it again.
        deleted: When its owner threw it away; it can be brought back until it is swept up.
        progress: Of the stage at hand; not kept on disk.
        preview: As ``progress``.
        revision: Tells followers that something is new.
    """

    id: str
    request: Annotated[Request, Field(discriminator="kind")]
    created: datetime
    owner: str = ""
    state: JobState = "queued"
    rank: float = 0.0
    ticket: str | None = None
    results: tuple[Result, ...] = ()
    kept: tuple[Result, ...] = ()
    error: str | None = None
    note: str | None = None
    is_cancel_requested: bool = False
    is_finish_requested: bool = False
    is_memory_short: bool = False
    is_starred: bool = False
    deleted: datetime | None = None
    progress: Progress | None = None
    preview: Animation | None = None
    revision: int = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.state not in ("queued", "running")

    @property
    def can_go_on(self) -> bool:
        """Whether it stopped before its last stage was done, and has all that it needs."""
        has_stopped = self.state in ("failed", "cancelled", "interrupted")
        return has_stopped and not (self.request.kind == "lora" and not self.request.pictures)

    @property
    def folder(self) -> Path:
        """Where its files are, inside the data folder: by date and id, never by prompt."""
        return Path(RESULTS) / f"{self.created:%Y-%m-%d}" / self.id

    @property
    def has_made(self) -> bool:
        """Whether it has results that it was not given."""
        return len(self.results) > len(self.request.given)

    @property
    def versions(self) -> tuple[Result, ...]:
        """All that there is of the video, what took fewer stages first; own results before kept."""
        own = {result.stages for result in self.results}
        versions = (*self.results, *(result for result in self.kept if result.stages not in own))
        return tuple(sorted(versions, key=lambda result: (len(result.stages), result.stages)))

    def result_of(self, made_by: str) -> Result | None:
        """A version of the video, by its name or by the stage that made it; own results first."""
        candidates = (*self.results, *self.versions)
        return next((r for r in candidates if made_by in (r.version, r.stage)), None)

    def chain_of(self, result: Result) -> tuple[Result, ...]:
        """The versions that led to one, which is the last."""
        stages = result.stages
        return tuple(r for r in self.versions if r.stages == stages[: len(r.stages)])
