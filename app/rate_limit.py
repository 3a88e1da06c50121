"""How much of something was used lately, by whom."""

import threading
import time
from collections.abc import Callable


class RateLimit:
    """Lets each one have so much of something in any stretch of time.

    Args:
        limit: How much.
        seconds: In which time.
        clock: Seconds, ever growing.
    """

    def __init__(
        self, limit: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit = limit
        self._seconds = seconds
        self._clock = clock
        self._used: dict[str, list[tuple[float, int]]] = {}
        self._next_cleaning = 0.0
        self._lock = threading.Lock()

    def take(self, who: str, amount: int = 1) -> bool:
        """Note a use, unless it would be too much: then False, and nothing is noted."""
        with self._lock:
            now = self._clock()
            used = self._recent(who, now)
            if sum(past for _, past in used) + amount > self.limit:
                return False
            self._used[who] = [*used, (now, amount)]
            if now >= self._next_cleaning:  # so that it does not grow with everybody who ever came
                self._next_cleaning = now + self._seconds
                self._used = {w: recent for w in self._used if (recent := self._recent(w, now))}
            return True

    def _recent(self, who: str, now: float) -> list[tuple[float, int]]:
        begin = now - self._seconds
        return [use for use in self._used.get(who, ()) if use[0] > begin]
