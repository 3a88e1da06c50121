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
from dataclasses import dataclass, replace

from app.jobs.wire import Setup
from app.jobs.worker import Task
from app.loras.request import LoraTrainingRequest
from app.request import efforts_of
from app.result import Result, WorkName
from app.runner import CascadeRunner
from app.texts import lora_rules
from lavie.errors import Cancelled, ConfigError
from lavie.types import CancelToken, Event, OnEvent, Progress

MIN_SECONDS = 20
MAX_SECONDS = 120
"""What a visitor who is not logged in may ask for, at most, at a time."""

_TFLOP_PER_STEP: dict[WorkName, float] = {
    "base": 16.2 / (16 * 320 * 512),
    "long_video": 16.2 / (16 * 320 * 512),  # the same network
    "interpolation": 67.8 / (61 * 320 * 512),
    "super_resolution": 317 / (8 * 1280 * 2048),
    "lora": 1.5 * 16.2 / (16 * 320 * 512),  # there and back, without guidance
}
"""For each pixel of the published models' videos, with guidance, by counting."""

_SECONDS_TO_KEEP = 25
"""Of a turn of a training: to begin, and to write down what was learnt before it is over."""

_TFLOP_PER_SECOND = 100
"""Of a ZeroGPU's share of an H200, in float16: a careful guess, not a measurement."""

_SECONDS_BESIDE = 15
"""To begin, to decode and to write the files."""

Decorator = Callable[
    ..., Callable[[Callable[..., Iterator[object]]], Callable[..., Iterator[object]]]
]


@dataclass(frozen=True)
class _Unfinished:
    """The turn of a training is over; the next one goes on."""


@dataclass(frozen=True)
class _Failure:
    """An error on its way to the page's process; ``spaces`` would only keep its name."""

    error: Exception


_Item = Event | Result | _Failure | _Unfinished


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

        A training takes turns: each is a call of its own, as long as may be asked for at a time.

        Raises:
            Cancelled: ``cancel`` was set; the process has stopped by then.
            ConfigError: A training gets nowhere in the time of a turn.
            Exception: What the work raised.
        """
        finish = task.finish or CancelToken()
        is_over = False
        while not is_over:
            is_finishing = finish.is_cancelled
            turn = replace(task, finish=None, is_finishing=is_finishing)
            heard, stream = _Heard(on_event), self._stream(turn)
            is_over = True
            try:
                for item in stream:
                    if isinstance(item, Result):
                        yield item
                        continue  # it may have been the last: then the work is done
                    if isinstance(item, _Failure):
                        raise item.error
                    elif isinstance(item, _Unfinished):
                        is_over = False
                    else:
                        heard.hear(item)  # type: ignore[arg-type]  # all that is left
                    cancel.raise_if_cancelled()
                    if heard.is_training and finish.is_cancelled and not is_finishing:
                        is_over = False
                        break  # the next turn makes something of what it has learnt
            finally:
                stream.close()  # type: ignore[attr-defined]  # a generator
            if not is_over and not heard.is_training:
                raise ConfigError(lora_rules.TOO_SLOW_IN_TURNS)


class _Heard:
    """Passes events on, and notes whether there was a step of a training."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self.is_training = False

    def hear(self, event: Event) -> None:
        is_step = isinstance(event, Progress) and event.stage == "lora"
        self.is_training = self.is_training or is_step
        self._on_event(event)


def seconds_for(task: Task) -> int:
    """How long a job may take: what ZeroGPU is asked for.

    Args:
        task: The job.

    Returns:
        Seconds, from `MIN_SECONDS` to `MAX_SECONDS`.
    """
    if isinstance(task.request, LoraTrainingRequest) and not task.results:
        return MAX_SECONDS
    efforts = efforts_of(task.request, task.results)
    tflop = sum(_TFLOP_PER_STEP[effort.stage] * effort.size for effort in efforts)
    seconds = _SECONDS_BESIDE + tflop / _TFLOP_PER_SECOND
    return round(min(max(seconds, MIN_SECONDS), MAX_SECONDS))


def _stream(runner: CascadeRunner, task: Task) -> Iterator[_Item]:
    """What a runner tells and makes, in the order in which it does."""
    items: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
    cancel, turn = CancelToken(), threading.Event()

    def end_turn() -> None:
        turn.set()
        cancel.cancel()

    def work() -> None:
        timer = threading.Timer(seconds_for(task) - _SECONDS_TO_KEEP, end_turn)
        timer.daemon = True
        if isinstance(task.request, LoraTrainingRequest):
            timer.start()
        try:
            for result in runner.run(task, items.put, cancel):
                items.put(result)
        except Cancelled:
            if turn.is_set():  # else nobody listens any more
                items.put(_Unfinished())
        except Exception as error:
            items.put(_Failure(error))
        finally:
            timer.cancel()
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
