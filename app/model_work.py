"""The one download or conversion that the server is at: it goes on when the page is closed."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from app import texts
from app.models import InstalledModel
from lavie.errors import Cancelled, InputError, LaVieError
from lavie.types import CancelToken, Event, OnEvent, Progress

logger = logging.getLogger(__name__)

Do = Callable[[OnEvent, CancelToken], InstalledModel]


@dataclass(frozen=True)
class Work:
    """How far it is.

    Attributes:
        title: What is done, for people.
        note: What else is to be known about it; may be empty.
        progress: As far as that is known.
        is_stopping: Whether it was asked to stop.
        outcome: How it ended, in a sentence; None: it has not.
        is_failure: Whether that is bad news.
    """

    title: str
    note: str = ""
    progress: Progress | None = None
    is_stopping: bool = False
    outcome: str | None = None
    is_failure: bool = False

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.outcome is not None


class ModelWork:
    """Does one long thing at a time, in a thread of the server; whoever asks sees how far it is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._work: Work | None = None
        self._cancel = CancelToken()

    @property
    def now(self) -> Work | None:
        """What is done now, or what was done last and how it ended; None: nothing was."""
        return self._work

    @property
    def is_busy(self) -> bool:
        """Whether something is done now."""
        work = self._work
        return work is not None and not work.is_over

    def begin(self, title: str, do: Do, note: str = "") -> None:
        """Do something in the background.

        Args:
            title: What it is, for people.
            do: Makes a model; gets whom to tell of its progress, and what may stop it.
            note: What else is to be known about it.

        Raises:
            InputError: Something else is being done.
        """
        with self._lock:
            if self.is_busy:
                raise InputError(texts.MODEL_WORK_IS_BUSY)
            self._work, self._cancel = Work(title, note), CancelToken()
        threading.Thread(target=self._run, args=[do], name="lavie-models", daemon=True).start()

    def stop(self) -> None:
        """Ask what is being done to stop; what has come of a download stays for the next time."""
        with self._lock:
            if self.is_busy:
                self._cancel.cancel()
                self._change(is_stopping=True)

    def dismiss(self) -> None:
        """Forget how the last one ended."""
        with self._lock:
            if not self.is_busy:
                self._work = None

    def _run(self, do: Do) -> None:
        try:
            made = do(self._hear, self._cancel)
            outcome, is_failure = texts.model_made(made.name), False
        except Cancelled:
            outcome, is_failure = texts.MODEL_WORK_CANCELLED, False
        except LaVieError as error:
            outcome, is_failure = str(error), True
        except OSError as error:
            logger.exception("%s", self._work)
            outcome, is_failure = texts.model_work_failed(error.strerror or str(error)), True
        except Exception:
            logger.exception("%s", self._work)
            outcome, is_failure = texts.MODEL_WORK_BROKE, True
        with self._lock:
            self._change(outcome=outcome, is_failure=is_failure)

    def _hear(self, event: Event) -> None:
        if isinstance(event, Progress):
            with self._lock:
                self._change(progress=event)

    def _change(self, **changes: object) -> None:
        if self._work is not None:
            self._work = replace(self._work, **changes)  # type: ignore[arg-type]  # its own fields
