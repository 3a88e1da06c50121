import numpy as np
import pytest

from lavie.data.transforms import fit_frame


def test_a_frame_of_the_training_size_is_kept_exactly():
    frame = np.random.default_rng(0).integers(0, 256, (10, 12, 3), np.uint8)
    assert np.array_equal(fit_frame(frame, 10, 12, 0.3, 0.7), frame)


def test_the_short_side_fits_and_the_long_side_is_cropped():
    frame = np.zeros((20, 60, 3), np.uint8)
    frame[:, 20:40] = 200  # the middle third
    assert fit_frame(frame, 10, 10, 0.5, 0.5).mean() > 195
    assert fit_frame(frame, 10, 10, 0.5, 0.0).mean() < 5
    assert fit_frame(frame, 10, 10, 0.5, 1.0).mean() < 5


def test_scaling_down_averages_instead_of_picking_pixels():
    board = np.indices((64, 64)).sum(0) % 2 * 200
    frame = np.repeat(board[..., None], 3, axis=2).astype(np.uint8)
    small = fit_frame(frame, 8, 8, 0.5, 0.5).astype(float)
    assert np.abs(small - 100).max() < 12


@pytest.mark.parametrize("shape", [(1, 5000), (5000, 1), (3, 2), (1, 1)])
def test_absurd_shapes_cost_no_more_than_others(shape):
    frame = np.full((*shape, 3), 77, np.uint8)
    result = fit_frame(frame, 40, 64, 1.0, 1.0)
    assert result.shape == (40, 64, 3)
    assert np.all(result == 77)


def test_turned_frames_with_negative_strides_are_read():
    frame = np.rot90(np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8))
    assert fit_frame(frame, 8, 6, 0.5, 0.5).shape == (8, 6, 3)
