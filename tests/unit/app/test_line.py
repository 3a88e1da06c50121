"""Who is next and when, without a model: jobs in a store, workers that are only counted."""

from dataclasses import dataclass, replace

import pytest

from app.costs import Costs
from app.jobs.store import JobStore
from app.line import Line
from app.request import TextToVideoRequest, efforts_of
from lavie.types import Progress

TEN_SECONDS = TextToVideoRequest(
    "a panda",
    "",
    7,
    10,
    3.0,
    "dpm++",
    64,
    40,
    16,
    False,
    False,
    smoothing_steps=1,
    upscaling_steps=1,
)
TWENTY_SECONDS = replace(TEN_SECONDS, num_inference_steps=20)
NOBODY_KNOWS = replace(TEN_SECONDS, upscale=True)


@dataclass
class Workers:
    num_workers: int = 1
    is_paused: bool = False


@pytest.fixture
def store(tmp_path):
    store = JobStore(tmp_path)
    yield store
    store.close()


@pytest.fixture
def waits(store):
    """Seconds before each job that waits, with so many workers, of which some are at a job."""

    def waits(num_workers, running, *waiting):
        costs = Costs({"base": 1.0})
        costs.learn(next(efforts_of(TEN_SECONDS, ())), 10.0)
        for request in running:
            store.update(store.add(request).id, state="running")
        for request in waiting:
            store.add(request)
        line = list(Line(store, Workers(num_workers), costs))
        assert [status.num_ahead for status in line[len(running) :]] == [
            len(running) + place for place in range(len(waiting))
        ]
        return [status.seconds_ahead for status in line[len(running) :]]

    return waits


def test_one_worker_does_them_one_after_the_other(waits):
    assert waits(1, [TEN_SECONDS], TWENTY_SECONDS, TEN_SECONDS) == [10, 30]


def test_several_workers_share_the_line(waits):
    running = [TEN_SECONDS, TWENTY_SECONDS]
    # free at 10 and 20; the first to wait begins at 10 and ends at 30, the second at 20 and 30
    assert waits(2, running, TWENTY_SECONDS, TEN_SECONDS, TEN_SECONDS) == [10, 20, 30]


def test_a_worker_that_is_free_begins_at_once(waits):
    assert waits(3, [TEN_SECONDS], TEN_SECONDS, TEN_SECONDS, TEN_SECONDS) == [0, 0, 10]


def test_what_nobody_knows_the_length_of_keeps_one_worker_busy(waits):
    assert waits(2, [NOBODY_KNOWS, TEN_SECONDS], TEN_SECONDS, TEN_SECONDS) == [10, 20]


def test_a_job_that_waits_begins_when_the_one_at_work_says_it_ends(store):
    progress = Progress("base", 2, 10, seconds_left=3.0)
    job = store.add(TEN_SECONDS)
    store.update(job.id, state="running", progress=progress)
    store.add(TEN_SECONDS)
    costs = Costs({"base": 1.0})
    costs.learn(next(efforts_of(TEN_SECONDS, ())), 10.0)
    assert [status.seconds_ahead for status in Line(store, Workers(), costs)] == [None, 3.0]


def test_behind_what_nobody_knows_the_length_of_nobody_knows_the_wait(waits):
    assert waits(1, [TEN_SECONDS], NOBODY_KNOWS, TEN_SECONDS) == [10, None]
