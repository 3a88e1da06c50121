"""A server and its workers without page and network, to be killed: see kill.py.

``python -m tests.endurance.quick serve DATA`` answers lines of JSON on its standard input.
``python -m tests.endurance.quick work ...`` is one of its workers.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from app.files import all_or_nothing
from app.jobs.__main__ import work
from app.jobs.crew import ProcessCrew
from app.jobs.worker import Task
from app.model_card import read_model_card
from app.request import effort_of
from app.result import Result
from app.service import Service
from lavie.types import CancelToken, OnEvent, Progress

KINDS = ("video", "view", "poster", "thumbnail", "recipe")
NUM_STEPS = 5
SECONDS_PER_STEP = 0.02


class QuickRunner:
    """Takes a moment for a step, and writes what it does into a ledger and files that tell."""

    setup = None

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger

    def prepare(self) -> None:
        """Nothing to load."""

    def run(self, task: Task, on_event: OnEvent, cancel: CancelToken) -> Iterator[Result]:
        """Every stage's files hold their own checksum."""
        self._note("start", task)
        for stage in task.request.stages[len(task.results) :]:
            for step in range(1, NUM_STEPS + 1):
                cancel.raise_if_cancelled()
                time.sleep(SECONDS_PER_STEP)
                on_event(Progress(stage, step, NUM_STEPS))
            with all_or_nothing(task.folder) as folder:
                for kind in KINDS:
                    write_slowly(folder / f"{stage}.{kind}")
            files = {kind: task.folder / f"{stage}.{kind}" for kind in KINDS}
            yield Result(
                stage,
                **files,
                comparison=None,
                frames=None,
                metadata={"prompt": task.request.prompt},
                seed=task.request.seed,
                effort=effort_of(stage, NUM_STEPS, 16, 40, 64),
                seconds=0.1,
            )
        self._note("end", task)

    def _note(self, what: str, task: Task) -> None:
        line = f"{what} {task.folder.name} {os.getpid()}\n".encode()
        ledger = os.open(self._ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(ledger, line)
        os.close(ledger)


def write_slowly(path: Path) -> None:
    content = os.urandom(20_000)
    with path.open("wb") as file:
        for part in (content[:9_000], content[9_000:], hashlib.sha256(content).digest()):
            file.write(part)
            file.flush()
            time.sleep(0.001)


def is_whole(path: Path) -> bool:
    content = path.read_bytes()
    return hashlib.sha256(content[:-32]).digest() == content[-32:]


def serve(data: Path, model: str, address: str, num_workers: int) -> None:
    """Do what the driver asks, one line at a time."""
    command = [sys.executable, "-m", "tests.endurance.quick", "work"]
    service = Service(read_model_card(model), ProcessCrew(command, num_workers, address), data)
    service.start()
    print(json.dumps({"ready": os.getpid()}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "submit":
            answer = service.submit(order["values"]).id
        elif order["do"] == "retry":
            answer = service.retry(order["id"]).id
        elif order["do"] == "workers":
            processes = service._dispatcher._crew._processes.values()
            answer = [process.pid for process in processes if process.poll() is None]
        else:
            answer = {
                job_id: {
                    "state": (job := service.get(job_id)).state,
                    "error": job.error,
                    "files": [
                        str(path)
                        for result in job.results
                        for path in (result.video, result.view, result.recipe)
                    ],
                }
                for job_id in order["ids"]
            }
        print(json.dumps(answer), flush=True)
    service.stop()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=("serve", "work"))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", default="miniature")
    parser.add_argument("--wire", default="sqlite:")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--name")
    parser.add_argument("--attached", action="store_true")
    arguments = parser.parse_args()
    if arguments.role == "serve":
        serve(arguments.data, arguments.model, arguments.wire, arguments.workers)
    else:
        runner = QuickRunner(arguments.data / "ledger.txt")
        work(runner, arguments.wire, arguments.data, arguments.name, arguments.attached)


if __name__ == "__main__":
    main()
