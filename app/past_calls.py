"""What the server remembers of calls that are over: as little as it can."""

import sys
import time
from asyncio import Queue as Messages
from typing import Any

import gradio as gr
from gradio.utils import LRUCache

_SECONDS_TO_COME_BACK = 3600.0
"""After so long nobody is believed to wait who did not listen, and of whom there was no news."""


class PendingMessages(LRUCache[str, Messages[Any]]):
    """What is still to be said to each page or program: Gradio forgets the oldest after some time.

    It then forgets the events that were to be spoken of, too, which Gradio keeps for as long as the
    server runs, and first those that nobody waits for. Who listens looks here every ten seconds.

    Args:
        max_size: How many are remembered.
        events: Those that somebody waits for, of each page or program.
    """

    def __init__(self, max_size: int, events: dict[str, set[str]]) -> None:
        super().__init__(max_size)
        self._events = events
        self._used: dict[str, float] = {}

    def __setitem__(self, name: str, messages: Messages[Any]) -> None:
        """Remember one more."""
        super().__setitem__(name, messages)
        self._used[name] = time.monotonic()

    def __getitem__(self, name: str) -> Messages[Any]:
        """What is to be said, to whoever listens, or to add to it."""
        messages = super().__getitem__(name)
        self._used[name] = time.monotonic()
        return messages

    def __delitem__(self, name: str) -> None:
        """Forget one: there are too many, or its page was closed while it listened."""
        super().__delitem__(name)
        self._used.pop(name, None)
        self._events.pop(name, None)

    def popitem(self, last: bool = True) -> tuple[str, Messages[Any]]:
        """Forget one, of those that nobody waits for if there are any."""
        names = list(reversed(self) if last else self)
        name = next((name for name in names if not self._is_awaited(name)), names[0])
        messages = self[name]
        del self[name]
        return name, messages

    def _is_awaited(self, name: str) -> bool:
        """Whether somebody waits: also a program that asked, and has yet to come for the answer."""
        is_recent = time.monotonic() - self._used[name] < _SECONDS_TO_COME_BACK
        return is_recent and bool(self._events.get(name))


def forget_past_calls(page: gr.Blocks) -> None:
    """Have Gradio remember less of calls that are over, from now on."""
    queue = page._queue
    pending = queue.pending_messages_per_session
    queue.pending_messages_per_session = PendingMessages(
        pending.max_size, queue.pending_event_ids_session
    )
    queue.ANALYTICS_MAX_EVENTS = 1  # nobody sees the statistics
    queue.ANAYLTICS_CACHE_FREQUENCY = sys.maxsize  # nor has them made, of all calls after each call
