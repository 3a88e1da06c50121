import json
import math

import pytest

from lavie.training.checkpoint import Progressed
from lavie.training.metrics import Metrics


@pytest.fixture
def metrics(tmp_path):
    metrics = Metrics(tmp_path, Progressed(0, 0))
    yield metrics
    metrics.close()


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_line_holds_the_means_since_the_line_before(metrics, tmp_path):
    for loss in (1.0, 2.0):
        metrics.add({"loss": loss})
    metrics.write(2, samples=8)
    metrics.add({"loss": 5.0})
    metrics.write(3, samples=12)
    assert lines(tmp_path) == [
        {"step": 2, "loss": 1.5, "samples": 8},
        {"step": 3, "loss": 5.0, "samples": 12},
    ]


def test_steps_without_a_finite_number_do_not_count(metrics):
    metrics.add({"grad_norm": math.inf, "loss": math.nan})
    metrics.add({"grad_norm": 2.0, "loss": math.nan})
    assert metrics.write(2) == {"grad_norm": 2.0, "loss": None}


def test_resuming_drops_lost_steps_and_keeps_numbers_not_yet_written(metrics, tmp_path):
    for step in (2, 4, 6):
        metrics.add({"loss": float(step)})
        metrics.write(step)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 7, "lo')  # a kill in the middle of a line
    resumed = Metrics(tmp_path, Progressed(5, 0, rows=({"loss": 10.0},)))
    assert [line["step"] for line in lines(tmp_path)] == [2, 4]
    resumed.add({"loss": 20.0})
    assert resumed.write(6) == {"loss": 15.0}
    resumed.close()
