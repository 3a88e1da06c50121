"""One server, two workers that are not its own, and a real Redis between them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from app import texts
from app.jobs import dispatcher
from app.jobs.crew import ProcessCrew
from app.model_card import read_model_card
from app.service import Service
from tests.endurance.kill import ROOT

pytestmark = pytest.mark.integration

VALUES = {
    "prompt": "a panda moving left over the ocean",
    "negative_prompt": "",
    "num_inference_steps": 5,
    "guidance_scale": 3,
    "scheduler": "dpm++",
    "width": 64,
    "height": 40,
    "num_frames": 16,
    "smooth": True,
    "upscale": True,
    "smoothing_steps": 5,
    "upscaling_steps": 5,
}


@pytest.fixture
def start_server(redis_address, tmp_path):
    """Starts a server without workers of its own; the one before is stopped."""
    servers: list[Service] = []

    def start() -> Service:
        while servers:
            servers.pop().stop()
        crew = ProcessCrew([], num_workers=0, address=redis_address)
        servers.append(Service(read_model_card("miniature"), crew, tmp_path))
        servers[-1].start()
        return servers[-1]

    yield start
    servers.pop().stop()


@pytest.fixture
def workers(redis_address, tmp_path) -> Iterator[list[subprocess.Popen]]:
    command = [sys.executable, "-m", "tests.endurance.quick", "work", "--data", str(tmp_path)]
    workers = [subprocess.Popen([*command, "--wire", redis_address], cwd=ROOT) for _ in range(2)]
    yield workers
    for worker in workers:
        worker.terminate()
        assert worker.wait(20) in (0, -signal.SIGKILL)


def submit(service: Service, count: int) -> list[str]:
    return [service.submit({**VALUES, "seed": str(seed)}).id for seed in range(count)]


def started_by(tmp_path) -> dict[str, str]:
    lines = (tmp_path / "ledger.txt").read_text().splitlines()
    started = [line.split()[1:] for line in lines if line.startswith("start")]
    assert len({job for job, _ in started}) == len(started), "a job was begun twice"
    return dict(started)


def test_two_workers_share_the_jobs_and_a_new_server_finds_them_at_it(
    start_server, workers, tmp_path
):
    service = start_server()
    jobs = submit(service, 8)
    service.wait(jobs[0], timeout=30)
    service = start_server()
    for job_id in jobs:
        job = service.wait(job_id, timeout=30)
        assert (job.state, len(job.results)) == ("done", 3)
        assert all(result.video.is_file() for result in job.results)
    assert set(started_by(tmp_path)) == set(jobs)
    assert len(set(started_by(tmp_path).values())) == 2
    assert service._dispatcher.num_workers == 2  # so that a wait is told as the two shorten it


def test_a_worker_that_is_killed_fails_its_job_and_the_other_goes_on(
    start_server, workers, tmp_path, monkeypatch
):
    monkeypatch.setattr(dispatcher, "SECONDS_UNTIL_LOST", 3.0)
    service = start_server()
    jobs = submit(service, 4)
    while not (tmp_path / "ledger.txt").exists() or not started_by(tmp_path):
        time.sleep(0.005)
    killed, worker = next(iter(started_by(tmp_path).items()))
    os.kill(int(worker), signal.SIGKILL)
    states = {job_id: service.wait(job_id, timeout=30).state for job_id in jobs}
    assert states == {job_id: "failed" if job_id == killed else "done" for job_id in jobs}
    assert service.get(killed).error == texts.WORKER_IS_LOST
    service.retry(killed)
    assert service.wait(killed, timeout=30).state == "done"
