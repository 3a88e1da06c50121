import numpy as np
import pytest
import torch

from lora.crops import find_subject, is_cutout, make_crops

RED = (220, 20, 20)


def photo(size=(90, 60), place=(30, 20), side=20):
    """A red square on a grey ground that gets a little brighter downwards."""
    width, height = size
    ground = np.linspace(90, 130, height)[:, None, None]
    pixels = np.broadcast_to(ground, (height, width, 4)).astype(np.uint8).copy()
    pixels[..., 3] = 255
    x, y = place
    pixels[y : y + side, x : x + side, :3] = RED
    return pixels


def cutout(size=(100, 200)):
    width, height = size
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[20:-20, 20:-20] = (*RED, 255)
    return pixels


def crops(picture, count=1, seed=0, height=40, width=64, **options):
    generator = torch.Generator().manual_seed(seed)
    return make_crops(picture, height, width, count, generator, **options)


def redness(frames):
    return (frames[..., 0].astype(int) - frames[..., 1]) > 100


def test_a_picture_of_the_models_shape_is_only_scaled():
    found = crops(photo((128, 80), (60, 20), 20))
    assert found.frames.shape == (1, 40, 64, 3)
    assert redness(found.frames[0]).sum() == pytest.approx(100, abs=20)
    assert redness(found.frames[0])[10:20, 30:40].mean() > 0.9


def test_the_subject_is_found_where_it_is():
    subject = find_subject(photo())
    assert subject[24:36, 34:46].mean() > 0.9
    assert subject[:, :15].mean() < 0.1
    assert subject[45:].mean() < 0.1


@pytest.mark.parametrize("place", [(5, 5), (140, 5), (5, 90), (140, 90)])
def test_what_is_cut_away_is_not_the_subject(place):
    """A square picture loses height, a wide one width; the subject is at its border."""
    for size in ((170, 170), (400, 120)):
        where = min(place[0], size[0] - 25), min(place[1], size[1] - 25)
        found = crops(photo(size, where, 20), 12, shift=0.4, zoom=0.2)
        visible = redness(found.frames).sum(axis=(1, 2)) / 64 / 40
        tall = min(size[1], size[0] / 1.6)
        expected = 400 / (tall * tall * 1.6)
        assert (visible > 0.6 * expected).all()


def test_a_subject_larger_than_the_shape_stays_whole():
    tall = photo((60, 120), (10, 5), 40)
    tall[5:115, 10:50, :3] = RED
    found = crops(tall)
    seen = redness(found.frames[0])
    assert not seen[0].any()
    assert not seen[-1].any()
    assert seen.any()


def test_beyond_a_border_there_is_ground_and_no_second_subject():
    rng = np.random.default_rng(0)
    picture = np.full((90, 60, 4), 255, np.uint8)
    picture[..., :3] = rng.integers(60, 120, (90, 60, 3))
    picture[20:70, 4:50, :3] = (250, 30, 30)
    made = make_crops(picture, 40, 64, 6, torch.Generator().manual_seed(0), shift=0.15)
    for frame, focus in zip(made.frames, made.focus, strict=True):
        is_red = frame[..., 0] > 190
        assert is_red.sum() > 200
        assert (is_red & (focus < 0.05)).sum() == 0


def test_cutouts_stand_whole_on_grounds_that_differ():
    assert is_cutout(cutout())
    found = crops(cutout(), 16)
    grounds = np.stack([frame[0, 0] for frame in found.frames])
    assert len(np.unique(grounds, axis=0)) == 16
    for focus in found.focus:
        rows, columns = focus.max(axis=1), focus.max(axis=0)
        assert (rows > 0.5).sum() / 40 == pytest.approx(0.52, abs=0.14)
        assert (columns > 0.5).sum() == pytest.approx((rows > 0.5).sum() * 60 / 160, abs=1.5)
    centres = [np.average(np.arange(64), weights=focus.sum(axis=0)) for focus in found.focus]
    assert np.std(centres) > 5


def test_edges_of_cutouts_have_no_colour_of_what_was_cut_away():
    picture = cutout()
    picture[picture[..., 3] == 0, :3] = (0, 255, 0)
    frames = crops(picture, 8).frames.astype(int)
    plain = crops(cutout(), 8).frames.astype(int)
    assert np.abs(frames - plain).max() <= 2


def test_focus_is_where_the_subject_is():
    found = crops(photo((128, 80), (60, 20), 20), 4, shift=0.1)
    for frame, focus in zip(found.frames, found.focus, strict=True):
        assert focus[redness(frame)].mean() > 0.6
        assert focus[~redness(frame)].mean() < 0.15


def test_the_same_seed_cuts_the_same_and_half_are_mirrored_if_asked():
    first, again = crops(photo(), 4, shift=0.2), crops(photo(), 4, shift=0.2)
    assert np.array_equal(first.frames, again.frames)
    assert not np.array_equal(first.frames, crops(photo(), 4, seed=1, shift=0.2).frames)
    plain, mirrored = crops(photo(), 2), crops(photo(), 2, mirror=True)
    assert np.array_equal(mirrored.frames[0], plain.frames[0])
    assert np.array_equal(mirrored.frames[1], plain.frames[1][:, ::-1])


def test_pictures_of_any_shape_can_be_cut():
    for size in ((32, 500), (500, 32), (33, 33), (64, 40)):
        assert crops(photo(size, (2, 2), 20), 3, shift=0.3, zoom=0.3).frames.shape == (3, 40, 64, 3)
