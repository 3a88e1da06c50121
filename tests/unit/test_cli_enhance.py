import json

import av
import numpy as np
import pytest

from lavie.cli import create_parser, main
from lavie.cli.shared import load_cascade
from lavie.media import read_metadata, read_video, write_video
from lavie.pipelines.exact import EXACT, EXACT_SAMPLING
from lavie.pipelines.model_folder import save_stage
from tests.tiny import make_tiny_interpolation, make_tiny_super_resolution, write_tiny_model
from tests.unit.data.media_files import grey_frames, write_clip
from tests.unit.media.test_reading import run_ffmpeg

RECIPE = {"prompt": "a fox in the snow", "seed": 5, "stages": ["base"], "model_hash": "0a"}


@pytest.fixture
def film(tmp_path):
    """Three small odd frames of somebody's, two a second, with sound."""
    write_clip(tmp_path / "silent.mkv", grey_frames([50, 100, 150], (17, 25)), fps=2,
               codec="ffv1", pix_fmt="bgr0")  # fmt: skip
    sound = ("-f", "lavfi", "-i", "sine=duration=2", "-c:v", "copy", "-c:a", "aac")
    run_ffmpeg("-i", tmp_path / "silent.mkv", *sound, tmp_path / "film.mkv")
    return tmp_path / "film.mkv"


