import json
import subprocess

import av
import numpy as np
import pytest
from imageio_ffmpeg import get_ffmpeg_exe
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
    code, _, said = lavie("extend", "a.mp4", "--output", "b.mp4", "--seconds", 0.5)
    assert code == 0
    assert "becomes" not in said
    told = read_metadata(tmp_path / "b.mp4")["story"]
    assert [(line["prompt"], line["seconds"]) for line in told] == [("a pig", 0.5)]


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


STOPS = [
    (KeyboardInterrupt(), 130),
    (MemoryBudgetError("It does not fit."), 2),
    (RuntimeError("CUDA error: launch failure"), 1),
]


@pytest.mark.parametrize(("error", "expected"), STOPS)
def test_stopping_keeps_the_parts_that_are_done(lavie, tmp_path, monkeypatch, error, expected):
    segments = Film.segments

    def interrupted(film):
        yield next(segments(film))
        raise error

    monkeypatch.setattr(Film, "segments", interrupted)
    code, _, errors = lavie("generate", "--story", "story.txt", "--output", "a.mp4")
    assert code == expected
    said = errors.splitlines()
    told = [line for line in said if "1 of 2 parts are done and kept in a.mp4." in line]
    assert len(told) == 1
    assert errors.count("Stopped") == (expected == 130)
    assert expected != 2 or said[-1] == "It does not fit."
    assert expected != 1 or "launch failure" in said[-1]
    assert len(read_video(tmp_path / "a.mp4").frames) == 6


def test_a_film_that_is_stopped_replaces_no_film(lavie, model, tmp_path, monkeypatch):
    command = ("generate", "--story", "story.txt", "--output", "a.mp4")
    assert lavie(*command)[0] == 0
    whole = {path.name: path.read_bytes() for path in tmp_path.glob("a.*")}
    segments = Film.segments

    def interrupted(film):
        yield next(segments(film))
        raise KeyboardInterrupt

    monkeypatch.setattr(Film, "segments", interrupted)
    code, out, errors = lavie(*command)
    assert code == 130
    assert errors.splitlines()[-1] == (
        "Stopped: 1 of 2 parts are done and kept in a-stopped.mp4. a.mp4 stays as it was. "
        f"Go on with: python -m lavie extend a-stopped.mp4 --model {model}"
    )
    assert out.startswith("a-stopped.mp4: 6 frames")
    assert lavie(*command, "--json")[1].startswith('{"output": "a-stopped-2.mp4"')
    assert {path.name: path.read_bytes() for path in tmp_path.glob("a.*")} == whole
    for name in ("a-stopped", "a-stopped-2"):
        assert len(read_video(tmp_path / f"{name}.mp4").frames) == 6
        assert (tmp_path / f"{name}.recipe.json").exists()


def test_a_film_that_was_stopped_goes_on_with_what_was_left(lavie, tmp_path, monkeypatch):
    story = "a fox | 1.25\na frog | 0.5\n"
    (tmp_path / "story.txt").write_text(story)
    command = ("generate", "--story", "story.txt", "--seed", 3)
    assert lavie(*command, "--output", "whole.mp4")[0] == 0
    segments = Film.segments

    def interrupted(film):
        yield next(segments(film))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Film, "segments", interrupted)
        assert lavie(*command, "--output", "a.mp4")[0] == 130
    code, _, said = lavie("extend", "a.mp4", "--output", "b.mp4")
    assert code == 0
    assert "Goes on with the 2 lines left of its story." in said
    assert len(read_video("b.mp4").frames) == len(read_video("whole.mp4").frames) == 14
    told = read_metadata(tmp_path / "b.mp4")
    assert [(line["prompt"], line["seconds"]) for line in told["story"]] == [
        ("a fox", 0.5),
        ("a frog", 0.5),
    ]
    assert "unfilmed" not in told
    assert lavie("extend", "a.mp4", "--prompt", "a pig", "--output", "c.mp4")[0] == 0
    assert read_metadata(tmp_path / "c.mp4")["prompt"] == "a pig"


