import numpy as np
import pytest

from lavie.data.world import HEIGHT, MOTIONS, WIDTH
from lavie.data.world.continuations import render_continuation
from lavie.evaluation.courses import PERIODS, fit_course, read_motion_around, wrapped

VELOCITIES = {"left": (-2.4, 0), "right": (2.4, 0), "up": (0, -1.2), "down": (0, 1.2)}


def path_of(motion, times, start=(30.0, 20.0), height=20.0, phase=0.3):
    """Where a subject is in a world without edges."""
    places = np.array(start) + times[:, None] * np.array(VELOCITIES.get(motion, (0, 0)))
    heights = np.full(len(times), height)
    if motion == "bounce":
        places[:, 1] = 29 - 17 * abs(np.sin(phase + 2 * np.pi / 15 * times))
    if motion == "grow":
        heights = np.minimum(height + 1.4 * times, 30)
    return np.column_stack([(places + 10) % PERIODS - 10, heights])


def test_the_way_round_the_edge_is_short():
    assert wrapped(np.array([WIDTH + 19.0, HEIGHT + 19.0])).tolist() == [-1, -1]
    assert wrapped(np.array([-3.0, 4.0])).tolist() == [-3, 4]


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("start", [(30.0, 20.0), (2.0, 5.0), (62.0, 38.0)])
def test_motions_are_read_wherever_they_begin_and_round_the_edges(motion, start):
    times = np.arange(12.0)
    noise = np.random.default_rng(0).normal(0, 0.5, (12, 3))
    read, distance = read_motion_around(times, path_of(motion, times, start) + noise)
    assert read == motion
    assert distance < 1.5


def test_a_hop_may_be_read_from_its_middle_and_with_gaps():
    times = np.array([3.0, 4, 5, 9, 10, 11, 12])
    for phase in (0.1, 1.2, 2.5):
        assert read_motion_around(times, path_of("bounce", times, phase=phase))[0] == "bounce"


def test_a_subject_that_is_as_large_as_it_gets_is_growing_and_a_usual_one_is_not():
    times = np.arange(12.0)
    assert read_motion_around(times, path_of("rest", times, height=30))[0] == "grow"
    assert read_motion_around(times, path_of("rest", times))[0] is None


def test_a_large_subject_shrinks_while_it_moves():
    times = np.arange(12.0)
    path = path_of("left", times)
    path[:, 2] = np.maximum(30 - 1.4 * times, 20)
    assert read_motion_around(times, path)[0] == "left"


def test_turning_round_and_jumping_about_are_no_motion():
    times = np.arange(12.0)
    turned = path_of("left", np.minimum(times, 11 - times))
    assert read_motion_around(times, turned)[0] is None
    jumping = np.random.default_rng(0).uniform([10, 10, 18], [54, 30, 22], (12, 3))
    assert read_motion_around(times, jumping)[0] is None


@pytest.mark.parametrize("motion", ["left", "up", "bounce", "rest"])
def test_a_course_is_foreseen_round_the_edge(motion):
    times = np.arange(24.0)
    path = path_of(motion, times, (8.0, 8.0))[:, :2]
    course = fit_course(times[:10], path[:10])
    assert abs(wrapped(course.at(times[10:]) - path[10:])).max() < 1


def test_one_wrong_reading_bends_no_course():
    times = np.arange(10.0)
    path = path_of("right", times)[:, :2]
    path[4] += 6
    assert fit_course(times, path).velocity == pytest.approx([2.4, 0], abs=0.2)


def test_paths_of_true_clips_are_read():
    clips = [render_continuation(seed, "test") for seed in range(80)]
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    num_read = 0
    for clip in clips:
        mask = clip.focus[clip.begins_at :] > 0.5
        inside = ~(mask[:, [0, -1]].any((1, 2)) | mask[:, :, [0, -1]].any((1, 2)))
        times = np.flatnonzero(inside & mask.any((1, 2)))
        if len(times) < 6 or clip.attributes["subject"] == "car":  # drawn lower than its height
            continue
        path = [
            (columns[m].mean(), rows[m].mean(), np.ptp(np.flatnonzero(m.any(1))) + 1)
            for m in mask[times]
        ]
        num_read += 1
        assert (
            read_motion_around(times.astype(float), np.array(path))[0]
            == (clip.attributes["motion"])
        )
    assert num_read >= 30
