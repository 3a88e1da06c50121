"""How long the stages take on this computer, learnt from what they took."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from app.result import Effort
from lavie.types import StageName


@dataclass(frozen=True)
class Cost:
    """What a stage will take.

    Args:
        effort: What it is asked to do.
        seconds: The estimate; None as long as nothing has run here.
        is_measured: Whether it comes from this very stage; else from how another one ran here.
    """

    effort: Effort
    seconds: float | None = None
    is_measured: bool = False


class Costs:
    """The speed of this computer, stage by stage, as of each one's latest run.

    A stage that has not run yet is judged by one that has: by how much larger its network is and
    on how many more cells it works.

    Args:
        weights: What one step costs per frame and pixel, relative to the other stages.
    """

    def __init__(self, weights: Mapping[StageName, float]) -> None:
        self._weights = weights
        self._seconds_per_size: dict[StageName, float] = {}
        self._guess: float | None = None
        self._lock = threading.Lock()

    def learn(self, effort: Effort, seconds: float) -> None:
        """Note how long a stage took."""
        with self._lock:
            self._seconds_per_size[effort.stage] = seconds / effort.size

    def hint(self, effort: Effort, seconds: float) -> None:
        """Note how long a small sample of a stage took, for as long as nothing better is known."""
        with self._lock:
            self._guess = seconds / effort.size / self._weights[effort.stage]

    def estimate(self, effort: Effort) -> Cost:
        """Say what a stage will take."""
        with self._lock:
            own = self._seconds_per_size.get(effort.stage)
            speeds = [rate / self._weights[stage] for stage, rate in self._seconds_per_size.items()]
            guess = speeds[0] if speeds else self._guess
        if own is not None:
            return Cost(effort, own * effort.size, is_measured=True)
        if guess is not None and effort.stage in self._weights:
            return Cost(effort, guess * self._weights[effort.stage] * effort.size)
        return Cost(effort)
