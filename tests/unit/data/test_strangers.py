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


def test_what_has_no_name_may_stand_on_its_head(monkeypatch):
    denser_below = np.dstack([np.full((20, 20, 3), 200), np.mgrid[1:21, 1:21][0] / 20])
    monkeypatch.setattr(world.strangers, "draw_emoji", lambda *_: denser_below.astype(np.float32))

    def densest_side(seed):
        clip = world.render_stranger(seed)
        focus = clip.focus[0]
        inside = np.argwhere(focus > 0)
        off = np.average(inside, axis=0, weights=focus[focus > 0]) - inside.mean(axis=0)
        axis = int(abs(off).argmax())
        return clip.caption != "something", (axis, bool(off[axis] > 0))

    sides = {densest_side(seed) for seed in range(120)}
    assert {side for is_named, side in sides if is_named} == {(0, True)}
    assert len({side for is_named, side in sides if not is_named}) == 4