def test_a_film_goes_on_as_it_was_asked_for(lavie, model, tmp_path, monkeypatch):
    segments = Film.segments

    def interrupted(film):
        yield next(segments(film))
        raise KeyboardInterrupt

    settings = ("--num-inference-steps", 2, "--guidance-scale", 5, "--negative-prompt", "a pig")
    more = ("--scheduler", "ddim", "--num-given", 3, "--seed", 3, "--end", "picture.png")
    command = ("extend", "clip.mp4", "--story", "story.txt", *settings, *more)
    with monkeypatch.context() as patch:
        patch.setattr(Film, "segments", interrupted)
        later = ("--stages", "interpolation", "--output", "a b.mp4")
        errors = lavie(*command, *later)[2].splitlines()[-1]
    way_on = f"extend 'a b.mp4' --model {model} --stages interpolation --end picture.png"
    assert way_on in errors
    code, _, said = lavie("extend", "a b.mp4", "--end", "picture.png", "--output", "b.mp4")
    assert code == 0
    assert "As it was begun: negative_prompt 'a pig', num_inference_steps 2" in said
    assert "It was to end" not in said
    before, after = (read_metadata(tmp_path / name) for name in ("a b.mp4", "b.mp4"))
    assert after["negative_prompt"] == "a pig"
    assert after["settings"]["long_video"] == before["settings"]["long_video"]
    assert after["settings"]["long_video"]["num_given"] == 3
    left = [(line["prompt"], line["seed"]) for line in before["unfilmed"]]
    assert [(line["prompt"], line["seed"]) for line in after["story"]] == left
    again = ("extend", "a b.mp4", "--num-inference-steps", 1, "--output", "c.mp4")
    code, _, said = lavie(*again, "--negative-prompt", "")
    assert code == 0
    assert "It was to end with a picture. Give --end to have it do so." in said
    assert read_metadata(tmp_path / "c.mp4")["negative_prompt"] == ""
    told = read_metadata(tmp_path / "c.mp4")["settings"]["long_video"]
    assert (told["num_inference_steps"], told["guidance_scale"]) == (1, 5)


def test_a_slow_video_keeps_its_speed_and_its_sound(lavie, tmp_path):
    write_video(tmp_path / "silent.mp4", frames(4), 4)
    with_a_tone = "-v error -i silent.mp4 -f lavfi -i sine=duration=1 -c:v copy slow.mp4"
    subprocess.run([get_ffmpeg_exe(), *with_a_tone.split()], check=True)
    command = ("extend", "slow.mp4", "--prompt", "a fox", "--seconds", 0.5, "--output")
    assert lavie(*command, "a.mp4")[0] == 0
    assert len(read_video(tmp_path / "a.mp4").frames) == 7 + 4  # its last frame is shown once
    assert lavie(*command, "b.mp4", "--only-new")[0] == 0
    heard = [len(av.open(str(tmp_path / name)).streams.audio) for name in ("a.mp4", "b.mp4")]
    assert heard == [1, 0]


def test_what_a_broken_recipe_has_left_is_refused(lavie, tmp_path):
    lavie("generate", "--story", "story.txt", "--output", "a.mp4")
    recipe = read_metadata(tmp_path / "a.mp4") | {"unfilmed": [{"prompt": 3}]}
    write_video(tmp_path / "b.mp4", frames(4), 8, metadata=recipe)
    code, _, errors = lavie("extend", "b.mp4")
    assert code == 2
    assert "Line 1 of the story" in errors


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"scheduler": "\x1b[2Jddim"}, "Scheduler '?[2Jddim'"),
        ({"guidance_scale": 10**400}, "is not a number between 0 and 50"),
        ({"num_inference_steps": 100_000}, "not between 1 and 1000"),
        ({"height": "tall"}, "tall"),
        ({"num_given": [1]}, "[1]"),
    ],
)
def test_settings_of_a_recipe_that_cannot_be_are_refused(lavie, tmp_path, settings, sentence):
    lavie("generate", "--story", "story.txt", "--output", "a.mp4")
    left = {"unfilmed": [{"prompt": "a fox"}], "settings": {"long_video": settings}}
    recipe = read_metadata(tmp_path / "a.mp4") | left
    write_video(tmp_path / "b.mp4", frames(4), 8, metadata=recipe)
    code, _, errors = lavie("extend", "b.mp4", "--output", "c.mp4")
    assert code == 2
    assert sentence in errors.splitlines()[-1]
    assert "\x1b" not in errors
    assert not (tmp_path / "c.mp4").exists()


