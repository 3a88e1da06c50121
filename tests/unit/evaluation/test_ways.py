"""The likeliest way without leaps."""

import numpy as np

from lavie.evaluation.ways import steady_way

PLACES = np.array([[0.0, 5.0], [40.0, 5.0]])


def test_a_frame_that_says_little_takes_its_word_from_those_beside_it() -> None:
    clear, unclear = np.array([0.9, 0.1]), np.array([0.2, 0.25])
    way = steady_way([PLACES] * 3, [clear, unclear, clear])
    assert way.tolist() == [[0, 5]] * 3


def test_what_is_clearly_elsewhere_may_leap() -> None:
    poses = [np.array([[0.0, 5.0]]), np.array([[40.0, 5.0]]), np.array([[0.0, 5.0]])]
    assert steady_way(poses, [np.ones(1)] * 3)[:, 0].tolist() == [0, 40, 0]


def test_usual_steps_cost_nothing() -> None:
    steps = [np.array([[3.0 * frame, 0.0], [3.0 * frame - 3.0, 0.0]]) for frame in range(5)]
    way = steady_way(steps, [np.array([0.51, 0.5])] * 5)
    assert way[:, 0].tolist() == [0, 3, 6, 9, 12]


def test_a_single_frame_is_where_most_is_explained() -> None:
    assert steady_way([PLACES], [np.array([0.1, 0.2])]).tolist() == [[40, 5]]
