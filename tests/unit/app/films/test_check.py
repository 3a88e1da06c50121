"""What is asked for of a film: each broken field gets one sentence of its own."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from app.films.check import (
    check_film,
    film_ranges,
    read_form_story,
    window_seconds,
    without_seeds,
)
from app.films.given import GIVEN_FOLDER, forget_given
from app.films.request import FilmRequest
from app.model_card import read_model_card
from lavie.media import LOSSLESS, write_video
from tests.unit.app.files import write_card_files
from tests.unit.app.test_model_card import write_original_files
from tests.unit.app.test_uploads import png_of

WORDS = "a an the fox panda moving left right in on over ocean snow"


@pytest.fixture
def card(tmp_path):
    tokens = ["<|startoftext|>", "o", *(f"{word}</w>" for word in WORDS.split())]
    return read_model_card(str(write_card_files(tmp_path / "model", tokens)))


@pytest.fixture
def values(card):
    usual = {name: limits.default for name, limits in film_ranges(card).items()}
    story = json.dumps([{"prompt": "a fox", "seconds": 2}, {"prompt": "a panda", "seconds": 4}])
    switches = {"smooth": False, "upscale": False, "ends": False}
    return {**usual, **switches, "story": story, "begin": "nothing", "negative_prompt": ""}


@pytest.fixture
def errors(card, values, tmp_path):
    def errors(**changes):
        outcome = check_film({**values, **changes}, card, tmp_path)
        return {e.field: str(e) for e in outcome} if isinstance(outcome, list) else {}

    return errors


def test_the_opened_form_with_a_story_is_a_request(card, values, tmp_path):
    request = check_film(values, card, tmp_path)
    assert isinstance(request, FilmRequest)
    assert request.prompt == "a fox | a panda"
    assert request.stages == ("long_video",)
    assert 0 <= request.seed < 2**32
    assert request.shape[0] == 48


def test_lines_lose_their_seeds_and_nothing_else():
    typed = {"prompt": "a panda", "seed": "8", "typed": True}
    story = json.dumps([{"prompt": "a fox", "seconds": 2, "seed": "7"}, typed, 5])
    left = json.loads(without_seeds(story))
    assert left == [{"prompt": "a fox", "seconds": 2}, typed, 5]
    assert [line.seed for line in read_form_story(left[:2])] == [None, 8]
    for other in ("[", "7", "a fox | 2", None, 5, []):
        assert without_seeds(other) == other


def test_new_lines_are_one_window_each(card, values, tmp_path):
    first, more = window_seconds(card)
    story = [{"prompt": "a fox", "seconds": seconds} for seconds in (first, more, more)]
    request = check_film({**values, "story": story}, card, tmp_path)
    assert [part.num_new for part in request.parts] == [16, *[16 - request.num_given] * 2]
    assert window_seconds(replace(card, stages=("base",))) == (2, 2)


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"story": ""}, "story", "has no lines"),
        ({"story": "[]"}, "story", "has no lines"),
        ({"story": [{"prompt": "a fox"}] * 10_000}, "story", "has 10,000 lines. Use at most 200"),
        ({"story": "a fox | 1\n" * 10_000}, "story", "has 10,000 lines. Use at most 200"),
        ({"story": "a fox | 0"}, "story", "Line 1 of the story is to last '0' seconds"),
        ({"story": "a fox | 700"}, "story", "Line 1 of the story is to last '700' seconds"),
        ({"story": "a fox | nan"}, "story", "Line 1 of the story is to last 'nan' seconds"),
        ({"story": "a fox | 400\na fox | 400"}, "story", "lasts 800 seconds. Use at most 600"),
        (
            {"story": '[{"prompt": "", "seconds": 2}]'},
            "story",
            "Line 1 of the story is empty. Write what is to be seen, or remove it.",
        ),
        ({"story": "[" * 100_000}, "story", "cannot be read"),
        ({"story": "a fox\ndragons"}, "story", "Line 2 of the story: This small model knows none"),
        ({"story": 7}, "story", "is no story"),
        ({"overlap": 16}, "overlap", "Overlap 16 is not between 1 and 15"),
        ({"seed": "many"}, "seed", "Seed 'many' is not a number"),
        ({"smooth": "yes"}, "smooth", "on or off"),
        ({"begin": "sound"}, "begin", "not one of nothing, picture, video"),
        ({"begin": "picture"}, "picture", "There is no picture"),
        ({"begin": "video", "video": "/nowhere.mp4"}, "video", "is not there"),
        ({"ends": True}, "end_picture", "There is no picture to end with"),
    ],
)
def test_each_broken_field_gets_one_sentence(errors, changes, field, sentence):
    (told,) = errors(**changes).items()
    assert told[0] == field
    assert sentence in told[1]


def test_all_broken_fields_are_named_at_once(errors):
    told = errors(story="", seed="many", overlap="", begin="picture", ends=True)
    assert set(told) == {"story", "seed", "overlap", "picture", "end_picture"}


@pytest.mark.parametrize("changes", [{"begin": "picture"}, {"begin": "video"}, {"ends": True}])
def test_a_model_without_the_network_goes_on_from_nothing(card, values, tmp_path, changes):
    alone = replace(card, stages=("base",))
    (error,) = check_film({**values, **changes}, alone, tmp_path)
    assert "no network for going on from frames" in str(error)


def test_a_model_without_the_network_makes_films_at_once_of_a_length(card, values, tmp_path):
    alone = replace(card, stages=("base",))
    request = check_film(values, alone, tmp_path)
    assert request.num_given == 0
    assert sum(part.num_new for part in request.parts) == request.shape[0]
    (error,) = check_film({**values, "story": "a fox | 40"}, alone, tmp_path)
    assert str(error) == "This model makes a film at once, of at most 32 seconds. Make it shorter."
    assert check_film({**values, "story": "a fox | 2 | seed 7\na car"}, alone, tmp_path).story
    (error,) = check_film({**values, "story": "a fox\na car | 2 | seed 7"}, alone, tmp_path)
    assert str(error).startswith("Line 2 of the story has a seed of its own, but this model makes")


@pytest.fixture
def given(tmp_path):
    def given(name, make):
        path = tmp_path / name
        make(path)
        return str(path)

    return given


@pytest.mark.parametrize(
    ("name", "make", "sentence"),
    [
        ("a.png", lambda path: path.write_text("a text"), "broken, or not what its name says"),
        ("a.png", lambda path: path.write_bytes(png_of(40, 40)), "broken, or not what its name"),
        (
            "a.png",
            lambda path: Image.new("1", (8000, 8000)).save(path),
            "more than 50 million pixels",
        ),
        ("a.txt", lambda path: path.write_text("a text"), "cannot be used here"),
        ("a.png", lambda path: Image.new("RGB", (8, 8)).save(path), "at least 16 on each side"),
        ("a.png", lambda path: Image.new("RGB", (900, 40)).save(path), "most would be cut off"),
    ],
)
def test_a_picture_that_cannot_be_used_is_refused(errors, given, name, make, sentence):
    told = errors(begin="picture", picture=given(name, make))
    assert sentence in told["picture"]
    is_broken = "broken" in sentence
    assert is_broken == told["picture"].endswith("Give a PNG, JPEG or WebP.")


def test_a_photograph_of_a_phone_begins_a_film(values, card, given, tmp_path):
    picture = given("a.jpg", lambda path: Image.new("RGB", (5712, 4284), "teal").save(path))
    request = check_film({**values, "begin": "picture", "picture": picture}, card, tmp_path)
    with Image.open(request.start.file) as kept:
        assert kept.size == (2048, 1536)


def mp4_without_pictures(path):
    write_video(path, np.zeros((9, 64, 64, 3), np.uint8), 8)
    content = path.read_bytes()
    path.write_bytes(content[:200] + bytes(len(content) - 200))


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_text("a text"),
        lambda path: path.write_bytes(b"\0\0\0\x18ftypisom" + bytes(200)),
        mp4_without_pictures,
    ],
)
def test_a_broken_video_is_refused_in_words_of_ours(errors, given, make):
    told = errors(begin="video", video=given("a.mp4", make))
    assert told == {
        "video": "That video cannot be read: it is broken, or not what its name says. "
        "Give an MP4, MKV or WebM that plays elsewhere."
    }


@pytest.mark.parametrize(
    ("width", "height", "sentence"),
    [
        (6, 6, "height and width must be between 8 and 4096"),
        (4200, 1060, "height and width must be between 8 and 4096"),
        (400, 64, "of which most would be cut off"),
        (16, 12, "at least 16 on each side"),
    ],
)
def test_a_video_that_no_film_can_go_on_from_is_refused(errors, given, width, height, sentence):
    def write(path):
        write_video(path, np.zeros((2, height, width, 3), np.uint8), 8, format=LOSSLESS)

    assert sentence in errors(begin="video", video=given("a.mkv", write))["video"]


def test_a_part_has_a_frame_of_its_own_before_the_picture_at_the_end(errors, given):
    picture = given("a.png", lambda path: Image.new("RGB", (64, 40)).save(path))
    told = errors(overlap=15, ends=True, end_picture=picture)
    assert set(told) == {"overlap"}
    assert "Use at most 14." in told["overlap"]
    assert errors(overlap=14, ends=True, end_picture=picture) == {}
    assert errors(overlap=15) == {}


def test_what_is_given_is_kept_once_until_nobody_needs_it(card, values, given, tmp_path):
    picture = given("a.png", lambda path: Image.new("RGB", (64, 40)).save(path))
    asked = {**values, "begin": "picture", "picture": picture, "ends": True, "end_picture": picture}
    request = check_film(asked, card, tmp_path)
    assert (request.start.kind, request.start.name, request.num_at_first) == ("picture", "a.png", 1)
    assert request.start.file == request.end.file
    (kept,) = (tmp_path / GIVEN_FOLDER).iterdir()
    forget_given(tmp_path, lambda name: name == kept.name, 60, kept.stat().st_mtime + 100)
    assert kept.exists()
    forget_given(tmp_path, lambda name: False, 60, kept.stat().st_mtime + 10)
    assert kept.exists()  # its job is about to come
    forget_given(tmp_path, lambda name: False, 60, kept.stat().st_mtime + 100)
    assert not kept.exists()


def test_a_video_is_counted_in_the_pace_of_the_film(card, values, given, tmp_path):
    frames = np.zeros((9, 16, 16, 3), np.uint8)
    video = given("a.mp4", lambda path: write_video(path, frames, 16))
    request = check_film({**values, "begin": "video", "video": video}, card, tmp_path)
    assert (request.num_before, request.num_at_first) == (5, 1)


def test_the_published_film_model_is_used_with_its_own_number_of_steps(values, tmp_path):
    write_original_files(tmp_path / "published")
    (tmp_path / "published" / "seine.pt").touch()
    card = read_model_card(str(tmp_path / "published"))
    own = {name: limits.default for name, limits in film_ranges(card).items()}
    assert own["num_inference_steps"] == 250
    request = check_film({**values, **own}, card, tmp_path)
    assert isinstance(request, FilmRequest)
    assert request.num_inference_steps == 250
