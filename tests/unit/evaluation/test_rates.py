import pytest

from lavie.evaluation.rates import Rate, difference


def test_interval_is_wilsons():
    low, high = Rate(81, 263).interval  # Newcombe (1998), table I, method 3: 0.2553 to 0.3662
    assert low == pytest.approx(0.2553, abs=1e-4)
    assert high == pytest.approx(0.3662, abs=1e-4)


@pytest.mark.parametrize(("hits", "end"), [(0, 0), (20, 1)])
def test_interval_of_a_sure_thing_still_has_a_width(hits, end):
    interval = Rate(hits, 20).interval
    assert interval[end] == pytest.approx(end)
    assert interval[1] - interval[0] > 0.1


def test_difference_is_newcombes():
    gap, low, high = difference(Rate(56, 70), Rate(48, 80))  # Newcombe (1998), method 10
    assert gap == pytest.approx(0.2)
    assert low == pytest.approx(0.0524, abs=1e-4)
    assert high == pytest.approx(0.3339, abs=1e-4)
