from functools import partial

import numpy as np
import pytest

from lavie.data.world import render_thing
from lavie.data.world.drawing import sprite
from lavie.evaluation.judge import Judge
from lora.evaluation.looks import NEW_LOOKS
from lora.evaluation.readings import read_clip


@pytest.fixture(scope="module")
def judge():
    return Judge.from_folder()


@pytest.mark.parametrize("motion", ["left", "up", "bounce", "grow"])
def test_a_clip_is_read_thing_way_place_and_look(judge, motion):
    frames = render_thing(1, partial(sprite, "robot"), "snow", motion)
    reading = read_clip(judge, frames, "robot")
    assert (reading.nearest, reading.likeness.place) == ("robot", "snow")
    assert (reading.motion, reading.look) == (motion, "colour")


def test_a_clip_in_a_look_is_compared_in_that_look(judge):
    look = NEW_LOOKS["phosphor"]
    plain = render_thing(1, partial(sprite, "fox"), "desert", "right")
    frames = look(plain.astype(np.float32)).clip(0, 255).astype(np.uint8)
    reading = read_clip(judge, frames, "fox", look)
    assert (reading.nearest, reading.motion, reading.look) == ("fox", "right", "phosphor")


def test_the_way_is_that_of_the_thing_asked_for_also_where_another_is_nearer(judge):
    """A third of an octopus and two thirds of a fox in every frame, on nearly the same way."""
    mixed = np.mean(
        [
            render_thing(1, partial(sprite, name), "grass", "left").astype(float)
            for name in ("octopus", "fox", "fox")
        ],
        axis=0,
    ).astype(np.uint8)
    reading = read_clip(judge, mixed, "octopus")
    assert (reading.nearest, reading.motion) == ("fox", "left")


def test_a_way_that_is_none_is_not_read(judge):
    frames = render_thing(1, partial(sprite, "robot"), "snow", "left")
    shuffled = frames[np.random.default_rng(0).permutation(len(frames))]
    assert read_clip(judge, shuffled, "robot").motion is None
