"""A film made again from a part on: what is before it stays as it was, to the frame and seed."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.films.parts import part_files
from app.films.redo import begins_otherwise, place_in, redo_from, story_after
from app.films.request import FilmRequest, GivenFile, Windows
from lavie.errors import InputError
from lavie.pipelines.story import StoryLine

WINDOWS = Windows(8, 16, 40, 64)
STORY = (StoryLine("a fox", 2), StoryLine("a panda", 4), StoryLine("a car", 2))
FILM = FilmRequest(STORY, "", 3, 4, 16, 3.0, False, False, 1, 1, WINDOWS)
PICTURE = GivenFile(Path("red.png"), "picture", "red.png")
VIDEO = GivenFile(Path("red.mp4"), "video", "red.mp4")
STARTS = {
    "text": {},
    "picture": {"start": PICTURE, "num_at_first": 1},
    "video": {"start": VIDEO, "num_before": 40, "num_at_first": 4},
    "a short video": {"start": VIDEO, "num_before": 2, "num_at_first": 2},
}
ENDS = {"as it comes": None, "with a picture": PICTURE}


@pytest.fixture
def folder(tmp_path):
    for index in range(9):
        part_files(tmp_path, index).latents.touch()
    return tmp_path


@pytest.fixture(params=[(start, end) for start in STARTS for end in ENDS], ids=" and ends ".join)
def film(request):
    start, end = request.param
    return replace(FILM, **STARTS[start], end=ENDS[end])


def made(request):
    return [(part.prompt, part.seed, part.num_new) for part in request.parts]


def first_of(film, line):
    return next(part.index for part in film.parts if part.line == line)


def test_the_rest_gets_a_new_seed_and_the_same_length(film, folder):
    new = redo_from(film, folder, 1, seed=99)
    assert made(new)[0] == made(film)[0]
    assert [part.num_new for part in new.parts] == [part.num_new for part in film.parts]
    assert not {part.seed for part in new.parts[1:]} & {part.seed for part in film.parts}
    assert new.kept.num_parts == 1
    assert new.kept.latents == part_files(folder, 0).latents


def test_a_line_that_is_given_a_seed_of_its_own_is_made_from_that(film, folder):
    index = first_of(film, 2)
    story = [*STORY[:2], replace(STORY[2], seed=7)]
    new = redo_from(film, folder, index, 99, story)
    assert new.parts[index].seed == 7
    again = redo_from(new, folder, index, 98, new.story)  # made anew, it is not to be the same
    assert again.parts[index].seed not in (7, new.parts[index].seed)


def test_a_line_is_cut_in_two_where_it_is_made_anew(film, folder):
    index = first_of(film, 1) + 1
    new = redo_from(film, folder, index, seed=99)
    assert [line.prompt for line in new.story] == ["a fox", "a panda", "a panda", "a car"]
    assert sum(line.seconds for line in new.story) == 8
    assert made(new)[:index] == made(film)[:index]


def test_the_first_line_is_cut_in_two_and_the_picture_counts_as_a_frame_of_it(film, folder):
    film = replace(film, story=(StoryLine("a fox", 4), StoryLine("a car", 2)))
    new = redo_from(film, folder, 1, 99)
    assert [line.prompt for line in new.story] == ["a fox", "a fox", "a car"]
    assert (new.story[0].seconds + new.story[1].seconds, new.shape) == (4, film.shape)
    longer = redo_from(film, folder, 1, 99, [StoryLine("a fox", 6), StoryLine("a car", 2)])
    assert longer.story[0].seconds + longer.story[1].seconds == 6
    shown = film.parts[0].num_new + film.begins_with_picture
    with pytest.raises(InputError, match=f"that line for {shown / 8:g} seconds already"):
        redo_from(film, folder, 1, 99, [StoryLine("the snow", shown / 8), StoryLine("a car", 2)])


def test_new_lines_are_used_from_there_on(film, folder):
    story = [STORY[0], StoryLine("a rocket", 1), StoryLine("the snow", 3)]
    new = redo_from(film, folder, first_of(film, 1), 99, story)
    assert [line.prompt for line in new.story] == ["a fox", "a rocket", "the snow"]


def test_changed_lines_before_it_are_left_out_and_stay_in_the_form(film, folder):
    story = [StoryLine("a rocket", 1), STORY[1], StoryLine("the snow", 3)]
    index = first_of(film, 2)
    new = redo_from(film, folder, index, 99, story)
    assert [line.prompt for line in new.story] == ["a fox", "a panda", "the snow"]
    assert made(new)[:index] == made(film)[:index]
    assert begins_otherwise(story, film, index)
    typed = story_after(story, film, index, new)
    assert [line.prompt for line in typed] == ["a rocket", "a panda", "the snow"]
    once_more = redo_from(new, folder, index, 100, typed)
    assert [line.prompt for line in once_more.story] == ["a fox", "a panda", "the snow"]


def test_what_was_typed_stays_where_a_line_is_cut_in_two(film, folder):
    story = [StoryLine("a rocket", 1), StoryLine("the snow", 5), STORY[2]]
    index = first_of(film, 1) + 1
    new = redo_from(film, folder, index, 99, story)
    assert [line.prompt for line in new.story] == ["a fox", "a panda", "the snow", "a car"]
    typed = story_after(story, film, index, new)
    assert [line.prompt for line in typed] == ["a rocket", "a panda", "the snow", "a car"]
    assert place_in(typed, new, index) == 2


@pytest.mark.parametrize(
    ("prompts", "place"),
    [
        (["a fox", "a panda", "a car"], 2),
        (["a cat", "a dog", "a bus"], 2),
        (["a cat", "a fox", "a panda", "a bus"], 3),
        (["a panda", "a car"], 1),
        (["a fox", "a panda", "a cat", "a car"], 2),
        (["a fox", "a panda"], 2),
    ],
)
def test_a_line_is_found_after_others_were_added_or_removed(prompts, place):
    seconds = {line.prompt: line.seconds for line in STORY}
    story = [StoryLine(prompt, seconds.get(prompt, 1)) for prompt in prompts]
    assert place_in(story, FILM, len(FILM.parts) - 1) == place


def test_a_story_of_which_nothing_is_left_to_make_is_refused(film, folder):
    with pytest.raises(InputError, match="no lines from this part on"):
        redo_from(film, folder, first_of(film, 2), 99, STORY[:2])
    index = first_of(film, 1) + 1
    with pytest.raises(InputError, match="“the snow” would not be seen"):
        redo_from(film, folder, index, 99, [STORY[0], StoryLine("the snow", 1), STORY[2]])


def test_from_the_first_part_on_all_is_new(film, folder):
    new = redo_from(film, folder, 0, 99, [StoryLine("a rocket", 1)])
    assert new == replace(film, story=(StoryLine("a rocket", 1.0),), seed=99)


@pytest.mark.parametrize("index", [-1, 9])
def test_a_part_that_is_not_there_is_refused(film, folder, index):
    with pytest.raises(InputError, match="no such part"):
        redo_from(film, folder, index, 99)


def test_parts_before_it_have_to_be_done(film, tmp_path):
    with pytest.raises(InputError, match="no such part"):
        redo_from(film, tmp_path, 1, 99)


seconds = st.none() | st.integers(1, 90).map(lambda tenths: tenths / 10)


@settings(deadline=None)
@given(st.lists(seconds, min_size=1, max_size=5), st.data())
def test_what_is_kept_stays_as_it_was_in_any_story(tmp_path_factory, lengths, data):
    story = tuple(StoryLine(f"line {number}", length) for number, length in enumerate(lengths))
    start, end = (data.draw(st.sampled_from(list(ways.values()))) for ways in (STARTS, ENDS))
    film = replace(FILM, story=story, **start, end=end)
    index = data.draw(st.integers(0, len(film.parts) - 1))
    folder = tmp_path_factory.mktemp("parts")
    if index:
        part_files(folder, index - 1).latents.touch()
    again = redo_from(redo_from(film, folder, index, 99), folder, index, 100)
    assert made(again)[:index] == made(film)[:index]
    rounded = len(story)  # a frame, where seconds are; before a picture, windows are made whole
    most = rounded if film.end is None else rounded + WINDOWS.num_frames
    assert abs(again.shape[0] - film.shape[0]) <= most
