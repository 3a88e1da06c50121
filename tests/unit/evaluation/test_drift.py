import numpy as np
import pytest
from PIL import Image, ImageFilter

from lavie.data.world import Line, render_story
from lavie.evaluation.drift import measure_drift
from lavie.evaluation.tracking import Track

FIRST, LATER = slice(0, 10), slice(10, 16)


def film():
    frames = render_story(1, "panda", [Line("grass", "left")], [16])
    path = np.tile([50.0, 17, 20], (16, 1))
    path[:, 0] -= 2.4 * np.arange(16)
    return frames, Track(path, np.ones(16, bool))


def test_a_true_film_does_not_drift():
    drift = measure_drift(*film(), FIRST, LATER)
    assert drift.background_sharpness == pytest.approx(1)
    assert drift.subject_sharpness == pytest.approx(1, abs=0.1)
    assert drift.colour == pytest.approx((0, 0, 0), abs=0.5)
    assert drift.deviation == pytest.approx((0, 0, 0), abs=0.5)


def test_blurring_is_seen_in_background_and_subject():
    frames, track = film()
    blur = ImageFilter.GaussianBlur(1)
    frames[LATER] = [np.asarray(Image.fromarray(frame).filter(blur)) for frame in frames[LATER]]
    drift = measure_drift(frames, track, FIRST, LATER)
    assert drift.background_sharpness < 0.85
    assert drift.subject_sharpness < 0.8


def test_colours_are_told_apart():
    frames, track = film()
    frames[LATER, ..., 2] -= 10
    drift = measure_drift(frames, track, FIRST, LATER)
    assert drift.colour == pytest.approx((0, 0, -10), abs=0.5)
    assert drift.deviation == pytest.approx((0, 0, 0), abs=0.5)


def test_a_subject_that_covers_everything_leaves_nothing_to_compare():
    frames, track = film()
    huge = Track(track.path * (1, 1, 5), track.is_seen)
    drift = measure_drift(frames, huge, FIRST, LATER)
    assert drift.background_sharpness is None
    assert drift.colour is None


def test_subjects_of_another_size_are_not_compared():
    frames, track = film()
    path = track.path.copy()
    path[LATER, 2] = 28
    assert measure_drift(frames, Track(path, track.is_seen), FIRST, LATER).subject_sharpness is None
