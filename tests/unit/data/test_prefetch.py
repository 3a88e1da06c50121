import threading
import time
from functools import partial
from itertools import count, islice

import pytest

from lavie.data.prefetch import prefetch, run_in_order


def numbers(stop=None):
    for number in count():
        if number == stop:
            raise RuntimeError("no more numbers")
        yield number


def slow_square(number):
    time.sleep(0.002 * (number % 3))
    return number * number


def data_threads():
    return [t for t in threading.enumerate() if t.name.startswith("lavie-data")]


@pytest.mark.parametrize("num_threads", [0, 1, 4])
def test_results_keep_the_order_of_the_tasks(num_threads):
    results = run_in_order((partial(slow_square, n) for n in count()), num_threads, 5)
    assert list(islice(results, 20)) == [n * n for n in range(20)]
    results.close()
    assert not data_threads()


def test_tasks_really_run_side_by_side():
    both = threading.Barrier(2, timeout=10)
    list(run_in_order(iter([both.wait, both.wait]), 2, 2))


def test_an_error_is_raised_in_its_place():
    results = run_in_order(iter([lambda: 1, lambda: 1 // 0, lambda: 3]), 2, 2)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert not data_threads()


@pytest.mark.parametrize("num_ahead", [0, 1, 3])
def test_prefetching_changes_nothing(num_ahead):
    items = prefetch((n for n in range(7)), num_ahead)
    assert list(items) == list(range(7))
    assert not data_threads()


def test_prefetching_works_ahead_and_stops_when_closed():
    made = []

    def producer():
        try:
            for number in count():
                made.append(number)
                yield number
        finally:
            made.append("closed")

    items = prefetch(producer(), 3)
    assert next(items) == 0
    deadline = time.monotonic() + 10
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.001)
    items.close()
    assert made == [0, 1, 2, 3, "closed"]
    assert not data_threads()


def test_prefetching_raises_what_went_wrong():
    items = prefetch(numbers(stop=2), 4)
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(RuntimeError, match="no more"):
        next(items)
