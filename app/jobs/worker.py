"""Does jobs: takes orders from the wire one by one and has its runner do them."""

import base64
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from app import texts
from app.full_disk import is_disk_full
from app.jobs.job import Animation
from app.jobs.wire import Order, Outcome, Report, Setup, Wire, WorkerStatus
from app.request import Request
from app.result import Effort, Result
from lavie.errors import Cancelled, LaVieError, MemoryBudgetError
from lavie.runtime.profiles import ProfileName
from lavie.types import CancelToken, Event, Frames, OnEvent, Preview, Progress, StageName

logger = logging.getLogger(__name__)

REMOTE = "worker-"
"""How the names of workers begin that do not end with the server."""

SECONDS_PER_BEAT = 1.0
_SECONDS_BETWEEN_LOOKS = 0.05
_SECONDS_BETWEEN_REPORTS = 0.1
_SECONDS_BETWEEN_PREVIEWS = 0.3
_PREVIEW_MILLISECONDS = 125


@dataclass(frozen=True)
class Task:
    """What a runner is to do.

    Args:
        request: What to make.
        results: The stages that are done already; the last is what to go on from.
        folder: Where files go; need not exist.
        is_memory_short: Whether to get along with less memory.
        is_checked: Whether the video has to pass a safety checker.
        profile: What to do about memory; None: what the runner was told when it was made.
        finish: Set while a training runs that is to end with what it has learnt so far.
        is_finishing: Whether that was asked for before.
        stages: Those that the model has to have if the request takes them.
    """

    request: Request
    results: tuple[Result, ...]
    folder: Path
    is_memory_short: bool = False
    is_checked: bool = False
    profile: ProfileName | None = None
    finish: CancelToken | None = None
    is_finishing: bool = False
    stages: tuple[StageName, ...] = ()


class Runner(Protocol):
    """Owns a model and turns requests into files."""

    @property
    def setup(self) -> Setup | None:
        """How it has its model; None before it is loaded."""
        ...

    def prepare(self) -> tuple[Effort, float] | None:
        """Load what the first job needs; may tell how many seconds a small sample of it took."""
        ...

    def run(self, task: Task, on_event: OnEvent, cancel: CancelToken) -> Iterator[Result]:
        """Run the stages that are left and give each one's result, whose files are there by then.

        Args:
            task: What to do.
            on_event: Hears of every step.
            cancel: Stops the stage at hand; those that are done keep their files.
        """
        ...


