"""Jobs on a ZeroGPU Space: a GPU for as long as each one asks for, in a process forked for it.

The page's own process holds the weights, on a device that it only pretends to have; a call of a
decorated function forks it, with the GPU, and passes on what the function yields. What the forked
process changes in its memory is gone with it, so every stage is loaded before.

Source: the package ``spaces``, 0.51: ``spaces.GPU`` on a generator function.
"""

import os
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.jobs.wire import Setup
from app.jobs.worker import Task
from app.request import efforts_of
from app.result import Result
from app.runner import CascadeRunner
from lavie.errors import Cancelled
from lavie.types import CancelToken, Event, OnEvent, StageName

MIN_SECONDS = 20
MAX_SECONDS = 120
"""What a visitor who is not logged in may ask for, at most, at a time."""

_TFLOP_PER_STEP: dict[StageName, float] = {
    "base": 16.2 / (16 * 320 * 512),
    "long_video": 16.2 / (16 * 320 * 512),  # the same network
    "interpolation": 67.8 / (61 * 320 * 512),
    "super_resolution": 317 / (8 * 1280 * 2048),
}
"""For each pixel of the published models' videos, with guidance, by counting."""

_TFLOP_PER_SECOND = 100
"""Of a ZeroGPU's share of an H200, in float16: a careful guess, not a measurement."""

_SECONDS_BESIDE = 15
"""To begin, to decode and to write the files."""

Decorator = Callable[
    ..., Callable[[Callable[..., Iterator[object]]], Callable[..., Iterator[object]]]
]


@dataclass(frozen=True)
class _Failure:
    """An error on its way to the page's process; ``spaces`` would only keep its name."""

    error: Exception


class ZeroRunner:
    """Runs jobs inside a decorated call.

    To be made, and prepared, before the page is launched: so ZeroGPU requires.

    Args:
        runner: Does the work, in the forked process.
        gpu: ``spaces.GPU``.
    """

    def __init__(self, runner: CascadeRunner, gpu: Decorator) -> None:
        self._runner = runner

        def stream(task: Task) -> Iterator[object]:
            yield from _stream(runner, task)

        self._stream = gpu(duration=seconds_for)(stream)
        self._is_prepared = False

    @property
    def setup(self) -> Setup | None:
        """How the page's process has the model."""
        return self._runner.setup

    def prepare(self) -> None:
        """Load every stage, once."""
        if not self._is_prepared:
            self._runner.load_all()
            self._is_prepared = True

    def run(self, task: Task, on_event: OnEvent, cancel: CancelToken) -> Iterator[Result]:
        """Run a job in a forked process; its events and results come one by one.

        Raises:
            Cancelled: ``cancel`` was set; the process has stopped by then.
            Exception: What the work raised.
        """
        stream = self._stream(task)
        try:
            for item in stream:
                if isinstance(item, Result):
                    yield item
                elif isinstance(item, _Failure):
                    raise item.error
                else:
                    on_event(item)  # type: ignore[arg-type]  # all that is left
                cancel.raise_if_cancelled()
        finally:
            stream.close()  # type: ignore[attr-defined]  # a generator


def seconds_for(task: Task) -> int:
    """How long a job may take: what ZeroGPU is asked for.

    Args:
        task: The job.

    Returns:
        Seconds, from `MIN_SECONDS` to `MAX_SECONDS`.
    """
    efforts = efforts_of(task.request, task.results)
    tflop = sum(_TFLOP_PER_STEP[effort.stage] * effort.size for effort in efforts)
    seconds = _SECONDS_BESIDE + tflop / _TFLOP_PER_SECOND
    return round(min(max(seconds, MIN_SECONDS), MAX_SECONDS))


def _stream(runner: CascadeRunner, task: Task) -> Iterator[Event | Result | _Failure]:
    """What a runner tells and makes, in the order in which it does."""
    items: queue.SimpleQueue[Event | Result | _Failure | None] = queue.SimpleQueue()
    cancel = CancelToken()

    def work() -> None:
        try:
            for result in runner.run(task, items.put, cancel):
                items.put(result)
        except Cancelled:
            pass  # nobody listens any more
        except Exception as error:
            items.put(_Failure(error))
        items.put(None)

    worker = threading.Thread(target=work, name="lavie-zero")
    worker.start()
    try:
        while (item := items.get()) is not None:
            yield item
    finally:
        cancel.cancel()
        worker.join()


def is_zero_gpu() -> bool:
    """Whether this is a Space of that kind."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")
