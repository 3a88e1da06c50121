"""What was left out of a data source, and why."""

import threading
from typing import Literal

from lavie.errors import InputError

Reason = Literal[
    "unreadable",
    "missing",
    "too short",
    "too large",
    "without caption",
    "outside the folder",
    "of an unknown kind",
    "in a bad row",
    "in a broken shard",
]
NUM_EXAMPLES = 3


class UnusableClip(InputError):  # noqa: N818 - a finding about one file, not a fault of the run
    """One clip or picture can't be used; its source goes on without it.

    Args:
        reason: The kind of problem, under which it is counted.
        detail: What exactly was found, for the example in the report.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: Reason = reason
        self.detail = detail


class SkipReport:
    """Counts what a source could and could not use; shared by its decoding threads.

    A file is counted once, however often it is met again in later epochs.

    Args:
        source: Name of the source, for the summary.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.num_samples = 0
        self._skipped: dict[Reason, set[str]] = {}
        self._examples: dict[Reason, list[str]] = {}
        self._lock = threading.Lock()

    def add_sample(self) -> None:
        """Count a sample that was read."""
        with self._lock:
            self.num_samples += 1

    def add_skip(self, name: str, problem: UnusableClip) -> None:
        """Count a file that can't be used."""
        with self._lock:
            names = self._skipped.setdefault(problem.reason, set())
            if name not in names and len(names) < NUM_EXAMPLES:
                examples = self._examples.setdefault(problem.reason, [])
                examples.append(f"{name}: {problem.detail}")
            names.add(name)

    @property
    def counts(self) -> dict[Reason, int]:
        """Skipped files by reason."""
        with self._lock:
            return {reason: len(names) for reason, names in self._skipped.items()}

    @property
    def num_skipped(self) -> int:
        """Skipped files of all reasons together."""
        return sum(self.counts.values())

    @property
    def examples(self) -> dict[Reason, list[str]]:
        """The first few skipped files of each reason, with what was found."""
        with self._lock:
            return {reason: list(examples) for reason, examples in self._examples.items()}

    def summary(self) -> str:
        """One sentence about everything that was skipped; empty if nothing was."""
        if not self.counts:
            return ""
        parts = [
            f"{count} {reason} ({'; '.join(self.examples[reason])})"
            for reason, count in self.counts.items()
        ]
        return f"Skipped {self.num_skipped} of the files of {self.source}: {', '.join(parts)}."