@pytest.fixture
def lavie(cascade_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(command, *arguments, steps=("--num-inference-steps", 1)):
        given = (command, "--model", cascade_folder, *steps, *arguments)
        code = main([str(argument) for argument in given])
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize(
    ("command", "num_frames", "size", "fps"),
    [("interpolate", 9, [26, 18], 8), ("upscale", 3, [100, 68], 2)],
)
def test_somebody_s_film_is_made_better(lavie, film, tmp_path, command, num_frames, size, fps):
    code, out, err = lavie(command, film, "--seed", 3, "--json")
    assert code == 0
    made = f"film.mkv: 3 frames of 25x17 become {num_frames} of {size[0]}x{size[1]}."
    assert err.splitlines()[0] == made
    report = json.loads(out)
    stage = {"interpolate": "interpolation", "upscale": "super_resolution"}[command]
    assert report["output"] == "outputs/video-0001.mp4"
    assert (report["frames"], report["size"], report["fps"]) == (num_frames, size, fps)
    assert report["seed"] == 3
    assert set(report["seconds"]) == {"load", stage, "write"}
    video = read_video(tmp_path / report["output"])
    assert len(video.frames) == num_frames
    assert video.fps == fps
    assert list(video.frames.shape[2:0:-1]) == size
    assert video.metadata["stages"] == [stage]
    assert video.metadata["source"] == {"file": "film.mkv"}
    assert json.loads((tmp_path / "outputs/video-0001.recipe.json").read_text()) == video.metadata
    with av.open(report["output"]) as file:
        assert [stream.codec_context.name for stream in file.streams.audio] == ["aac"]


def test_a_long_film_is_smoothed_as_it_is_read(lavie, tmp_path):
    write_video(tmp_path / "long.mp4", grey_frames(range(50, 90, 2), (16, 32)), 2)
    assert lavie("interpolate", "long.mp4", "--output", "a.mp4")[0] == 0
    assert read_video(tmp_path / "a.mp4").frames.shape == (77, 16, 32, 3)


def test_what_our_own_recipe_says_is_the_default(lavie, tmp_path):
    frames = np.stack(grey_frames([50, 100], (16, 32)))
    write_video(tmp_path / "fox.mp4", frames, 2, RECIPE)
    assert lavie("interpolate", "fox.mp4", "--output", "a.mp4")[0] == 0
    assert lavie("interpolate", "fox.mp4", "--output", "b.mp4", "--prompt", "a car")[0] == 0
    ours, theirs = read_metadata(tmp_path / "a.mp4"), read_metadata(tmp_path / "b.mp4")
    assert (ours["prompt"], ours["seed"]) == ("a fox in the snow", 5)
    assert ours["source"] == {"file": "fox.mp4", "recipe": RECIPE}
    assert (theirs["prompt"], theirs["seed"]) == ("a car", 5)


def test_a_film_of_many_lines_has_no_prompt_for_all_of_it(lavie, tmp_path):
    story = [{"prompt": "a fox"}, {"prompt": "a frog"}]
    recipe = RECIPE | {"prompt": "a fox | a frog", "story": story}
    write_video(tmp_path / "film.mp4", grey_frames([50, 100], (16, 32)), 2, recipe)
    assert lavie("interpolate", "film.mp4", "--output", "a.mp4")[0] == 0
    assert read_metadata(tmp_path / "a.mp4")["prompt"] == ""


def test_another_program_s_recipe_says_nothing_of_ours(lavie, tmp_path):
    theirs = {"prompt": {"3": {"class_type": "KSampler"}}, "seed": "any"}
    write_video(tmp_path / "theirs.mp4", grey_frames([50, 100], (16, 32)), 2, theirs)
    assert lavie("interpolate", "theirs.mp4", "--output", "a.mp4")[0] == 0
    recipe = read_metadata(tmp_path / "a.mp4")
    assert recipe["prompt"] == ""
    assert recipe["source"] == {"file": "theirs.mp4", "recipe": theirs}


@pytest.mark.parametrize("command", ["interpolate", "upscale"])
def test_exact_is_as_published_whatever_the_model_adds(lavie, film, monkeypatch, command):
    base = write_tiny_model(film.with_name("model"))
    save_stage(make_tiny_interpolation(default_keep_details=True), base)
    adding = {"default_keep_colours": True, "default_share_noise": True}
    save_stage(make_tiny_super_resolution(**adding), base)
    for settings in EXACT.values():
        monkeypatch.setitem(settings, "num_inference_steps", 2)  # 50 take seconds
    assert EXACT_SAMPLING == {"scheduler": "ddim", "num_inference_steps": 50}
    flags = ("--model", base, "--exact", "--output", "a.mp4")
    assert lavie(command, film, *flags, steps=())[0] == 0
    ((stage, settings),) = read_metadata(film.with_name("a.mp4"))["settings"].items()
    assert settings | EXACT[stage] == settings


@pytest.mark.parametrize(
    ("command", "flag", "sentence"),
    [
        ("interpolate", "--keep-details", "With --exact, --keep-details is off. Leave it out."),
        ("upscale", "--share-noise", "With --exact, --share-noise is off. Leave it out."),
        ("upscale", "--scheduler=euler", "With --exact, --scheduler is ddim. Leave it out."),
    ],
)
def test_exact_and_something_else_is_a_contradiction(lavie, film, command, flag, sentence):
    code, _, err = lavie(command, film, "--exact", flag, steps=())
    assert code == 2
    assert sentence in err


def test_flags_reach_the_stage(lavie, film):
    flags = ("--guidance-scale", 2, "--scheduler", "euler", "--window-overlap", 1)
    more = ("--noise-level", 7, "--tile-size", 20, "--negative-prompt", "car")
    assert lavie("upscale", film, *flags, *more, "--output", "a.mp4")[0] == 0
    settings = read_metadata(film.with_name("a.mp4"))["settings"]["super_resolution"]
    assert settings["guidance_scale"] == 2
    assert settings["scheduler"] == "euler"
    assert settings["window_overlap"] == 1
    assert settings["noise_level"] == 7
    assert settings["tile_size"] == 20
    assert settings["negative_prompt"] == "car"


@pytest.mark.parametrize(
    ("command", "option"),
    [("interpolate", "keep_details"), ("upscale", "keep_colours"), ("upscale", "share_noise")],
)
def test_options_of_small_models_can_be_turned_on_and_off(lavie, film, command, option):
    name = option.replace("_", "-")
    for flag, expected in ((f"--{name}", True), (f"--no-{name}", False)):
        assert lavie(command, film, flag, "--output", "a.mp4")[0] == 0
        (settings,) = read_metadata(film.with_name("a.mp4"))["settings"].values()
        assert settings[option] is expected


@pytest.mark.parametrize(
    ("flags", "low_memory"), [([], None), (["--low-memory"], True), (["--no-low-memory"], False)]
)
def test_taking_turns_is_asked_for(cascade_folder, flags, low_memory):
    command = ["upscale", "film.mp4", "--model", str(cascade_folder), *flags]
    cascade, _ = load_cascade(create_parser().parse_args(command))
    assert cascade.loaded.turns.low_memory is low_memory


@pytest.mark.parametrize("command", ["interpolate", "upscale"])
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["absent.mp4"], "absent.mp4 cannot be read as a video: No such file or directory."),
        (["pic.png"], "'pic.png' is a picture, not a video."),
        (["text.mp4"], "text.mp4 cannot be read as a video: Invalid data"),
        ([], "the following arguments are required: file"),
        (["film.mp4", "--output", "film.mp4"], "Output 'film.mp4' is the given video."),
        (["film.mp4", "--output", "no/a.mp4"], "Output folder 'no' does not exist."),
        (["film.mp4", "--scheduler", "plms"], "Scheduler 'plms' is not one of"),
        (["film.mp4", "--prompt", "x" * 1001], "Prompt has 1,001 characters."),
        (["film.mp4", "--exact"], "--exact, --num-inference-steps is 50. Leave it out."),
        (["film.mp4", "--window-overlap", "99"], "Window overlap 99 is not between"),
        (["film.mp4", "--model", "nothing"], "Model 'nothing' is not a folder."),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(lavie, tmp_path, command, arguments, sentence):
    (tmp_path / "text.mp4").write_text("no film")
    write_video(tmp_path / "film.mp4", grey_frames([50, 100], (16, 32)), 2)
    before = (tmp_path / "film.mp4").read_bytes()
    code, out, err = lavie(command, *arguments)
    assert code == 2
    assert sentence in err.splitlines()[-1]
    assert len(err.splitlines()) <= 2  # what will be done, if it was known so far
    assert out == ""
    assert (tmp_path / "film.mp4").read_bytes() == before
    assert not list(tmp_path.glob("outputs/*"))


