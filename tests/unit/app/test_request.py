import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.request import FIELDS, SWITCHES, Range, TextToVideoRequest, check_request
from lavie.errors import InputError


def errors_of(values, card) -> dict[str | None, str]:
    outcome = check_request(values, card.ranges)
    assert isinstance(outcome, list)
    return {error.field: str(error) for error in outcome}


def test_the_opened_form_with_a_prompt_is_a_request(values, card):
    request = check_request(values, card.ranges)
    assert isinstance(request, TextToVideoRequest)
    assert (request.width, request.height, request.num_frames, request.seed) == (64, 40, 16, 7)


def test_line_breaks_in_a_prompt_become_spaces(values, card):
    request = check_request({**values, "prompt": " a panda\nmoving  left "}, card.ranges)
    assert isinstance(request, TextToVideoRequest)
    assert request.prompt == "a panda moving left"


@pytest.mark.parametrize(
    ("field", "value", "part"),
    [
        ("prompt", "", "empty"),
        ("prompt", "   \n ", "empty"),
        ("prompt", "panda " * 2000, "Use at most 1,000"),
        ("prompt", None, "text"),
        ("negative_prompt", "x" * 10_000, "Use at most 1,000"),
        ("width", 63, "is not a multiple of 4. Use 60 or 64."),
        ("width", 10**9, "is not between 32 and 128. Use 64."),
        ("height", -40, "is not between"),
        ("height", None, "Height is empty. Use 40."),
        ("num_frames", 1e30, "is not between"),
        ("num_frames", 2.5, "is not a whole number. Use 2 or 3."),
        ("num_inference_steps", 0, "is not between"),
        ("guidance_scale", math.nan, "is not between"),
        ("guidance_scale", math.inf, "is not between"),
        ("seed", "twelve", "'twelve' is not a number. Use one from 0 to 4294967295."),
        ("seed", -3, "Seed -3 is not between 0 and 4294967295. Use 0."),
        ("seed", 2**40, "Use 4294967295."),
        ("seed", "1.5", "is not a whole number"),
        ("seed", -1, "is not between"),
        ("seed", True, "is not a number"),
        ("scheduler", "magic", "magic"),
        ("scheduler", None, "None"),
        ("smooth", "yes", "on or off, not 'yes'"),
        ("upscale", None, "on or off"),
        ("smoothing_steps", 0, "Smoothing steps 0 is not between 1 and 100. Use 8."),
        ("upscaling_steps", "", "Upscaling steps is empty. Use 8."),
    ],
)
def test_each_broken_field_gets_one_sentence_of_its_own(values, card, field, value, part):
    errors = errors_of({**values, field: value}, card)
    assert list(errors) == [field]
    assert part in errors[field]
    assert "\n" not in errors[field]
    assert len(errors[field]) < 160


def test_all_broken_fields_are_named_at_once(values, card):
    errors = errors_of({**values, "prompt": "", "width": 1, "seed": "x"}, card)
    assert set(errors) == {"prompt", "width", "seed"}


busy_machine = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("1-.e nai\n", max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@busy_machine
@given(st.dictionaries(st.sampled_from(FIELDS), json_values))
def test_anything_a_browser_can_send_gets_a_request_or_sentences(values):
    numbers = set(FIELDS) - {"prompt", "negative_prompt", "scheduler", *SWITCHES}
    ranges = {name: Range(1, 64, 8, 4) for name in numbers}
    outcome = check_request(values, ranges)
    if isinstance(outcome, list):
        assert outcome
        assert all(isinstance(error, InputError) and error.field in FIELDS for error in outcome)


@busy_machine
@given(st.integers(-200, 200) | st.floats(allow_nan=True))
def test_a_range_lets_exactly_its_own_numbers_pass(value):
    limits = Range(8, 64, 16, step=8)
    try:
        assert limits.check(value, "width") in range(8, 65, 8)
    except InputError:
        assert value not in range(8, 65, 8)