class Worker:
    """Takes orders one at a time.

    Args:
        name: Its own, unlike any other worker's ever.
        wire: Where orders come from and reports go to.
        runner: Owns the model. Its `prepare` is called first.
        data: The data folder, where this process sees it.
    """

    def __init__(self, name: str, wire: Wire, runner: Runner, data: Path) -> None:
        self._wire = wire
        self._runner = runner
        self._data = data
        self._status = WorkerStatus(name, 0)
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Stop after the order at hand."""
        self._stopping.set()

    def run(self) -> None:
        """Work until stopped."""
        beats = threading.Thread(target=self._beat, name="lavie-heart", daemon=True)
        beats.start()
        self._prepare()
        while not self._stopping.is_set():
            try:
                order = self._next()
            except Exception:  # Redis may come back, a busy disk may become free
                logger.exception("No order could be taken")
                self._stopping.wait(SECONDS_PER_BEAT)
                continue
            if order is None:
                self._stopping.wait(_SECONDS_BETWEEN_LOOKS)
            else:
                self._do(order)
        beats.join()

    def _next(self) -> Order | None:
        order = self._wire.take()
        return order if order and self._wire.claim(order.ticket, self._status.name) else None

    def _beat(self) -> None:
        while True:
            setup = self._runner.setup
            self._status = replace(self._status, beat=self._status.beat + 1, setup=setup)
            try:
                self._wire.send_status(self._status)
            except Exception:
                logger.exception("No sign of life could be given")
            if self._stopping.wait(SECONDS_PER_BEAT):
                return

    def _prepare(self) -> None:
        try:
            sample, seconds = self._runner.prepare() or (None, None)
            self._status = replace(self._status, state="ready", sample=sample, seconds=seconds)
        except LaVieError as error:
            logger.error("The model could not be loaded: %s", error)
            self._status = replace(self._status, state="broken", error=str(error))
        except Exception:
            logger.exception("The model could not be loaded")
            self._status = replace(self._status, state="broken", error=texts.MODEL_IS_BROKEN)

    def _do(self, order: Order) -> None:
        logger.info("Job %s starts: seed %d", order.job_id, order.request.seed)
        voice = _Voice(self._wire, order)
        outcome, error = self._run(order, voice)
        logger.info("Job %s: %s", order.job_id, outcome.replace("_", " "))
        while not voice.ends(outcome, error) and not self._stopping.wait(SECONDS_PER_BEAT):
            pass

    def _run(self, order: Order, voice: "_Voice") -> tuple[Outcome, str | None]:
        folder = self._data / order.folder
        task = Task(
            order.request,
            order.results,
            folder,
            order.is_memory_short,
            order.is_checked,
            order.profile,
            _Asked(self._wire.is_finish_asked, order.ticket),
            order.is_finishing,
            order.stages,
        )
        cancel = _Asked(self._wire.is_stop_asked, order.ticket)
        try:
            for result in self._runner.run(task, voice.hear, cancel):
                voice.add(result)
        except Cancelled:
            return "cancelled", None
        except MemoryBudgetError as error:
            return "out_of_memory", str(error)
        except LaVieError as error:
            logger.warning("Job %s was refused: %s", order.job_id, error)
            return "failed", str(error)
        except Exception as error:
            logger.exception("Job %s failed", order.job_id)
            return "failed", why_it_failed(error, order.job_id)
        return "done", None


def why_it_failed(error: Exception, job_id: str) -> str:
    """What the owner of a job is told of an error: as it says itself, unless it is a fault here."""
    if isinstance(error, LaVieError):
        return str(error)
    return texts.DISK_IS_FULL if is_disk_full(error) else texts.unexpected_failure(job_id)


class _Asked(CancelToken):
    """Set by the server, on the wire."""

    def __init__(self, is_asked: Callable[[str], bool], ticket: str) -> None:
        super().__init__()
        self._is_asked = is_asked
        self._ticket = ticket

    @property
    def is_cancelled(self) -> bool:
        if not super().is_cancelled and self._is_asked(self._ticket):
            self.cancel()
        return super().is_cancelled


class _Voice:
    """Tells the server of an order, but not of every step of a fast one."""

    def __init__(self, wire: Wire, order: Order) -> None:
        self._wire = wire
        self._ticket = order.ticket
        self._report = Report(order.results)
        self._next_report = self._next_preview = 0.0

    def hear(self, event: Event) -> None:
        """Pass an event on."""
        now = time.monotonic()
        if isinstance(event, Progress):
            self._report = replace(self._report, progress=event)
            if now >= self._next_report or event.step == event.total:
                self._next_report = now + _SECONDS_BETWEEN_REPORTS
                self._wire.send_report(self._ticket, self._report)
        elif isinstance(event, Preview) and now >= self._next_preview:
            self._next_preview = now + _SECONDS_BETWEEN_PREVIEWS
            self._wire.send_preview(self._ticket, Animation(event.step, animate(event.frames)))

    def add(self, result: Result) -> None:
        """Tell that a stage is done."""
        self._report = Report((*self._report.results, result))
        self._wire.send_report(self._ticket, self._report)

    def ends(self, outcome: Outcome, error: str | None) -> bool:
        """Tell how it ended; False if nobody could hear it, as on a full disk."""
        report = replace(self._report, progress=None, outcome=outcome, error=error)
        try:
            self._wire.send_report(self._ticket, report)
        except Exception:
            logger.exception("The end of a job could not be told")
            return False
        return True


def animate(frames: Frames) -> str:
    """Frames as a small animated WebP in base 64: nothing to store, nothing to serve.

    Args:
        frames: uint8 ``(F, H, W, 3)``.
    """
    import io

    from PIL import Image

    images = [Image.fromarray(frame) for frame in frames]
    buffer = io.BytesIO()
    images[0].save(
        buffer,
        format="WEBP",
        save_all=True,
        append_images=images[1:],
        duration=_PREVIEW_MILLISECONDS,
        loop=0,
        quality=70,
        method=0,
    )
    return base64.b64encode(buffer.getvalue()).decode()
