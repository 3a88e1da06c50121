"""How long the stages take on this computer, learnt from what they took."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from app.result import Effort, Result, WorkName
from lavie.types import StageName

_PASSES_OF_TRAINING = 1.5
"""As many as a step of a video."""


@dataclass(frozen=True)
class Cost:
    """What a stage will take.

    Args:
        effort: What it is asked to do.
        seconds: The estimate, until its files are there; None as long as nothing has run here.
        is_measured: Whether it comes from this very stage; else from how another one ran here.
        seconds_after: How many of the seconds are left after the last step, to decode and to write
            the files, as far as that is known.
    """

    effort: Effort
    seconds: float | None = None
    is_measured: bool = False
    seconds_after: float = 0.0


@dataclass(frozen=True)
class _Speed:
    """Of a stage: seconds of the steps per `Effort.size`, and after them per pixel that is shown.

    Of a small video it is not its own size that takes the time after the steps, but that of the
    files in which it is looked at.
    """

    steps: float
    after: float


def work_weights(weights: Mapping[StageName, float]) -> dict[WorkName, float]:
    """The weights of the stages, and that of a training: there and back through the first network.

    Back takes twice as long as there; a step of a video goes through it twice, for what is to be
    kept out.
    """
    known: dict[WorkName, float] = {**weights}
    if "base" in known:
        known["lora"] = _PASSES_OF_TRAINING * known["base"]
    return known


class Costs:
    """The speed of this computer, stage by stage, as of each one's latest run.

    A stage that has not run yet is judged by one that has: by how much larger its network is, how
    often a step asks it, and on how many more cells it works.

    Args:
        weights: What one step costs per frame and pixel, relative to the other stages.
    """

    def __init__(self, weights: Mapping[WorkName, float]) -> None:
        self._weights = weights
        self._speeds: dict[WorkName, _Speed] = {}
        self._sample: tuple[WorkName, _Speed] | None = None
        self._lock = threading.Lock()

    def learn(self, effort: Effort, seconds: float, seconds_after: float = 0.0) -> None:
        """Note how long a stage took, and how much of that was left after its last step."""
        if not effort.size:
            return  # nothing was left to do
        steps = max(seconds - seconds_after, 0.0) / effort.size
        with self._lock:
            self._speeds[effort.stage] = _Speed(steps, seconds_after / effort.num_pixels_shown)

    def learn_from(self, result: Result) -> None:
        """Note how long the stage took that made this."""
        self.learn(result.worked or result.effort, result.seconds, result.seconds_after)

    def hint(self, effort: Effort, seconds: float) -> None:
        """Note how long a small sample of a stage took, for as long as nothing better is known."""
        with self._lock:
            self._sample = effort.stage, _Speed(seconds / effort.size, 0.0)

    def estimate(self, effort: Effort) -> Cost:
        """Say what a stage will take."""
        with self._lock:
            own = self._speeds.get(effort.stage)
            speed = own or self._guess_for(effort.stage)
        if speed is None:
            return Cost(effort)
        after = speed.after * effort.num_pixels_shown
        return Cost(effort, speed.steps * effort.size + after, own is not None, after)

    def _guess_for(self, stage: WorkName) -> _Speed | None:
        """From the first stage that has run, or the sample: the larger network takes longer."""
        if stage not in self._weights:
            return None
        speeds = (known for known in self._speeds.items() if known[0] in self._weights)
        known = next(speeds, self._sample)
        if known is None:
            return None
        other, speed = known
        return _Speed(speed.steps * self._weights[stage] / self._weights[other], speed.after)