def test_a_model_without_the_stage_says_so(lavie, film, model_folder):
    code, _, err = lavie("upscale", film, "--model", model_folder)
    assert code == 2
    assert "has no stage 'super_resolution'. It has base." in err


def test_stopping_leaves_nothing_half_written(lavie, film, tmp_path, monkeypatch):
    from lavie.media import VideoWriter

    def stop(writer, frames):
        raise KeyboardInterrupt

    monkeypatch.setattr(VideoWriter, "write", stop)
    code, _, err = lavie("upscale", film)
    assert code == 130
    assert err.splitlines()[-1] == "Stopped."
    assert list((tmp_path / "outputs").iterdir()) == []


def test_generate_runs_the_stages_asked_for(lavie, tmp_path):
    small = ("--prompt", "a fox", "--height", 16, "--width", 32, "--num-frames", 2)
    few = ("--interpolation-steps", 1, "--super-resolution-steps", 2, "--noise-level", 9)
    stages = ("--stages", "base,interpolation,super_resolution")
    code, out, _ = lavie("generate", *small, *few, *stages, "--json")
    assert code == 0
    report = json.loads(out)
    assert (report["frames"], report["size"]) == (5, [128, 64])
    recipe = read_metadata(tmp_path / report["output"])
    assert recipe["stages"] == ["base", "interpolation", "super_resolution"]
    assert recipe["settings"]["interpolation"]["num_inference_steps"] == 1
    assert recipe["settings"]["super_resolution"]["num_inference_steps"] == 2
    assert recipe["settings"]["super_resolution"]["noise_level"] == 9


def test_generate_is_the_base_stage_alone_by_default(lavie, tmp_path):
    small = ("--prompt", "a fox", "--height", 16, "--width", 32, "--num-frames", 2)
    report = json.loads(lavie("generate", *small, "--json")[1])
    assert read_metadata(tmp_path / report["output"])["stages"] == ["base"]


def test_a_memory_profile_is_asked_for(cascade_folder):
    command = ["upscale", "film.mp4", "--model", str(cascade_folder), "--profile", "8gb"]
    cascade, _ = load_cascade(create_parser().parse_args(command))
    assert cascade.profile.name == "8gb"


def test_a_stage_of_ones_own_training_takes_the_place_of_the_model_s(lavie, film, tmp_path):
    """Whether it stands alone or in a folder with others."""
    make_tiny_interpolation(seed=7).save_pretrained(tmp_path / "own")
    given = ("interpolate", film, "--seed", 1)
    assert lavie(*given, "--output", "a.mp4")[0] == 0
    assert lavie(*given, "--output", "b.mp4", "--interpolation", tmp_path / "own")[0] == 0
    usual, own = read_metadata(tmp_path / "a.mp4"), read_metadata(tmp_path / "b.mp4")
    assert usual["model_hash"] == own["model_hash"]
    assert usual["model_hashes"] != own["model_hashes"]
    code, _, err = lavie(*given, "--model", tmp_path / "own")
    assert code == 2
    assert "Pass it with --interpolation." in err
    code, _, err = lavie("upscale", film, "--super-resolution", tmp_path / "own")
    assert code == 2
    assert "has stage interpolation, expected super_resolution." in err
