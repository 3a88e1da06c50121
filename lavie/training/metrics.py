"""What a run says about itself: means over a few steps, in ``metrics.jsonl`` and TensorBoard."""

import json
import logging
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lavie.training.checkpoint import Progressed

logger = logging.getLogger(__name__)


class Metrics:
    """Means over the steps since the last line.

    Lines after the step that a run resumes from belong to lost steps and are dropped; the numbers
    since the last line come from the checkpoint. So the file ends up as if nothing had happened.

    Args:
        output: The run's folder.
        done: Where the run resumes.
    """

    def __init__(self, output: Path, done: Progressed) -> None:
        self.path = output / "metrics.jsonl"
        output.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            lines = self.path.read_text().splitlines(keepends=True)
            shortened = self.path.with_suffix(".tmp")
            shortened.write_text("".join(line for line in lines if _step(line) <= done.step))
            shortened.replace(self.path)
        self.rows = list(done.rows)
        self._writer = _tensorboard_writer(output, done.step)

    def add(self, values: dict[str, float]) -> None:
        """Remember the numbers of one step."""
        self.rows.append(values)

    def write(self, step: int, **more: float) -> dict[str, float | None]:
        """Write a line: the means of the remembered steps, and ``more``.

        Returns:
            The means; null where a step had no finite number.
        """
        names = dict.fromkeys(name for row in self.rows for name in row)
        means = {name: _mean(row.get(name) for row in self.rows) for name in names}
        self.rows = []
        with self.path.open("a") as file:
            file.write(json.dumps({"step": step, **means, **more}) + "\n")
        if self._writer is not None:
            for name, value in {**means, **more}.items():
                if value is not None:
                    self._writer.add_scalar(name, value, step)
        return means

    def close(self) -> None:
        """Finish TensorBoard's file."""
        if self._writer is not None:
            self._writer.close()


def _mean(values: Iterable[float | None]) -> float | None:
    """Of the finite ones: a skipped step of fp16 training has an infinite gradient."""
    finite = [value for value in values if value is not None and math.isfinite(value)]
    return float(f"{sum(finite) / len(finite):.6g}") if finite else None


def _step(line: str) -> float:
    """The step of a line; infinite for one that a kill cut short."""
    try:
        return json.loads(line)["step"] if line.endswith("\n") else math.inf
    except ValueError:
        return math.inf


def _tensorboard_writer(output: Path, step: int) -> Any | None:  # noqa: ANN401 - optional package
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        logger.info("TensorBoard is not installed: metrics go to metrics.jsonl only.")
        return None
    return SummaryWriter(str(output / "tensorboard"), purge_step=step + 1)
