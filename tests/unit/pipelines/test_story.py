import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lavie.errors import InputError
from lavie.pipelines.story import (
    MAX_LINES,
    StoryLine,
    common_prompt,
    places_in,
    plan_parts,
    prompts_of,
    read_story,
    rest_of,
    story_json,
)

WINDOW, GIVEN, FPS = 16, 4, 8
SHORT = ["a fox", "a frog", "a fox"]


def plan(story, num_at_first=0, **options):
    return plan_parts(read_story(story), 7, FPS, WINDOW, GIVEN, num_at_first, **options)


def test_a_text_is_read_line_by_line():
    story = read_story("# a film\n\na fox in the snow | 2.5 s\n  a fox jumping \na frog|3\n")
    assert story == (
        StoryLine("a fox in the snow", 2.5),
        StoryLine("a fox jumping"),
        StoryLine("a frog", 3.0),
    )


def test_a_line_may_have_a_seed_of_its_own():
    told = read_story("a fox | 2 | seed 7\na pig | Seed  8\na seed | 1\na frog |seed 0")
    assert [(line.prompt, line.seconds, line.seed) for line in told] == [
        ("a fox", 2.0, 7),
        ("a pig", None, 8),
        ("a seed", 1.0, None),
        ("a frog", None, 0),
    ]
    assert read_story(story_json(told)) == told
    for wrong in ("x", "-1", "1.5", "9" * 30):
        with pytest.raises(InputError, match=r"Line 1 of the story: Seed .* is not"):
            read_story(f"a fox | 2 | seed {wrong}")


@pytest.mark.parametrize("unit", ["", "s", "sec", "secs", "Second", "seconds"])
def test_seconds_may_be_said(unit):
    assert read_story(f"a fox | 1 {unit}") == (StoryLine("a fox", 1.0),)


def test_a_line_of_spaces_is_read_at_once():
    started = time.perf_counter()
    with pytest.raises(InputError, match="is to last"):
        read_story("a fox |" + " " * 1000 + "x" + " " * 1000 + "y")
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize(
    ("recipe", "prompts"),
    [
        ({}, []),
        ({"prompt": "a fox"}, ["a fox"]),
        ({"prompt": "a fox | a frog", "story": story_json(read_story(SHORT))}, SHORT),
        ({"prompt": "a fox", "story": 3}, ["a fox"]),
        ({"prompt": "a fox", "story": ["a frog"]}, ["a fox"]),
    ],
)
def test_a_recipe_says_what_each_line_shows(recipe, prompts):
    assert prompts_of(recipe) == prompts
    assert common_prompt(recipe) == ("" if len(set(prompts)) != 1 else prompts[0])


def test_a_recipe_gives_the_story_back():
    story = read_story([{"prompt": "a fox", "seconds": 2, "seed": 5}, "a frog"])
    assert read_story(story_json(story)) == story


@pytest.mark.parametrize(
    ("story", "sentence"),
    [
        ("", "no lines. Write at least one sentence."),
        ([], "no lines"),
        ("a fox\n" * 10_000, f"10,000 lines. Use at most {MAX_LINES}"),
        (["a fox"] * 10_000, "10,000 lines"),
        ("a fox | soon", "Line 1 of the story is to last 'soon' seconds, which is not a number"),
        ("a fox\na frog | 0", "Line 2 of the story is to last '0' seconds"),
        ([{"prompt": "a fox", "seconds": 10**400}], "which is not a number above 0"),
        (
            [{"prompt": "a fox", "seconds": ""}],
            "Line 1 of the story needs its seconds, a number above 0 and up to 600. Give it 2",
        ),
        ("a fox | nan", "which is not a number"),
        ("a fox | 601", "not a number above 0 and up to 600"),
        ("a fox | 400\na frog | 400", "lasts 800 seconds. Use at most 600"),
        ("x" * 400_000, "400,000 characters long"),
        ("\n" * 400_000 + "a fox", "400,005 characters long"),
        ("a fox moving right | 2 seconds !!\n" * 10_000, "at least 8,8.. lines. Use at most 200"),
        (" | 3", "Line 1 of the story is empty. Write what is to be seen"),
        ([{"prompt": "a fox", "seconds": -3}], "up to 600. Give it 2, for example."),
        ([{"prompt": "a fox", "secs": 3}], "not one of prompt, seconds, seed"),
        ([{"prompt": "a fox", "seed": -1}], "Line 1 of the story: Seed"),
        ([3], "no line of a story"),
        (3, "no story"),
    ],
)
def test_what_is_no_story_is_refused_in_a_sentence(story, sentence):
    with pytest.raises(InputError, match=sentence):
        read_story(story)


