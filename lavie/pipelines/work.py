"""How much of a call's work is done, and how long the rest takes."""

import time
from collections.abc import Callable

from lavie.types import CancelToken

OnProgress = Callable[[int, int, float], None]
"""Told how many of how many parts of the work are done, and how many seconds the rest takes."""


class Work:
    """Counts the parts of a call's work, of kinds that take different times.

    A part is small, so that even one step on large frames is heard and can be stopped: a layer of
    the network on a window or a tile, or a slice of frames that is encoded or decoded.

    Args:
        on_progress: Hears of every part.
        cancel: Looked at after every part.
        **parts: How many parts there are of each kind.
    """

    def __init__(
        self, on_progress: OnProgress | None, cancel: CancelToken | None, **parts: int
    ) -> None:
        self._on_progress = on_progress
        self._cancel = cancel
        self._left = parts
        self._done = dict.fromkeys(parts, 0)
        self._seconds = dict.fromkeys(parts, 0.0)
        self._finished = time.perf_counter()

    def counter(self, kind: str) -> Callable[[], None]:
        """What to call whenever a part of a kind is done."""
        return lambda: self.finish(kind)

    def finish(self, kind: str) -> None:
        """Note that a part of a kind is done.

        Raises:
            Cancelled: The token was set.
        """
        now = time.perf_counter()
        self._seconds[kind] += now - self._finished
        self._finished = now
        self._done[kind] += 1
        self._left[kind] -= 1
        if self._on_progress is not None:
            done = sum(self._done.values())
            self._on_progress(done, done + sum(self._left.values()), self._seconds_left())
        if self._cancel is not None:
            self._cancel.raise_if_cancelled()

    def _seconds_left(self) -> float:
        """The rest at the pace of each kind so far; of all together for what has not begun."""
        usual = sum(self._seconds.values()) / sum(self._done.values())
        return sum(
            left * (self._seconds[kind] / self._done[kind] if self._done[kind] else usual)
            for kind, left in self._left.items()
        )
