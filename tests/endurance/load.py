"""Many visitors at once: all open the page, ask for a video and follow it to its end.

``python -m tests.endurance.load --clients 50`` prints one line of JSON. The server is a public one,
with a runner that takes a moment instead of a model; with ``--app`` it is the app itself with the
miniature. In every round all visitors are new ones, with a token of their own, and come at the same
moment from addresses of their own (127.0.0.x). ``test_load.py`` runs a short one.
"""

import argparse
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from app.visitors import HEADER, new_token
from tests.integration.studio import serving

ROOT = Path(__file__).parents[2]
API = "/gradio_api"
PROMPT = "a panda moving left over the ocean"
PATIENCE = 900.0


@dataclass
class Seen:
    """What one visitor saw; without `state` his video was refused, and `error` says why."""

    page_seconds: float | None = None
    accepted_seconds: float | None = None
    place: int | None = None
    state: str | None = None
    error: str | None = None


def visit(url: str, number: int, start: threading.Barrier) -> Seen:
    """Be a visitor, when all are there."""
    seen = Seen()
    address = httpx.HTTPTransport(local_address=f"127.0.0.{number + 2}", verify=False)
    headers = {HEADER: new_token()}
    with httpx.Client(base_url=url, transport=address, headers=headers, timeout=PATIENCE) as client:
        start.wait(PATIENCE)
        try:
            seen.page_seconds = open_page(client)
            ask_and_follow(client, seen)
        except (httpx.HTTPError, ValueError, LookupError) as error:
            seen.error = f"{type(error).__name__}: {error}"
    return seen


def open_page(client: httpx.Client) -> float:
    """Load the page with what its head names, as a browser does."""
    begun = time.monotonic()
    page = client.get("/").raise_for_status().text
    for name in set(re.findall(r'(?:href|src)="\.?(/assets/[^"]+|/theme\.css[^"]*)"', page)):
        client.get(name).raise_for_status()
    return time.monotonic() - begun


def ask_and_follow(client: httpx.Client, seen: Seen) -> None:
    begun = time.monotonic()
    job = call(client, "submit", prompt=PROMPT, num_inference_steps=1)[-1]
    seen.accepted_seconds = time.monotonic() - begun
    heard = call(client, "follow", job_id=job["id"])
    seen.place, seen.state = heard[0]["place"], heard[-1]["state"]


def call(client: httpx.Client, name: str, **values: object) -> list[dict[str, Any]]:
    """Everything that an endpoint answers until it is done."""
    place = f"{API}/call/v2/{name}"
    event = client.post(place, json=values).raise_for_status().json()["event_id"]
    answers, kind = [], ""
    with client.stream("GET", f"{place}/{event}") as stream:
        for line in stream.iter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: ") and kind != "heartbeat":
                if kind == "error":
                    raise ValueError(line)
                answers += json.loads(line.removeprefix("data: ")) or []
            elif not line and kind == "complete":
                break
    return answers


def run(url: str, process_id: int, num_clients: int, num_rounds: int) -> dict[str, Any]:
    """Let the visitors come, round after round, and sum up what they saw.

    Args:
        url: Of the server.
        process_id: Of the server.
        num_clients: Visitors that come at once.
        num_rounds: How often that many come.
    """
    begun = time.monotonic()
    memory = [resident_megabytes(process_id)]
    visitors: list[Seen] = []
    start = threading.Barrier(num_clients)
    with ThreadPoolExecutor(num_clients) as pool:
        for _ in range(num_rounds):
            visitors += pool.map(lambda number: visit(url, number, start), range(num_clients))
            memory.append(resident_megabytes(process_id))
    accepted = [seen for seen in visitors if seen.state]
    places = [seen.place for seen in accepted if seen.place is not None]
    return {
        "clients": num_clients,
        "rounds": num_rounds,
        "accepted": len(accepted),
        "refused": Counter(seen.error for seen in visitors if seen.error),
        "told_their_place": len(places),
        "begun_at_once": len(accepted) - len(places),
        "longest_queue": max(places, default=-1) + 1,
        "states": Counter(seen.state for seen in accepted),
        "page_seconds": spread([seen.page_seconds for seen in visitors]),
        "accepted_seconds": spread([seen.accepted_seconds for seen in visitors]),
        "megabytes": memory,
        "seconds": round(time.monotonic() - begun, 1),
    }


def spread(seconds: list[float | None]) -> dict[str, float]:
    known = [value for value in seconds if value is not None]
    figures = {"median": statistics.median(known), "worst": max(known)} if known else {}
    return {name: round(value, 2) for name, value in figures.items()}


def resident_megabytes(process_id: int) -> float:
    """Memory of a process, on Linux."""
    status = Path(f"/proc/{process_id}/status").read_text()
    return round(int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024, 1)


@contextmanager
def serving_app(folder: Path) -> Iterator[tuple[str, int]]:
    """The app as it is, with the miniature."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "app.py", "--public", "--port", str(port), "--data", folder / "data"]
    with (folder / "log.txt").open("w") as log:
        environment = {
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "GRADIO_TEMP_DIR": str(folder / "cache"),
        }
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=environment)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait(60)


def wait_for(url: str) -> None:
    for _ in range(240):
        try:
            httpx.get(url, timeout=5)
            return
        except httpx.HTTPError:
            time.sleep(0.5)
    raise TimeoutError(url)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--app", action="store_true", help="the app itself, with the miniature")
    arguments = parser.parse_args()
    counts = arguments.clients, arguments.rounds
    with tempfile.TemporaryDirectory() as name:
        if arguments.app:
            with serving_app(Path(name)) as (url, process_id):
                figures = run(url, process_id, *counts)
        else:
            with serving(Path(name), "--public") as studio:
                figures = run(studio.url, studio.process.pid, *counts)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
