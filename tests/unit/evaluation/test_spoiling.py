import numpy as np
import pytest

from lavie.data.world.clips import Pose
from lavie.evaluation.spoiling import (
    SPOILINGS,
    STATES,
    UNCLEAR,
    draw_scene,
    random_scene,
    spoil_path,
    whole_scene,
)

CENTER = Pose(30.0, 20.0, 20.0)


@pytest.mark.parametrize("spoiling", SPOILINGS)
def test_a_spoiled_scene_is_never_called_whole(spoiling):
    rng = np.random.default_rng(0)
    for _ in range(20):
        scene = random_scene(rng, spoiling)
        assert scene.state in STATES
        assert scene.state != "whole"


@pytest.mark.parametrize("spoiling", SPOILINGS)
def test_a_spoiled_scene_looks_otherwise(spoiling):
    rng = np.random.default_rng(0)
    scene = whole_scene("panda", "snow", "colour", CENTER)
    difference = draw_scene(scene).astype(int) - draw_scene(SPOILINGS[spoiling](scene, rng))
    assert (np.abs(difference).max(-1) > 20).sum() > 40


def test_a_whole_subject_is_whole_until_the_edge_cuts_it():
    states = [
        whole_scene("panda", "snow", "colour", Pose(x, 20.0, 20.0)).state for x in (30.0, 4.0, 0.0)
    ]
    assert states == ["whole", None, "cut"]


def test_a_smudge_has_no_subject_but_a_place_to_be():
    scene = SPOILINGS["blurred"](
        whole_scene("fox", "desert", "colour", CENTER), np.random.default_rng(0)
    )
    assert scene.subject == UNCLEAR
    assert scene.place == "desert"
    assert scene.pose == CENTER


def test_the_same_seed_draws_the_same_scenes():
    def clip():
        return spoil_path("fox", "grass", "up", "multiplied", np.random.default_rng(5), 4)

    assert clip().shape == (4, 40, 64, 3)
    assert np.array_equal(clip(), clip())