def test_every_line_lasts_as_long_as_it_says():
    parts = plan("a fox | 3\na frog | 1\na pig | 2.5")
    frames = [sum(part.num_new for part in parts if part.line == line) for line in range(3)]
    assert frames == [24, 8, 20]
    assert [part.num_new for part in parts] == [16, 8, 8, 12, 8]


def test_a_line_without_seconds_is_one_window():
    assert [part.num_new for part in plan("a fox\na frog\na pig")] == [16, 12, 12]
    assert [part.num_new for part in plan("a fox", num_at_first=1)] == [15]


def test_a_picture_that_it_begins_with_is_its_first_frame():
    assert [part.num_new for part in plan("a fox | 2", 1, num_shown=1)] == [15]
    assert [part.num_new for part in plan("a fox | 2\na frog | 1", 1, num_shown=1)] == [15, 8]
    assert [part.num_new for part in plan("a fox\na frog | 1", 1, num_shown=1)] == [15, 8]
    assert [part.num_new for part in plan("a fox | 0.1", 1, num_shown=1)] == [1]


def test_a_film_that_ends_with_a_picture_has_a_whole_last_window():
    assert [part.num_new for part in plan("a fox | 3", ends_as_given=True)] == [16, 12]
    assert [part.num_new for part in plan("a fox | 1", 1, ends_as_given=True)] == [15]


def test_parts_have_seeds_of_their_own_and_those_of_a_line_stay_with_it():
    parts = plan([{"prompt": "a fox", "seconds": 5}, {"prompt": "a frog", "seed": 3}])
    assert parts[0].seed == 7
    assert parts[-1].seed == 3
    assert len({part.seed for part in parts}) == len(parts)
    shorter = plan([{"prompt": "a fox", "seconds": 1}, {"prompt": "a frog", "seed": 3}])
    assert shorter[-1].seed == 3


@pytest.mark.parametrize("num_done", [0, 1, 2, 3, 4])
def test_what_is_left_of_a_story_has_the_frames_and_the_noise_that_it_would_have_had(num_done):
    parts = plan([{"prompt": "a fox", "seconds": 5}, "a pig", {"prompt": "a frog", "seed": 3}])
    left = rest_of(parts, num_done, FPS)
    again = plan_parts(left, 99, FPS, WINDOW, GIVEN, GIVEN) if left else ()
    if num_done:
        assert [(p.prompt, p.seed, p.num_new) for p in again] == [
            (p.prompt, p.seed, p.num_new) for p in parts[num_done:]
        ]
    assert sum(p.num_new for p in parts[num_done:]) == round(sum(ln.seconds for ln in left) * FPS)


@given(
    seconds=st.lists(st.none() | st.floats(0.01, 40), min_size=1, max_size=8),
    num_at_first=st.integers(0, GIVEN),
    ends_as_given=st.booleans(),
    num_shown=st.integers(0, 1),
)
def test_a_plan_fits_the_windows_and_the_clock(seconds, num_at_first, ends_as_given, num_shown):
    story = read_story([{"prompt": "a fox", "seconds": value} for value in seconds])
    parts = plan_parts(story, 0, FPS, WINDOW, GIVEN, num_at_first, ends_as_given, num_shown)
    assert [part.index for part in parts] == list(range(len(parts)))
    assert {part.line for part in parts} == set(range(len(seconds)))
    there = num_at_first
    for part in parts:
        assert 1 <= part.num_new <= WINDOW - there
        there = min(there + part.num_new, GIVEN)
    if None not in seconds and not ends_as_given:
        total = num_shown + sum(part.num_new for part in parts)
        assert abs(total - sum(seconds) * FPS) <= 0.5 + len(seconds) + num_shown


@pytest.mark.parametrize(
    ("fps", "count", "places"),
    [
        (8, None, [0, 1, 2, 3]),
        (16, None, [1, 3]),
        (4, None, [0, 0, 1, 1, 2, 2, 3]),
        (4, 3, [2, 2, 3]),
        (8, 9, [0, 1, 2, 3]),
        (8, 0, []),
    ],
)
def test_a_given_video_keeps_its_speed(fps, count, places):
    assert places_in(4, fps, 8, count) == places
    assert places_in(0, fps, 8, count) == []


@pytest.mark.parametrize("fps", [1, 3, 4, 5, 10, 12, 20, 23.976, 29.97, 60])
def test_its_frames_are_left_out_or_repeated_evenly(fps):
    places = np.array(places_in(200, fps, 8))
    steps = np.diff(places)
    assert places[-1] == 199
    assert steps.max() - steps.min() <= 1
    assert np.abs(places[::-1] - (199 - np.arange(len(places)) * fps / 8)).max() <= 0.5
    repeats = np.unique(places, return_counts=True)[1][1:-1]
    assert not len(repeats) or repeats.max() - repeats.min() <= 1


def test_a_very_slow_video_does_not_become_a_film_without_end():
    assert len(places_in(4, 0.001, 8)) == 25
