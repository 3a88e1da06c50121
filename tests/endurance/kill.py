"""Kills servers and workers at random while they do jobs, and looks at what is left.

``python -m tests.endurance.kill --kills 100`` prints one line of JSON. It asks that every job that
was accepted is found again, that each comes to its end, that none is begun again that nobody asked
for again, and that every file that is shown is whole. ``test_kill.py`` runs a short one.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.endurance.quick import is_whole

ROOT = Path(__file__).parents[2]
NUM_WAITING = 3


class LostError(Exception):
    """The server is gone before it answered."""


class Server:
    """A server to be killed, and asked things as long as it lives."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.endurance.quick", "serve", "--data", self._data]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._read()

    def ask(self, **order: object) -> Any:
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise LostError from error
        return self._read()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def _read(self) -> Any:
        line = self._process.stdout.readline()
        if not line:
            raise LostError
        return json.loads(line)


def run(num_kills: int, seed: int, data: Path) -> dict[str, Any]:
    """Kill ``num_kills`` times, bring every job to its end, and count what went wrong."""
    started = time.monotonic()
    jobs: dict[str, Any] = {}
    kills, retries = Counter(), Counter()
    server = Server(data)
    try:
        kill_at_random(server, num_kills, random.Random(seed), jobs, kills, retries)
        look(server, jobs)
        while any(job["state"] != "done" for job in jobs.values()):
            retry_one(server, jobs, retries)
            time.sleep(0.1)
            look(server, jobs)
    finally:
        server.kill()
    files = [Path(name) for job in jobs.values() for name in job["files"]]
    lines = (data / "ledger.txt").read_text().splitlines()
    ledger = Counter(tuple(line.split()[:2]) for line in lines)
    return {
        "kills": dict(kills),
        "jobs": len(jobs),
        "done": sum(job["state"] == "done" for job in jobs.values()),
        "tried_again": retries.total(),
        "begun_without_being_asked": sum(
            max(ledger["start", job_id] - 1 - retries[job_id], 0) for job_id in jobs
        ),
        "never_ended": sum(ledger["end", job_id] == 0 for job_id in jobs),
        "files": len(files),
        "files_not_whole": sum(not path.is_file() or not is_whole(path) for path in files),
        "seconds": round(time.monotonic() - started, 1),
    }


def kill_at_random(
    server: Server,
    num_kills: int,
    chance: random.Random,
    jobs: dict[str, Any],
    kills: Counter,
    retries: Counter,
) -> None:
    """Keep jobs coming, and kill the server or a worker from time to time."""
    while kills.total() < num_kills:
        look(server, jobs)
        at_work = sum(job["state"] in ("queued", "running") for job in jobs.values())
        for _ in range(NUM_WAITING - at_work):
            job_id = server.ask(do="submit", values=values(chance))
            jobs[job_id] = {"state": "queued", "files": []}
        retry_one(server, jobs, retries)
        time.sleep(chance.uniform(0.0, 1.2))
        if chance.random() < 0.5:
            server.kill()
            kills["server"] += 1
            server.start()
        elif workers := server.ask(do="workers"):
            os.kill(chance.choice(workers), signal.SIGKILL)
            kills["worker"] += 1


def retry_one(server: Server, jobs: dict[str, Any], retries: Counter) -> None:
    """Ask again for one of the jobs that did not come to their end."""
    for job_id, job in jobs.items():
        if job["state"] in ("failed", "interrupted"):
            retries[job_id] += 1
            server.ask(do="retry", id=job_id)
            return


def look(server: Server, jobs: dict[str, Any]) -> None:
    """Ask for all jobs; one that is not found any more, or has a broken file, ends the test."""
    jobs |= server.ask(do="look", ids=list(jobs))
    for job in jobs.values():
        assert all(is_whole(Path(name)) for name in job["files"]), job


def values(chance: random.Random) -> dict[str, object]:
    return {
        "prompt": "a panda moving left over the ocean",
        "negative_prompt": "",
        "seed": str(chance.randrange(10**6)),
        "num_inference_steps": 5,
        "guidance_scale": 3,
        "scheduler": "dpm++",
        "width": 64,
        "height": 40,
        "num_frames": 16,
        "smooth": chance.random() < 0.5,
        "upscale": chance.random() < 0.3,
        "smoothing_steps": 5,
        "upscaling_steps": 5,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(run(arguments.kills, arguments.seed, Path(folder))))


if __name__ == "__main__":
    main()
