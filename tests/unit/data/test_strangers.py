import numpy as np
import pytest

from lavie.data import world
from lavie.data.world.drawing import draw_emoji


def test_strangers_are_repeatable_and_differ():
    first, again, other = (world.render_stranger(seed) for seed in (3, 3, 4))
    assert np.array_equal(first.frames, again.frames)
    assert not np.array_equal(first.frames, other.frames)
    assert first.frames.shape == (1, world.HEIGHT, world.WIDTH, 3)
    assert first.frames.dtype == np.uint8
    assert 0 < first.focus.mean() < 1


def test_neither_subjects_nor_newcomers_are_among_them():
    named = {subject.emoji for subject in world.SUBJECTS.values()} | set(world.NEWCOMERS.values())
    assert not named & set(world.STRANGERS)
    assert len(set(world.STRANGERS)) == len(world.STRANGERS) > 200


@pytest.mark.parametrize("emoji", [*world.NEWCOMERS.values(), *world.STRANGERS[::25]])
def test_the_font_has_a_picture_of_each(emoji):
    image = draw_emoji(emoji, 20)
    visible = image[image[..., 3] > 0.5][:, :3]
    assert len(visible) > 40
    assert visible.std(axis=0).max() > 5  # not the empty box of an unknown character


def test_half_of_the_pictures_name_what_they_show_in_words_that_mean_nothing():
    captions = [world.render_stranger(seed).caption for seed in range(200)]
    named = [caption for caption in captions if caption != "something"]
    assert 60 < len(named) < 140
    names = {world.name_of_stranger(emoji): emoji for emoji in world.STRANGERS}
    assert len(names) == len(world.STRANGERS)
    assert not names.keys() & world.caption_words()
    assert {caption.split()[1] for caption in named} <= names.keys()
