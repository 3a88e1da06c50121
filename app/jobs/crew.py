"""The workers that a server keeps for itself: started, watched, replaced when they die."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from app import texts
from app.jobs.wire import Wire
from app.jobs.worker import Runner, Worker

_ROOT = Path(__file__).parents[2]
_PATIENCE = 60.0
"""Seconds to wait, at most, before a worker is started again that keeps dying sooner than that."""


class Crew(Protocol):
    """Workers that belong to a server."""

    address: str
    """Of the wire over which they are reached."""

    def start(self, wire: Wire, data: Path) -> None:
        """Set them to work."""
        ...

    def names(self) -> list[str]:
        """Who is there."""
        ...

    def tend(self) -> dict[str, str]:
        """Replace the dead, and tell who died of what since last asked."""
        ...

    def stop(self) -> None:
        """End them, and what they are at."""
        ...


class ThreadCrew:
    """A worker in the server's own process: for tests, and where a process cannot have the GPU.

    Args:
        runner: Owns the model.
    """

    address = "memory:"

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._thread: threading.Thread | None = None
        self._name = f"thread-{uuid4().hex[:12]}"

    def start(self, wire: Wire, data: Path) -> None:
        """Start the thread."""
        self._worker = Worker(self._name, wire, self._runner, data)
        self._thread = threading.Thread(target=self._worker.run, name="lavie-worker", daemon=True)
        self._thread.start()

    def names(self) -> list[str]:
        """The one worker."""
        return [self._name]

    def tend(self) -> dict[str, str]:
        """A thread does not die alone."""
        return {}

    def stop(self) -> None:
        """Let the worker finish the job at hand."""
        if self._thread is not None:
            self._worker.stop()
            self._thread.join()


class ProcessCrew:
    """Workers in processes of their own: what kills one does not touch the server.

    Args:
        command: Starts a worker; the flags of `app.jobs.__main__` for name, data and wire are
            added.
        num_workers: How many. 0: none, where others on the same Redis do the work.
        address: Of the wire.
    """

    def __init__(
        self, command: Sequence[str], num_workers: int = 1, address: str = "sqlite:"
    ) -> None:
        self.address = address
        self._command = list(command)
        self._num_workers = num_workers
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._latest_start = 0.0
        self._num_deaths = 0
        self._next_start = 0.0

    def start(self, wire: Wire, data: Path) -> None:
        """Start the processes."""
        self._data = data
        self._fill()

    def names(self) -> list[str]:
        """Who is there."""
        return list(self._processes)

    def tend(self) -> dict[str, str]:
        """Replace the dead; ever more slowly if they go on dying soon."""
        dead = {
            name: _cause(process.returncode)
            for name, process in self._processes.items()
            if process.poll() is not None
        }
        now = time.monotonic()
        for name in dead:
            _close(self._processes.pop(name))
            is_soon = now - self._latest_start < _PATIENCE
            self._num_deaths = self._num_deaths + 1 if is_soon else 1
            self._next_start = now + min(2.0 ** (self._num_deaths - 3), _PATIENCE)
        if len(self._processes) < self._num_workers and now >= self._next_start:
            self._fill()
        return dead

    def stop(self) -> None:
        """End the processes at once: what they are at can be gone on with later."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _close(process)
        self._processes.clear()

    def _fill(self) -> None:
        self._latest_start = time.monotonic()
        while len(self._processes) < self._num_workers:
            name = f"process-{uuid4().hex[:12]}"
            paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
            self._processes[name] = subprocess.Popen(
                [*self._command, *self._flags(name)],
                stdin=subprocess.PIPE,  # its end tells the worker that the server is gone
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            )

    def _flags(self, name: str) -> list[str]:
        return ["--attached", "--name", name, "--data", str(self._data), "--wire", self.address]


def _cause(code: int) -> str:
    if code >= 0:
        return texts.worker_ended(str(code))
    return texts.worker_ended(signal.Signals(-code).name)


def _close(process: "subprocess.Popen[bytes]") -> None:
    if process.stdin is not None:
        process.stdin.close()
