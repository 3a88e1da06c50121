"""Gives memory that was freed back to the system, which the C library keeps to itself otherwise."""

import threading

from lavie.runtime.allocator import give_back_freed_memory

SECONDS_BETWEEN = 30.0


def keep_giving_back(seconds: float = SECONDS_BETWEEN) -> None:
    """Do so now and then, as long as the process lives.

    A worker keeps what it needs for a video, gigabytes perhaps, also when it has nothing to do.

    Args:
        seconds: From one time to the next.
    """
    if give_back_freed_memory():
        threading.Thread(target=_go_on, args=(seconds,), name="freed-memory", daemon=True).start()


def _go_on(seconds: float) -> None:
    pause = threading.Event()
    while not pause.wait(seconds):
        give_back_freed_memory()
