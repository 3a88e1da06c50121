import numpy as np

from app.comparison import place_side_by_side


def make_frames(num_frames: int, height: int, width: int) -> np.ndarray:
    """Every frame is as bright as its number."""
    numbers = np.arange(num_frames, dtype=np.uint8)[:, None, None, None]
    return np.broadcast_to(numbers, (num_frames, height, width, 3)).copy()


def test_a_smoothed_video_plays_in_step_with_repeated_frames():
    before, after = make_frames(4, 8, 10), make_frames(13, 8, 10)
    pictures = list(place_side_by_side(before, 8, after, 32, min_height=8))
    assert {picture.shape for picture in pictures} == {(8, 24, 3)}
    assert [picture[0, 0, 0] for picture in pictures] == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3]
    assert [picture[0, -1, 0] for picture in pictures] == list(range(13))


def test_a_small_video_is_enlarged_to_the_height_of_the_upscaled_one():
    before, after = make_frames(3, 8, 10), make_frames(3, 32, 40)
    pictures = list(place_side_by_side(before, 8, after, 8, min_height=0))
    assert {picture.shape for picture in pictures} == {(32, 84, 3)}
    assert [picture[0, 0, 0] for picture in pictures] == [0, 1, 2]


def test_both_are_enlarged_to_be_looked_at():
    before, after = make_frames(2, 8, 10), make_frames(5, 8, 10)
    picture = next(place_side_by_side(before, 8, after, 32, min_height=35))
    assert picture.shape == (32, 84, 3)


def test_any_rates_end_on_the_last_frame():
    before, after = make_frames(5, 8, 8), make_frames(7, 8, 8)
    pictures = list(place_side_by_side(before, 7.3, after, 7.3 * 4 / 3, min_height=8))
    assert [picture[0, 0, 0] for picture in pictures] == [0, 0, 1, 2, 3, 3, 4]
