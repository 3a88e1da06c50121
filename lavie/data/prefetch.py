"""Work ahead in background threads without changing the order of the results.

Threads, not processes: decoding and scaling release Python's lock, samples need no copying, and
the order never depends on how many workers there are.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def run_in_order(
    tasks: Iterator[Callable[[], T]], num_threads: int, num_ahead: int
) -> Generator[T, None, None]:
    """Results of the tasks, in the order of the tasks.

    Args:
        tasks: Independent pieces of work; may be endless.
        num_threads: Threads that work at the same time. 0 works in the caller's.
        num_ahead: Tasks begun before their result is asked for.

    Yields:
        One result for each task. An error of a task is raised in its place.
    """
    if num_threads == 0:
        for task in tasks:
            yield task()
        return
    pending: deque[Future[T]] = deque()
    pool = ThreadPoolExecutor(num_threads, thread_name_prefix="lavie-data")
    try:
        for task in tasks:
            pending.append(pool.submit(task))
            if len(pending) > num_ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def prefetch(items: Generator[T, None, None], num_ahead: int) -> Generator[T, None, None]:
    """The same items, made by a background thread while the caller is busy with earlier ones.

    Args:
        items: What to iterate; it is closed together with the result.
        num_ahead: Items kept ready. 0 does everything in the caller's thread.

    Yields:
        The items in their order. An error in between is raised in its place.
    """
    end = object()

    def advance() -> T | object:
        return next(items, end)

    def asks() -> Iterator[Callable[[], T | object]]:
        while True:
            yield advance

    results = run_in_order(asks(), min(1, num_ahead), num_ahead)
    try:
        for item in results:
            if item is end:
                return
            yield item  # pyright: ignore[reportReturnType] - not the end, so a T
    finally:
        results.close()
        items.close()
