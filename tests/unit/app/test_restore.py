import copy
import json
from dataclasses import replace

import numpy as np
import pytest

from app import texts
from app.request import FIELDS, TextToVideoRequest, check_request
from app.restore import form_values, read_recipe
from app.strict_json import MAX_JSON_BYTES
from lavie.errors import InputError
from lavie.media import LOSSLESS, MP4, WEBM, write_gif, write_recipe, write_video

FRAMES = np.zeros((2, 16, 16, 3), np.uint8)
SMOOTHED = {"num_inference_steps": 8, "guidance_scale": 4.0, "scheduler": "dpm++"}
ENLARGED = {**SMOOTHED, "noise_level": 50, "guidance_scale": 5.0, "tile_size": None}


@pytest.fixture
def recipe(card):
    """As all three stages of the card's model leave it."""
    return {
        "version": "0.1.0",
        "model": card.name,
        "model_hash": "0" * 64,
        "model_hashes": {},
        "stages": ["base", "interpolation", "super_resolution"],
        "prompt": "a panda moving left over the ocean",
        "negative_prompt": "snow",
        "seed": 7,
        "fps": 8,
        "settings": {
            "base": {
                "num_inference_steps": 5,
                "guidance_scale": 2.5,
                "scheduler": "euler",
                "height": 40,
                "width": 48,
                "num_frames": 12,
            },
            "interpolation": {**SMOOTHED, "num_inference_steps": 3},
            "super_resolution": {**ENLARGED, "num_inference_steps": 2},
        },
        "dtype": "float32",
        "device": "cpu",
    }


def without(recipe, *stages):
    recipe = copy.deepcopy(recipe)
    recipe["stages"] = [stage for stage in recipe["stages"] if stage not in stages]
    for stage in stages:
        del recipe["settings"][stage]
    return recipe


def write_json(folder, recipe):
    return write_recipe(folder / "clip.mp4", recipe)


@pytest.mark.parametrize("video_format", [MP4, WEBM, LOSSLESS], ids=lambda f: f.codec)
def test_a_recipe_is_read_from_every_video_we_write(tmp_path, recipe, video_format):
    path = tmp_path / f"clip{video_format.suffix.upper()}"
    write_video(path, FRAMES, 8, recipe, format=video_format)
    assert read_recipe(path) == recipe


def test_a_recipe_is_read_from_its_json(tmp_path, recipe):
    path = write_json(tmp_path, recipe)
    assert read_recipe(path) == recipe
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())  # as some editors begin a file
    assert read_recipe(path) == recipe


def test_the_form_gets_everything_back(card, recipe):
    values, notes = form_values(recipe, card)
    assert notes == []
    assert tuple(values) == FIELDS
    request = check_request(values, card.ranges)
    assert request == TextToVideoRequest(
        "a panda moving left over the ocean",
        "snow",
        7,
        5,
        2.5,
        "euler",
        48,
        40,
        12,
        smooth=True,
        upscale=True,
        smoothing_steps=3,
        upscaling_steps=2,
    )


@pytest.mark.parametrize(
    ("left_out", "smooth", "upscale"),
    [
        (("interpolation", "super_resolution"), False, False),
        (("super_resolution",), True, False),
        (("interpolation",), False, True),
    ],
)
def test_stages_that_did_not_run_are_off(card, recipe, left_out, smooth, upscale):
    values, notes = form_values(without(recipe, *left_out), card)
    assert (values["smooth"], values["upscale"], notes) == (smooth, upscale, [])
    assert values["smoothing_steps"] == (3 if smooth else 8)
    assert isinstance(check_request(values, card.ranges), TextToVideoRequest)


def test_a_stage_of_ones_own_video_is_said_and_its_steps_come_back(card, recipe):
    own = without(recipe, "base", "super_resolution") | {"prompt": ""}
    own["source"] = {"file": "holiday.mp4", "recipe": None}
    values, notes = form_values(own, card)
    assert notes == [texts.FROM_OWN_VIDEO]
    assert values["smoothing_steps"] == 3
    assert "width" not in values


def test_a_video_made_in_parts_through_files_comes_back_as_one(tmp_path, card, recipe):
    part = without(recipe, "interpolation", "super_resolution")
    part = without(recipe, "base", "super_resolution") | {
        "source": {"file": "a.mp4", "recipe": part}
    }
    whole = without(recipe, "base", "interpolation") | {"source": {"file": "b.mp4", "recipe": part}}
    values, notes = form_values(read_recipe(write_json(tmp_path, whole)), card)
    assert notes == [texts.MADE_IN_PARTS]
    assert values == form_values(recipe, card)[0]


def test_another_model_is_named_without_its_path(card, recipe):
    for name in ("/home/somebody/models/große Füchse", "C:\\Users\\me\\große Füchse"):
        _, notes = form_values({**recipe, "model": name}, card)
        assert notes == [texts.other_model("große Füchse")]


def test_what_the_model_cannot_do_has_its_own_value_and_a_sentence(card, recipe):
    recipe["seed"] = 2**40
    recipe["settings"]["base"] |= {"width": 512, "scheduler": "heun", "num_frames": None}
    values, notes = form_values(recipe, card)
    assert (values["width"], values["scheduler"], values["num_frames"]) == (64, "dpm++", 16)
    assert values["seed"] == ""
    assert [note.split()[2] for note in notes] == ["Seed", "Scheduler", "Width", "Frames"]
    assert isinstance(check_request({**values, "seed": "1"}, card.ranges), TextToVideoRequest)


