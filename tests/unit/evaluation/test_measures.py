import numpy as np
import pytest

from lavie.evaluation.baselines import cross_fade, repeat_frames, shrink_frames
from lavie.evaluation.measures import (
    MAX_PSNR,
    flicker,
    mean_difference,
    psnr,
    roughness,
    seam_strength,
    sharpness,
)


def clip(*levels, height=2, width=2):
    """A clip whose frames are flat, one level each."""
    frames = np.array(levels, np.uint8)[:, None, None, None]
    return np.broadcast_to(frames, (len(levels), height, width, 3)).copy()


def test_psnr_by_hand():
    assert psnr(clip(0, 0), clip(255, 255)) == 0
    assert psnr(clip(10, 20), clip(20, 20)) == pytest.approx(10 * np.log10(255**2 / 50))
    assert psnr(clip(5), clip(5)) == MAX_PSNR


def test_differences_do_not_wrap_around_bytes():
    assert mean_difference(clip(0), clip(255)) == mean_difference(clip(255), clip(0)) == 255


def test_sharpness_of_a_flat_picture_and_of_steps():
    assert sharpness(clip(7, 9)) == 0
    steps = clip(0, width=3)
    steps[:, :, 1], steps[:, :, 2] = 10, 20
    assert sharpness(steps) == pytest.approx(10)  # ten levels to the right, none down
    slope = clip(0)
    slope[:, 0, 1], slope[:, 1, 0] = 3, 4
    assert sharpness(slope) == pytest.approx(5)


def test_a_constant_error_does_not_flicker():
    truth = clip(10, 20, 30)
    assert flicker(truth + 5, truth) == 0
    assert flicker(clip(10, 25, 30), truth) == 5  # 5 too much, then 5 too little


def test_even_change_has_no_seam_and_a_jump_has():
    assert seam_strength(clip(0, 10, 20, 30, 40), [2]) == 1
    assert seam_strength(clip(0, 10, 40, 50, 60), [2]) == 3
    assert seam_strength(clip(0, 10, 40, 50, 60), [3]) == pytest.approx(0.5)  # beside the jump
    assert seam_strength(clip(0, 20, 30), [1]) == 2  # with one neighbour only
    assert seam_strength(clip(9, 9, 9, 9), [2]) == 1  # nothing moves


def test_roughness_is_zero_for_even_motion_only():
    assert roughness(np.array([[0, 0], [1, 2], [2, 4], [3, 6]])) == 0
    assert roughness(np.array([[0, 0], [0, 0], [3, 4], [6, 8]])) == 2.5  # 5 once of two


def test_repetition_shows_each_frame_until_the_next():
    assert repeat_frames(clip(1, 2), 4)[:, 0, 0, 0].tolist() == [1, 1, 1, 1, 2]


def test_cross_fade_keeps_the_given_frames():
    given = clip(0, 100, 60)
    faded = cross_fade(given, 4)
    assert faded[:, 0, 0, 0].tolist() == [0, 25, 50, 75, 100, 90, 80, 70, 60]
    assert np.array_equal(faded[::4], given)


def test_shrinking_averages_squares():
    frames = clip(0, height=4, width=8)
    frames[:, :, :2] = 200
    assert shrink_frames(frames, 4)[0, 0, :, 0].tolist() == [100, 0]
