import math

import numpy as np
import pytest

from lavie.errors import InputError
from lavie.pipelines import limits

MINIATURE = (40, 64, 16)


def test_size_gives_plain_ints_for_whatever_a_page_sends():
    assert limits.check_size(40.0, np.int64(64), 16, 4, MINIATURE) == (40, 64, 16)


@pytest.mark.parametrize(
    ("height", "width", "num_frames", "field", "sentence"),
    [
        (41, 64, 16, "height", "Height 41 is not a multiple of 4. Use 40 or 44."),
        (40, 66, 16, "width", "Width 66 is not a multiple of 4. Use 64 or 68."),
        (40, 100_000, 16, "width", "Width 100000 is not between 16 and"),
        (12, 64, 16, "height", "Height 12 is not between 16 and"),
        (40, 64, 0, "num_frames", "Frames 0 is not between 1 and"),
        (40, 64, 10**9, "num_frames", "Frames 1000000000 is not between 1 and"),
        (400, 640, 16, "width", "640x400 with 16 frames is more than 16 times"),
        (math.nan, 64, 16, "height", "Height nan is not a whole number."),
        ("forty", 64, 16, "height", "Height forty is not a whole number."),
        (None, 64, 16, "height", "Height None is not a whole number."),
        (True, 64, 16, "height", "Height True is not"),
    ],
)
def test_size_that_breaks_a_rule_is_refused_in_one_sentence(
    height, width, num_frames, field, sentence
):
    with pytest.raises(InputError, match=sentence) as caught:
        limits.check_size(height, width, num_frames, 4, MINIATURE)
    assert caught.value.field == field


def test_advice_for_a_size_is_itself_allowed():
    with pytest.raises(InputError, match="Use 16 or 20"):
        limits.check_size(17, 64, 16, 4, MINIATURE)
    assert limits.check_size(20, 64, 16, 4, MINIATURE) == (20, 64, 16)


@pytest.mark.parametrize("prompt", ["", "   \n", "x" * 1001, "a \udcff", None, 3])
def test_prompt_must_be_a_text_of_1_to_1000_characters(prompt):
    with pytest.raises(InputError) as caught:
        limits.check_prompt(prompt)
    assert caught.value.field == "prompt"


def test_negative_prompt_may_be_empty_but_not_endless():
    assert limits.check_prompt("", "negative_prompt") == ""
    with pytest.raises(InputError, match="Negative prompt has 10,000 characters"):
        limits.check_prompt("x" * 10_000, "negative_prompt")


@pytest.mark.parametrize("value", [math.nan, math.inf, -1, 50.1, "high", None])
def test_guidance_scale_must_be_a_number_between_0_and_50(value):
    with pytest.raises(InputError, match="Guidance scale") as caught:
        limits.check_guidance_scale(value)
    assert caught.value.field == "guidance_scale"


@pytest.mark.parametrize(
    ("check", "value", "field"),
    [
        (limits.check_steps, 0, "num_inference_steps"),
        (limits.check_steps, 2.5, "num_inference_steps"),
        (limits.check_seed, -1, "seed"),
        (limits.check_seed, 2**63, "seed"),
        (limits.check_fps, 0, "fps"),
        (limits.check_scheduler, "plms", "scheduler"),
    ],
)
def test_other_settings_name_their_field(check, value, field):
    with pytest.raises(InputError) as caught:
        check(value)
    assert caught.value.field == field


def test_settings_left_to_the_model_pass_the_door():
    limits.check_given({"num_inference_steps": None, "guidance_scale": None, "fps": None})
    with pytest.raises(InputError):
        limits.check_given({"num_inference_steps": None, "guidance_scale": math.nan})


def test_a_film_takes_pictures_up_to_four_times_as_long_as_wide():
    limits.check_picture_shape(16, 64, "start")
    with pytest.raises(InputError, match="16x65 pixels, of which most would be cut off") as caught:
        limits.check_picture_shape(16, 65, "start")
    assert caught.value.field == "start"
    with pytest.raises(InputError, match="15x16 pixels. Give one of at least 16 on each side"):
        limits.check_picture_shape(15, 16, "start")