def test_a_stage_that_the_model_lacks_is_said(card, recipe):
    values, notes = form_values(recipe, replace(card, stages=("base",)))
    assert not values["smooth"]
    assert notes == [texts.no_such_stage(s) for s in ("interpolation", "super_resolution")]


def test_what_the_form_has_no_control_for_is_said(card, recipe):
    recipe["fps"] = 12
    recipe["settings"]["interpolation"] |= {"sample_posterior": True, "seed": 8}
    recipe["settings"]["super_resolution"] |= {"noise_level": 20, "scheduler": "ddim"}
    notes = " ".join(form_values(recipe, card)[1])
    for setting in ("frames per second", "sample posterior, seed", "scheduler, noise level"):
        assert setting in notes


def test_text_is_cleaned_of_what_steers_a_screen(tmp_path, recipe):
    recipe["prompt"] = "a\x00 \x1b[31mfox\u202e\u2066 \ud83d 👩\u200d🚀\nim\tSchnee <b>"
    recipe["\x07bell"] = ["\x07"]
    found = read_recipe(write_json(tmp_path, recipe))
    assert found["prompt"] == "a [31mfox  👩\u200d🚀 im Schnee <b>"
    assert found["bell"] == [""]


def nested(depth):
    return "[" * depth + "]" * depth


BAD_JSON = {
    "empty": b"",
    "no text": b"\xff\xfe\x00",
    "no JSON": b"{'prompt': 1}",
    "a video": b"\x00\x00\x00\x20ftypisom" + b"\x00" * 100,
    "markup": b"<svg onload=alert(1)>",
    "too large": b" " * MAX_JSON_BYTES + b"{}",
    "too deep": nested(100_000).encode(),
    "a list": b"[1, 2]",
    "a number": b"1e999",
    "a huge number": b"1" * 10_000,
    "somebody else's": b'{"prompt": "a fox", "seed": 1, "steps": 20}',
    "not a number": b'{"stages": NaN}',
}


@pytest.mark.parametrize("content", BAD_JSON.values(), ids=BAD_JSON)
def test_a_json_file_of_anybody_is_refused_with_a_sentence(tmp_path, content):
    path = tmp_path / "recipe.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_recipe(path)
    assert caught.value.field == "file"


BROKEN = {
    "stages": ["base", [], {}, None, ["base", "base"], [{}], ["../../etc"], [None]],
    "settings": [None, [], {}, {"base": 1}, {"base": None}],
    "prompt": [None, 1, [], {"a": 1}, "x" * 1001],
    "negative_prompt": [None, 1, "x" * 1001],
    "seed": [None, -1, 1.5, "x", [], True, 2**63, 10**400, {}],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in BROKEN.items() for value in values]
)
def test_a_recipe_of_wrong_types_is_refused_with_a_sentence(tmp_path, recipe, field, value):
    with pytest.raises(InputError, match="is broken|no recipe") as caught:
        read_recipe(write_json(tmp_path, {**recipe, field: value}))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("value", [None, [], {}, "x" * 10_000, -1, 10**400, True, "../../etc"])
def test_wrong_settings_never_break_the_form(tmp_path, card, recipe, value):
    for settings in recipe["settings"].values():
        settings |= dict.fromkeys(settings, value)
    recipe |= {"model": value, "fps": value, "source": value}
    values, notes = form_values(read_recipe(write_json(tmp_path, recipe)), card)
    assert isinstance(check_request(values, card.ranges), TextToVideoRequest)
    assert all(len(note) < 400 for note in notes)
    for part in ({"recipe": value}, {"recipe": {**recipe, "stages": value}}):
        own = {**without(recipe, "base"), "source": part}
        assert texts.FROM_OWN_VIDEO in form_values(own, card)[1]


def test_a_recipe_that_goes_too_deep_or_too_far_is_refused(tmp_path, recipe):
    path = tmp_path / "recipe.json"
    for value in (nested(40), "1e999"):
        path.write_text(json.dumps(recipe)[:-1] + f', "more": {value}}}')
        with pytest.raises(InputError, match="is broken"):
            read_recipe(path)


def test_files_of_other_kinds_are_refused(tmp_path, recipe):
    write_gif(tmp_path / "clip.gif", FRAMES, 8)
    (tmp_path / "clip.json.exe").write_text(json.dumps(recipe))
    (tmp_path / "clip").write_text(json.dumps(recipe))
    for name in ("clip.gif", "clip.json.exe", "clip"):
        with pytest.raises(InputError, match="A file called like that"):
            read_recipe(tmp_path / name)


def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path, recipe):
    write_video(tmp_path / "clip.mp4", FRAMES, 8, recipe)
    (tmp_path / "clip.mp4").rename(tmp_path / "clip.json")
    (tmp_path / "text.mp4").write_text(json.dumps(recipe))
    (tmp_path / "list.mkv").write_text("ffconcat version 1.0\nfile clip.json\n")
    for name in ("clip.json", "text.mp4", "list.mkv", "absent.json", "absent.mp4"):
        with pytest.raises(InputError, match="cannot be read"):
            read_recipe(tmp_path / name)


@pytest.mark.parametrize("metadata", [None, {"prompt": "somebody else's", "seed": 1}])
def test_a_video_without_our_recipe_is_said(tmp_path, metadata):
    write_video(tmp_path / "clip.mp4", FRAMES, 8, metadata)
    with pytest.raises(InputError, match="no recipe of this studio"):
        read_recipe(tmp_path / "clip.mp4")
