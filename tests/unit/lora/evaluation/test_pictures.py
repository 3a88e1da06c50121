import json
import runpy
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lavie.data.world.drawing import sprite
from lora.evaluation.looks import LOOKS, NEW_LOOKS, read_look
from lora.evaluation.pictures import GROUNDS, IN_PLACES, draw_pictures, draw_scenes
from lora.pictures import check_pictures, check_set

EXAMPLES = Path(__file__).parents[4] / "assets" / "lora-examples"


def test_pictures_differ_and_are_repeatable(tmp_path):
    draw = partial(sprite, "octopus")
    pictures = draw_pictures(draw, tmp_path / "a", 6, seed=1)
    again = draw_pictures(draw, tmp_path / "b", 6, seed=1)
    contents = [picture.path.read_bytes() for picture in pictures]
    assert contents == [picture.path.read_bytes() for picture in again]
    assert len(set(contents)) == 6
    modes = []
    for picture in pictures:
        with Image.open(picture.path) as opened:
            modes.append(opened.mode)
    assert modes == ["RGB", "RGBA", "RGB"] * 2


@pytest.mark.parametrize("name", ["ghost", "balloon", "rocket"])
def test_pictures_can_be_learnt_from(tmp_path, name):
    grounds = (*GROUNDS, IN_PLACES)
    pictures = draw_pictures(partial(sprite, name), tmp_path, 8, grounds=grounds)
    checks = check_pictures([picture.path for picture in pictures])
    assert [check.problem for check in checks] == [None] * 8
    assert check_set(checks) is None
    assert [bool(picture.caption) for picture in pictures] == [False, False, False, True] * 2


def test_scenes_in_a_look_say_what_they_show(tmp_path):
    pictures = draw_scenes(NEW_LOOKS["print"], tmp_path, 4, seed=0)
    assert pictures[1].caption == "a fox in the snow"
    with Image.open(pictures[0].path) as opened:
        assert len(np.unique(np.asarray(opened).reshape(-1, 3), axis=0)) <= 4


@pytest.mark.parametrize("name", LOOKS)
def test_looks_are_read_off_clips(name):
    from lavie.data.world import render_thing

    frames = render_thing(3, partial(sprite, "fox"), "desert", "left")
    look = LOOKS[name]
    if look is not None:
        frames = look(frames.astype(np.float32)).clip(0, 255).astype(np.uint8)
    assert read_look(frames) == name


@pytest.mark.parametrize("name", ["robot", "boat"])
def test_example_sets_can_be_learnt_from(name):
    paths = sorted((EXAMPLES / name).glob("*.png"))
    assert len(paths) == 6
    assert sum(path.stat().st_size for path in paths) < 200_000
    checks = check_pictures(paths)
    assert check_set(checks) is None
    assert [(check.problem, check.warning) for check in checks] == [(None, None)] * 6
    about = json.loads((EXAMPLES / name / "set.json").read_text())
    assert set(about) == {"name", "token", "class_word", "kind"}


def test_example_sets_are_what_their_script_draws(tmp_path):
    script = runpy.run_path(str(EXAMPLES / "make.py"))
    script["main"].__globals__["FOLDER"] = tmp_path
    script["main"]()
    for path in sorted(EXAMPLES.glob("*/*.png")):
        with Image.open(path) as old, Image.open(tmp_path / path.relative_to(EXAMPLES)) as new:
            difference = np.subtract(np.asarray(old), np.asarray(new), dtype=np.int16)
        assert np.abs(difference).max() <= 2  # drawn a little differently by other versions
