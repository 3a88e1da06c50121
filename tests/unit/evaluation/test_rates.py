import pytest

from lavie.evaluation.rates import Average, Rate, difference, ratio_of_sums


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


def test_an_average_is_less_sure_the_more_its_values_differ():
    same, spread = Average([2.0] * 4), Average([0.0, 4.0, 0.0, 4.0])
    assert same.mean == spread.mean == 2
    assert same.interval == (2, 2)
    low, high = spread.interval
    assert low < 1 < 3 < high
    assert Average([5.0]).interval == (5, 5)
    assert spread.as_json()["n"] == 4
    assert str(same) == "2.000 [2.00, 2.00]"


def test_a_ratio_of_sums_weighs_large_pairs_more():
    ratio, low, high = ratio_of_sums([(2.0, 1.0), (10.0, 10.0)])
    assert ratio == pytest.approx(12 / 11)
    assert low < ratio < high
    assert ratio_of_sums([(3.0, 2.0)] * 5) == pytest.approx((1.5, 1.5, 1.5))
    assert ratio_of_sums([(0.0, 0.0)]) == (1, 1, 1)
