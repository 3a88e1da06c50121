import json

import numpy as np
import pytest
from PIL import Image

from lavie import Cascade
from lavie.cascade.film import Film
from lavie.cli import main
from lavie.errors import MemoryBudgetError
from lavie.media import read_metadata, read_video, write_video
from tests.tiny import write_tiny_film_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_tiny_film_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def lavie(model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(frames(1)[0]).save("picture.png")
    write_video(tmp_path / "clip.mp4", frames(4), 8)
    (tmp_path / "story.txt").write_text("a fox | 0.75\na frog | 0.5\n")

    def run(command, *arguments):
        given = (command, *arguments)
        if "--model" not in arguments:
            given += ("--model", model)
        code = main([str(argument) for argument in given])
        return code, *capsys.readouterr()

    return run


def frames(count, height=32, width=48):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def test_generate_films_a_story(lavie, tmp_path):
    code, out, _ = lavie(
        "generate", "--story", "story.txt", "--seed", 3, "--output", "a.mp4", "--json"
    )
    assert code == 0
    told = json.loads(out.splitlines()[-1])
    assert (told["frames"], told["size"], told["fps"]) == (10, [24, 16], 8)
    recipe = read_metadata(tmp_path / "a.mp4")
    assert [line["prompt"] for line in recipe["story"]] == ["a fox", "a frog"]
    assert json.loads((tmp_path / "a.recipe.json").read_text()) == recipe
    assert [path.name for path in tmp_path.glob(".film-*")] == []


def test_extend_goes_on_from_a_video_and_keeps_it_before(lavie, tmp_path):
    code, _, said = lavie("extend", "clip.mp4", "--prompt", "a fox", "--seconds", 0.5)
    assert code == 0
    assert "clip.mp4: 48x32 becomes 24x16, the size of the film." in said
    assert lavie("extend", "clip.mp4", "--story", "story.txt", "--only-new")[0] == 0
    one, two = (read_video(tmp_path / f"outputs/video-000{number}.mp4") for number in (1, 2))
    assert (len(one.frames), len(two.frames)) == (4 + 4, 10)
    assert one.metadata["source"]["file"] == "clip.mp4"


def test_extend_takes_the_prompt_of_a_video_that_was_made_here(lavie, tmp_path):
    lavie("extend", "picture.png", "--prompt", "a pig", "--output", "a.mp4")
    code, _, said = lavie("extend", "a.mp4", "--output", "b.mp4")
    assert code == 0
    assert "becomes" not in said
    assert read_metadata(tmp_path / "b.mp4")["prompt"] == "a pig"


def test_a_picture_comes_to_life_is_smoothed_and_enlarged(lavie, tmp_path):
    code, _, errors = lavie(
        *("extend", "picture.png", "--prompt", "a fox", "--seconds", 0.25, "--end", "picture.png"),
        *("--stages", "interpolation,super_resolution", "--output", "a.mp4"),
    )
    assert code == 0, errors
    video = read_video(tmp_path / "a.mp4")
    assert video.frames.shape == (4 * 6 - 3, 64, 96, 3)
    assert video.fps == 32
    assert video.metadata["stages"] == ["long_video", "interpolation", "super_resolution"]


STOPS = [(KeyboardInterrupt(), 130), (MemoryBudgetError("It does not fit."), 2)]


@pytest.mark.parametrize(("error", "expected"), STOPS)
def test_stopping_keeps_the_parts_that_are_done(lavie, tmp_path, monkeypatch, error, expected):
    segments = Film.segments

    def interrupted(film):
        yield next(segments(film))
        raise error

    monkeypatch.setattr(Film, "segments", interrupted)
    code, _, errors = lavie("generate", "--story", "story.txt", "--output", "a.mp4")
    assert code == expected
    assert "what was done is kept" in errors
    assert len(read_video(tmp_path / "a.mp4").frames) == 6


def test_extend_goes_on_with_the_last_line_of_a_story(lavie, tmp_path):
    lavie("generate", "--story", "story.txt", "--output", "a.mp4")
    assert lavie("extend", "a.mp4", "--output", "b.mp4")[0] == 0
    assert read_metadata(tmp_path / "b.mp4")["prompt"] == "a frog"


@pytest.mark.parametrize(("error", "code"), STOPS)
@pytest.mark.parametrize("stage", ["interpolate", "upscale"])
def test_a_film_is_kept_where_a_later_stage_stops(lavie, tmp_path, monkeypatch, stage, error, code):
    def stop(*_, **__):
        raise error

    monkeypatch.setattr(Cascade, stage, stop)
    stages = "super_resolution,interpolation"
    command = ("generate", "--story", "story.txt", "--stages", stages, "--output", "a.mp4")
    told, _, errors = lavie(*command)
    assert told == code
    assert "what was done is kept" in errors
    video = read_video(tmp_path / "a.mp4")
    assert video.frames.shape == (10, 16, 24, 3)
    assert video.metadata["stages"] == ["long_video"]
    assert video.fps == 8


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("generate",), "Give --prompt or --story."),
        (("generate", "--story", "none.txt"), "Story 'none.txt' does not exist."),
        (("generate", "--story", "picture.png"), "is not a text in UTF-8"),
        (("generate", "--story", "empty.txt"), "The story has no lines."),
        (("generate", "--story", "long.txt"), "The story has 10,000 lines. Use at most 200"),
        (
            ("generate", "--story", "story.txt", "--prompt", "a"),
            "Give --story or --prompt, not both.",
        ),
        (("generate", "--story", "story.txt", "--num-frames", "9"), "does not go with --story"),
        (("generate", "--prompt", "a", "--num-given", "2"), "--num-given goes with --story"),
        (("generate", "--story", "story.txt", "--stages", "base,music"), "'music' is not one of"),
        (("extend", "picture.png"), "Give --prompt or --story."),
        (("extend", "none.png", "--prompt", "a"), "Picture 'none.png' does not exist."),
        (("extend", "text.png", "--prompt", "a"), "Picture 'text.png' cannot be used"),
        (("extend", "thin.png", "--prompt", "a"), "Picture 'thin.png' is 20x81 pixels, of which"),
        (("extend", "clip.mp4", "--prompt", "a", "--end", "thin.png"), "'thin.png' is 20x81"),
        (("extend", "text.mp4", "--prompt", "a"), "text.mp4"),
        (("extend", "clip.mp4", "--prompt", "a", "--end", "clip.mp4"), "cannot be used"),
        (("extend", "clip.mp4", "--story", "story.txt", "--prompt", "a"), "not both"),
        (("extend", "clip.mp4", "--story", "story.txt", "--seconds", "2"), "says how long"),
        (("extend", "clip.mp4", "--prompt", "a", "--seconds", "-2"), "is not above 0"),
        (("extend", "clip.mp4", "--prompt", "a", "--output", "clip.mp4"), "is the given video"),
    ],
)
def test_what_cannot_be_filmed_is_one_sentence(lavie, tmp_path, arguments, sentence):
    (tmp_path / "empty.txt").write_text("\n# nothing\n")
    (tmp_path / "long.txt").write_text("a fox\n" * 10_000)
    Image.new("RGB", (20, 81)).save(tmp_path / "thin.png")
    for name in ("text.png", "text.mp4"):
        (tmp_path / name).write_text("this is text")
    code, _, errors = lavie(*arguments)
    assert code == 2
    assert sentence in errors
    assert len(errors.splitlines()) == 1
    assert not (tmp_path / "outputs").exists() or not list((tmp_path / "outputs").iterdir())
