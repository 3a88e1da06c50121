"""What the server remembers of calls that are over: as little as it can."""

import sys
from asyncio import Queue as Messages
from typing import Any

import gradio as gr
from gradio.utils import LRUCache


class PendingMessages(LRUCache[str, Messages[Any]]):
    """What is still to be said to each page or program: Gradio forgets the oldest after some time.

    It then forgets the events that were to be spoken of, too, which Gradio keeps for as long as the
    server runs, and first those that nobody waits for.

    Args:
        max_size: How many are remembered.
        events: Those that somebody waits for, of each page or program.
    """

    def __init__(self, max_size: int, events: dict[str, set[str]]) -> None:
        super().__init__(max_size)
        self._events = events

    def popitem(self, last: bool = True) -> tuple[str, Messages[Any]]:
        """Forget one, of those that nobody waits for if there are any."""
        order = reversed(self) if last else iter(self)
        oldest = next((name for name in order if not self._events.get(name)), None)
        name, messages = super().popitem(last) if oldest is None else (oldest, self.pop(oldest))
        self._events.pop(name, None)
        return name, messages


def forget_past_calls(page: gr.Blocks) -> None:
    """Have Gradio remember less of calls that are over, from now on."""
    queue = page._queue
    pending = queue.pending_messages_per_session
    queue.pending_messages_per_session = PendingMessages(
        pending.max_size, queue.pending_event_ids_session
    )
    queue.ANALYTICS_MAX_EVENTS = 1  # nobody sees the statistics
    queue.ANAYLTICS_CACHE_FREQUENCY = sys.maxsize  # nor has them made, of all calls after each call
