from dataclasses import replace

import pytest

from app.costs import Costs
from app.result import Effort

BASE = Effort("base", 10, 16, 40, 64)
SMOOTH = Effort("interpolation", 10, 61, 40, 64)


@pytest.fixture
def costs() -> Costs:
    return Costs({"base": 1.0, "interpolation": 2.0})


def test_nothing_is_known_before_anything_ran(costs):
    assert costs.estimate(BASE).seconds is None


def test_time_grows_with_steps_and_size(costs):
    costs.learn(BASE, 5.0)
    assert costs.estimate(replace(BASE, num_steps=20)).seconds == pytest.approx(10)
    assert costs.estimate(replace(BASE, height=20)).seconds == pytest.approx(2.5)


def test_the_latest_run_counts(costs):
    costs.learn(BASE, 5.0)
    costs.learn(BASE, 7.0)
    assert costs.estimate(BASE).seconds == pytest.approx(7)


def test_a_stage_that_never_ran_is_judged_by_another_and_by_its_weight(costs):
    costs.learn(BASE, 16.0)
    guess = costs.estimate(SMOOTH)
    assert (guess.seconds, guess.is_measured) == (pytest.approx(16 * 2 * 61 / 16), False)
    costs.learn(SMOOTH, 9.0)
    assert costs.estimate(SMOOTH).seconds == pytest.approx(9)
    assert costs.estimate(SMOOTH).is_measured


def test_what_comes_after_the_last_step_grows_with_the_video_but_not_with_the_steps(costs):
    costs.learn(BASE, 7.0, seconds_after=2.0)
    twice = costs.estimate(replace(BASE, num_steps=20))
    assert (twice.seconds, twice.seconds_after) == (pytest.approx(12), pytest.approx(2))
    longer = costs.estimate(replace(BASE, num_frames=32))
    assert (longer.seconds, longer.seconds_after) == (pytest.approx(14), pytest.approx(4))
    assert costs.estimate(SMOOTH).seconds_after == pytest.approx(2 * 61 / 16)


def test_after_the_steps_a_small_video_takes_as_long_as_what_is_shown_of_it():
    costs = Costs({"base": 1.0, "super_resolution": 1.0})
    costs.learn(BASE, 7.0, seconds_after=2.0)  # 40x64, shown as 320x512
    upscaled = Effort("super_resolution", 1, 16, 160, 256)
    assert costs.estimate(upscaled).seconds_after == pytest.approx(2)  # shown as large
    large = Effort("super_resolution", 1, 16, 1280, 2048)
    assert costs.estimate(large).seconds_after == pytest.approx(2 * 16)


def test_a_sample_helps_until_there_is_a_whole_run(costs):
    costs.hint(replace(BASE, num_steps=1), 1.0)
    assert costs.estimate(BASE).seconds == pytest.approx(10)
    assert not costs.estimate(BASE).is_measured
    costs.learn(BASE, 4.0)
    assert costs.estimate(BASE).seconds == pytest.approx(4)


def test_a_stage_that_nothing_is_known_of_costs_nobody_knows_what(costs):
    costs.learn(BASE, 4.0)
    assert costs.estimate(Effort("super_resolution", 10, 16, 160, 256)).seconds is None
