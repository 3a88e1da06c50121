import numpy as np
import pytest
import torch

from lora.crops import make_crops
from lora.cutouts import cut_out, cut_oval, is_cutout


def picture_of_a_ring(ground: np.ndarray) -> np.ndarray:
    """A red ring with a hole as bright as the ground's middle, opaque."""
    rows, columns = np.mgrid[:80, :120]
    radius = np.hypot(rows - 40, columns - 60)
    picture = np.concatenate([ground, np.full((80, 120, 1), 255)], axis=-1).astype(np.uint8)
    picture[(radius > 12) & (radius < 25), :3] = (200, 30, 30)
    return picture


def plain() -> np.ndarray:
    return np.full((80, 120, 3), 210.0)


def shaded() -> np.ndarray:
    return plain() - np.linspace(0, 90, 120)[None, :, None]


def kinked() -> np.ndarray:
    """One shade in the upper third, another in the lower, and a slope between."""
    shade = np.interp(np.arange(80), [25, 55], [0, 70])
    return np.full((80, 120, 3), (240.0, 170.0, 240.0)) - shade[:, None, None] * (1, 0, 0)


def noisy() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (80, 120, 3))


@pytest.mark.parametrize("ground", [plain(), shaded(), kinked()])
def test_a_plain_ground_is_taken_away_and_what_is_enclosed_stays(ground):
    alpha = cut_out(picture_of_a_ring(ground))[..., 3]
    assert alpha[5, 5] == 0
    assert alpha[40, 105] == 0
    assert alpha[40, 42] == 255  # the ring
    assert alpha[40, 60] == 255  # its hole


def test_a_thing_that_stands_on_the_border_is_taken_off_its_ground():
    picture = picture_of_a_ring(shaded())
    picture[40:, 50:70, :3] = (200, 30, 30)  # a foot down to the border
    alpha = cut_out(picture)[..., 3]
    assert alpha[5, 5] == alpha[75, 10] == 0
    assert alpha[79, 60] == alpha[40, 42] == 255


def test_a_picture_full_of_things_stays_as_it_is():
    picture = picture_of_a_ring(noisy())
    assert cut_out(picture) is picture


def test_a_plain_picture_of_nothing_stays_as_it_is():
    picture = np.full((40, 40, 4), 255, np.uint8)
    assert cut_out(picture) is picture


def test_what_was_cut_out_already_stays_as_it_is():
    picture = picture_of_a_ring(plain())
    picture[:30, :, 3] = 0
    assert is_cutout(picture)
    assert cut_out(picture) is picture


def test_a_cutout_stands_before_each_ground_in_turn_and_whole():
    grounds = [np.full((40, 64, 3), value, np.float32) for value in (10, 240)]
    picture = cut_out(picture_of_a_ring(plain()))
    crops = make_crops(picture, 40, 64, 5, torch.Generator().manual_seed(0), grounds=grounds)
    assert crops.grounds == (0, 1, 0, 1, 0)
    for frame, focus, ground in zip(crops.frames, crops.focus, crops.grounds, strict=True):
        assert abs(float(np.median(frame[focus == 0])) - (10, 240)[ground]) < 2
        heights = np.flatnonzero((focus > 0.5).any(axis=1))
        assert 12 < len(heights) < 28
        round_share = (focus > 0.5).sum() / len(heights) ** 2
        assert 0.65 < round_share < 0.95  # the whole disc, nothing of it cut off


def test_a_picture_that_fills_its_frame_stands_before_no_ground():
    grounds = [np.zeros((40, 64, 3), np.float32)]
    picture = picture_of_a_ring(noisy())
    crops = make_crops(picture, 40, 64, 2, torch.Generator().manual_seed(0), grounds=grounds)
    assert crops.grounds == (-1, -1)


@pytest.mark.parametrize(("shape", "row", "column"), [((80, 120), 0, 14), ((120, 80), 14, 0)])
def test_of_what_cannot_be_taken_off_an_oval_in_the_middle_is_left(shape, row, column):
    picture = np.full((*shape, 4), 200, np.uint8)
    alpha = cut_oval(picture)[..., 3]
    assert is_cutout(cut_oval(picture))
    assert alpha[0, 0] == alpha[-1, -1] == 0
    assert alpha[shape[0] // 2, shape[1] // 2] == 200  # as it was
    seen = np.argwhere(alpha > 0)
    assert tuple(seen.min(axis=0)) == (row, column)  # 80 by 92
    assert tuple(seen.max(axis=0)) == (shape[0] - 1 - row, shape[1] - 1 - column)