def test_a_film_that_is_stopped_at_once_leaves_nothing(lavie, tmp_path, monkeypatch):
    def interrupted(film):
        raise KeyboardInterrupt

    monkeypatch.setattr(Film, "segments", interrupted)
    code, _, errors = lavie("extend", "clip.mp4", "--prompt", "a fox", "--output", "a.mp4")
    assert code == 130
    assert errors.splitlines()[-1] == "Stopped: 0 of 1 parts are done, so nothing is kept."
    assert not list(tmp_path.glob("a*"))


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
    (tmp_path / "a.mp4").write_text("a film")
    told, _, errors = lavie(*command)
    assert told == code
    assert "2 of 2 parts are done and kept in a-stopped.mp4." in errors
    assert "Not done: interpolation, super_resolution." in errors
    assert (tmp_path / "a.mp4").read_text() == "a film"
    video = read_video(tmp_path / "a-stopped.mp4")
    assert video.frames.shape == (10, 16, 24, 3)
    assert video.metadata["stages"] == ["long_video"]
    assert video.fps == 8


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("generate",), "Give --prompt or --story."),
        (
            ("generate", "--story", "a fox | 2"),
            "Story 'a fox | 2' does not exist. Give a text file with a line for each prompt, or "
            "use --prompt.",
        ),
        (("generate", "--story", "."), "Story '.' cannot be read: Is a directory. Give a text"),
        (("generate", "--story", "a fox\n" * 200), "cannot be read: File name too long. Give a"),
        (("generate", "--story", "bytes.txt"), "Story 'bytes.txt' is not a text in UTF-8. Give a"),
        (("generate", "--story", "text.png"), "has the name of a picture or a video. Give a text"),
        (("generate", "--story", "large.txt"), "'large.txt' is larger than 1 MB. Give a text"),
        (("extend", "clip.mp4", "--story", "text.mp4"), "has the name of a picture or a video."),
        (("generate", "--story", "empty.txt"), "The story has no lines."),
        (("generate", "--story", "long.txt"), "The story has 10,000 lines. Use at most 200"),
        (
            ("generate", "--story", "story.txt", "--prompt", "a"),
            "Give --story or --prompt, not both.",
        ),
        *(
            (("generate", "--story", "story.txt", *flag), f"{flag[0]} does not go with --story")
            for flag in (
                ("--num-frames", "9"),
                ("--noise-level", "9"),
                ("--tile-size", "64"),
                ("--enlarge", "2"),
            )
        ),
        (("generate", "--prompt", "a", "--num-given", "2"), "--num-given goes with --story"),
        (("generate", "--story", "story.txt", "--stages", "base,music"), "'music' is not one of"),
        (("extend", "picture.png"), "Give --prompt or --story."),
        (("extend", "none.png", "--prompt", "a"), "Picture 'none.png' does not exist."),
        (("extend", "text.png", "--prompt", "a"), "Picture 'text.png' cannot be used"),
        (("extend", "thin.png", "--prompt", "a"), "Picture 'thin.png' is 20x81 pixels, of which"),
        (("extend", "clip.mp4", "--prompt", "a", "--end", "thin.png"), "'thin.png' is 20x81"),
        (("extend", "text.mp4", "--prompt", "a"), "text.mp4"),
        (("extend", "thin.mp4", "--prompt", "a"), "Video 'thin.mp4' is 20x82 pixels, of which"),
        (("extend", "clip.mp4", "--prompt", "a", "--end", "clip.mp4"), "cannot be used"),
        (("extend", "clip.mp4", "--story", "story.txt", "--prompt", "a"), "not both"),
        (("extend", "clip.mp4", "--story", "story.txt", "--seconds", "2"), "says how long"),
        (("extend", "clip.mp4", "--seconds", "2"), "'clip.mp4'? Give --prompt or --story."),
        *(
            (
                ("extend", "clip.mp4", "--prompt", "a", "--seconds", seconds),
                f"--seconds: '{seconds}' is not a number above 0 and up to 600. Use 4, say.",
            )
            for seconds in ("abc", "0", "-2", "601", "nan")
        ),
        (("extend", "clip.mp4", "--prompt", "a", "--output", "clip.mp4"), "is the given video"),
    ],
)
def test_what_cannot_be_filmed_is_one_sentence(lavie, tmp_path, arguments, sentence):
    (tmp_path / "empty.txt").write_text("\n# nothing\n")
    (tmp_path / "long.txt").write_text("a fox\n" * 10_000)
    (tmp_path / "large.txt").write_text("a" * 1_000_001)
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\xfd")
    Image.new("RGB", (20, 81)).save(tmp_path / "thin.png")
    write_video(tmp_path / "thin.mp4", np.zeros((2, 82, 20, 3), np.uint8), 8)
    for name in ("text.png", "text.mp4"):
        (tmp_path / name).write_text("this is text")
    code, _, errors = lavie(*arguments)
    assert code == 2
    assert sentence in errors
    assert len(errors.splitlines()) == 1
    assert not (tmp_path / "outputs").exists() or not list((tmp_path / "outputs").iterdir())
