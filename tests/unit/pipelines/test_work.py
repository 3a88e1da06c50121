"""Counting the parts of a call's work, and foretelling the rest."""

import pytest

from lavie.pipelines import work
from lavie.pipelines.work import Work


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is told how late it is."""
    times = {"now": 0.0}
    monkeypatch.setattr(work.time, "perf_counter", lambda: times["now"])
    return times


def test_the_rest_takes_the_pace_of_its_own_kind(clock):
    told = []
    counted = Work(lambda *parts: told.append(parts), None, network=3, decoding=2)
    for now, kind in ((10, "network"), (11, "decoding"), (21, "network"), (31, "network")):
        clock["now"] = float(now)
        counted.finish(kind)
    assert told == [
        (1, 5, 20.0 + 20.0),  # nothing decoded yet: as slow as the rest
        (2, 5, 20.0 + 1.0),
        (3, 5, 10.0 + 1.0),
        (4, 5, 1.0),
    ]
