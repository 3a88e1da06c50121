from functools import partial

import numpy as np
import pytest

from lavie.data.world import HEIGHT, NEWCOMERS, PLACES, WIDTH, render_thing
from lavie.data.world.drawing import draw_emoji, sprite
from lavie.errors import InputError
from lavie.evaluation.likeness import Gallery, find_place, known_things
from lavie.evaluation.motion import read_motion
from lavie.evaluation.spoiling import spoil_path

DUCK = partial(sprite, "duck")


@pytest.fixture(scope="module")
def gallery():
    return known_things(num_strangers=12)


@pytest.mark.parametrize("name", [*NEWCOMERS, "panda", "ladybug", "mushroom"])
def test_true_clips_are_named_with_their_place_and_motion(gallery, name):
    seed = list(gallery.things).index(name)
    place = list(PLACES)[seed % 6]
    if name == "ghost":
        place = "night"  # white on snow is hard to follow
    frames = render_thing(seed, partial(sprite, name), place, "left")
    likeness = gallery.recognise(frames)
    assert (likeness.name, likeness.nearest, likeness.place) == (name, name, place)
    assert likeness.margin > 0.05
    assert read_motion(gallery.follow(frames, name))[0] == "left"


@pytest.mark.parametrize("spoiling", ["removed", "blurred", "ghosted", "bent", "multiplied", "cut"])
def test_spoiled_clips_are_not_taken_for_the_thing(gallery, spoiling):
    frames = spoil_path("duck", "grass", "right", spoiling, np.random.default_rng(3))
    assert gallery.recognise(frames).name != "duck"


def test_what_nobody_knows_is_unclear(gallery):
    cross = np.zeros((20, 20, 4), np.float32)
    cross[8:12], cross[:, 8:12] = (255, 0, 255, 1), (0, 255, 0, 1)
    frames = render_thing(0, lambda height: cross, "ocean", "up")
    assert gallery.recognise(frames).name is None


def test_a_place_without_anything_is_unclear(gallery):
    frames = render_thing(0, lambda height: np.zeros((1, 1, 4), np.float32), "snow", "left")
    likeness = gallery.recognise(frames)
    assert likeness.name is None
    assert likeness.place == "snow"


def test_a_single_frame_can_be_named(gallery):
    assert gallery.recognise(render_thing(4, DUCK, "desert", None)).name == "duck"


def test_a_look_is_looked_through():
    def look(picture):
        return picture.mean(-1, keepdims=True) * np.array([0.3, 1.0, 0.5], np.float32)

    frames = render_thing(5, DUCK, "grass", "right")
    coloured = look(frames.astype(np.float32)).astype(np.uint8)
    things = {name: partial(sprite, name) for name in ("duck", "fox", "robot")}
    assert Gallery(things, look).recognise(coloured).name == "duck"
    assert find_place(coloured, look).distance < find_place(coloured).distance


def test_known_drawings_are_strangers_to_each_other(gallery):
    assert len(gallery.things) == 12 + len(NEWCOMERS) + 12


def test_pictures_of_another_size_are_refused(gallery):
    with pytest.raises(InputError, match=r"64x40 pixels, but got an array \(1, 40, 60, 3\)"):
        gallery.recognise(np.zeros((1, HEIGHT, WIDTH - 4, 3), np.uint8))


def test_a_thing_of_ones_own_can_be_told_from_others():
    things = {"mine": partial(draw_emoji, "🧸"), "duck": DUCK}
    frames = render_thing(2, things["mine"], "night", "bounce")
    assert Gallery(things).recognise(frames).name == "mine"
