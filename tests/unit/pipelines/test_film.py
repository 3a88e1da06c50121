import numpy as np
import pytest
import torch
from diffusers.schedulers import DDPMScheduler

from lavie import Cascade, Generation
from lavie.errors import Cancelled, InputError
from lavie.types import CancelToken, Progress
from tests.tiny import write_tiny_film_model

STORY = "a fox | 0.75\na frog | 0.5"
FRAMES, FIRST = 10, 6


@pytest.fixture(scope="module")
def cascade(tmp_path_factory):
    folder = write_tiny_film_model(tmp_path_factory.mktemp("film"))
    return Cascade.from_pretrained(folder, device="cpu")


@pytest.fixture(scope="module")
def whole(cascade):
    return cascade.film(STORY, seed=3, height=16, width=24).make()


def clip(num_frames=5, height=20, width=24, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (num_frames, height, width, 3), dtype=np.uint8)


def test_a_story_becomes_a_film_with_a_recipe(cascade, whole):
    assert whole.frames.shape == (FRAMES, 16, 24, 3)
    assert whole.fps == 8
    recipe = whole.metadata
    assert recipe["stages"] == ["long_video"]
    assert [line["prompt"] for line in recipe["story"]] == ["a fox", "a frog"]
    again = cascade.film(recipe["story"], seed=recipe["seed"], height=16, width=24).make()
    assert np.array_equal(again.frames, whole.frames)
    assert again.metadata == recipe


def test_the_base_stage_makes_the_beginning_of_a_film_from_text(cascade, whole):
    alone = cascade.generate("a fox", seed=3, height=16, width=24, num_frames=6)
    assert np.array_equal(whole.frames[:FIRST], alone.frames)


def test_guidance_is_for_windows_that_go_on_and_the_beginning_gets_its_own_in_proportion(tmp_path):
    cascade = Cascade.from_pretrained(write_tiny_film_model(tmp_path), device="cpu")
    cascade.pipeline("long_video").register_to_config(default_guidance_scale=1.5)
    size = {"height": 16, "width": 24}
    usual = cascade.generate("a fox", seed=3, num_frames=6, **size)
    for factor in (None, 1.0, 2.0):
        asked = None if factor is None else 1.5 * factor
        beginning = next(cascade.film(STORY, seed=3, guidance_scale=asked, **size).segments())
        guidance = 3.0 * (factor or 1.0)
        alone = cascade.generate("a fox", seed=3, num_frames=6, guidance_scale=guidance, **size)
        assert np.array_equal(beginning.frames, alone.frames)
    assert not np.array_equal(alone.frames, usual.frames)


def test_a_recipe_tells_all_of_a_film_whose_networks_have_other_settings_of_their_own(tmp_path):
    cascade = Cascade.from_pretrained(write_tiny_film_model(tmp_path), device="cpu")
    later = cascade.pipeline("long_video")
    later.register_to_config(default_num_inference_steps=3, default_guidance_scale=1.5)
    later.scheduler = DDPMScheduler.from_config(later.scheduler.config)
    film = cascade.film(STORY, seed=3, height=16, width=24).make()
    told = film.metadata["settings"]["long_video"]
    assert (told["num_inference_steps"], told["scheduler"]) == (3, "ddpm")
    names = ("num_inference_steps", "guidance_scale", "scheduler", "height", "width", "num_given")
    again = cascade.film(STORY, seed=3, **{name: told[name] for name in names}).make()
    assert np.array_equal(again.frames, film.frames)
    assert again.metadata == film.metadata
    alone = cascade.generate("a fox", seed=3, height=16, width=24, num_frames=6)
    assert np.array_equal(film.frames[:FIRST], alone.frames)  # as the base model makes it


@pytest.mark.parametrize("asked", [{"num_inference_steps": 2}, {"scheduler": "euler"}])
def test_what_is_asked_for_holds_for_the_beginning_too(cascade, asked):
    beginning = next(cascade.film(STORY, seed=3, height=16, width=24, **asked).segments())
    alone = cascade.generate("a fox", seed=3, height=16, width=24, num_frames=6, **asked)
    assert np.array_equal(beginning.frames, alone.frames)


def test_a_part_made_again_leaves_what_is_before_it(cascade, whole):
    film = cascade.film(STORY, seed=3, height=16, width=24)
    first = next(film.segments())
    rest = list(film.segments(1, first.latents))
    made = np.concatenate([first.frames, *(segment.frames for segment in rest)])
    assert np.array_equal(made, whole.frames)
    other = cascade.film("a fox | 0.75\na pig | 0.5", seed=3, height=16, width=24)
    changed = next(other.segments(1, first.latents))
    assert not np.array_equal(changed.frames, rest[0].frames)


def test_a_video_is_gone_on_from_in_its_own_pace(cascade):
    video = clip(9)
    film = cascade.film(STORY, video, fps=16, seed=3)
    beginning = np.stack(list(film.beginning()))
    assert np.array_equal(beginning, video[::2, 2:18])  # every second frame, cut in the middle
    assert np.array_equal(film._start.last_frames(2), video[[6, 8], 2:18])
    assert film.make().frames.shape == (5 + FRAMES, 16, 24, 3)


def test_a_picture_comes_to_life_and_ends_in_another(cascade):
    first, last = clip(2, 32, 48)
    film = cascade.film("a fox | 0.5", first, last, seed=3)
    assert list(film.beginning()) == []
    frames = film.make().frames
    assert frames.shape == (6, 16, 24, 3)
    assert film.recipe["settings"]["long_video"]["begins_with"] == "picture"
    assert film.recipe["settings"]["long_video"]["ends_with"] == "picture"
    for picture, place in ((first, 0), (last, -1)):
        alone = cascade.film("a fox | 0.5", picture, seed=3).make().frames[0]
        assert np.array_equal(frames[place], alone)


def test_progress_counts_the_steps_of_all_parts_and_cancelling_keeps_what_is_done(cascade):
    events, cancel = [], CancelToken()
    film = cascade.film(STORY, seed=3, num_inference_steps=2, on_event=events.append, cancel=cancel)
    segments = film.segments()
    next(segments)
    cancel.cancel()
    with pytest.raises(Cancelled):
        next(segments)
    steps = [(e.step, e.total) for e in events if isinstance(e, Progress)]
    assert steps == [(1, 4), (2, 4)]


def test_the_steps_of_the_base_stage_count_where_another_part_reaches_the_end(cascade):
    events = []
    cascade.film(STORY, end=clip()[0], seed=3, on_event=events.append).make()
    steps = [(e.step, e.total) for e in events if isinstance(e, Progress)]
    assert steps == [(step, 5) for step in range(1, 6)]  # 4 of the base stage and 1


def test_the_network_that_goes_on_has_the_device_again_after_the_beginning(cascade, monkeypatch):
    begun, begin = [], cascade.loaded.begin
    monkeypatch.setattr(cascade.loaded, "begin", lambda name: begun.append(name) or begin(name))
    next(cascade.film(STORY, seed=3, height=16, width=24).segments())
    assert begun == ["long_video", "base", "long_video"]


def test_later_stages_take_a_film_and_are_told_no_prompt_that_is_not_theirs(cascade, whole):
    smooth = cascade.interpolate(whole, num_inference_steps=1)
    assert smooth.frames.shape == (4 * FRAMES - 3, 16, 24, 3)
    assert smooth.metadata["stages"] == ["long_video", "interpolation"]
    assert smooth.metadata["settings"]["interpolation"]["prompt"] == ""


def test_generate_says_that_films_are_made_elsewhere(cascade):
    with pytest.raises(InputError, match="makes films of a story"):
        cascade.generate("a fox", ("base", "long_video"))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"story": ""}, "no lines"),
        ({"seed": -1}, "Seed"),
        ({"fps": 8}, "no video to go on from"),
        ({"start": clip()[0], "fps": 8}, "no video to go on from"),
        ({"start": Generation(clip(), 8, 0, {}), "fps": 8}, "has its frames per second"),
        ({"start": np.zeros((2, 3), np.uint8)}, "cannot be read"),
        ({"start": clip()[0].astype(float)}, "A picture of shape"),
        ({"end": clip()}, "A picture of shape"),
        ({"start": clip(2, 4, 4)}, "must be between"),
        ({"num_given": 6}, "Number of given frames 6 is not between 1 and 5"),
        ({"num_given": 5, "end": clip()[0]}, "not between 1 and 4"),
        ({"height": 17}, "multiple"),
    ],
)
def test_what_cannot_be_filmed_is_refused_before_the_work(cascade, given, sentence):
    with pytest.raises(InputError, match=sentence):
        cascade.film(**{"story": STORY, "height": 16, "width": 24} | given)


def test_a_later_part_needs_what_was_before_it(cascade):
    film = cascade.film(STORY, seed=3)
    with pytest.raises(InputError, match="give the latents before it"):
        next(film.segments(1))
    with pytest.raises(InputError, match="First"):
        next(film.segments(5, torch.zeros(1)))
    latents = next(film.segments()).latents
    with pytest.raises(InputError, match="nothing before"):
        next(film.segments(0, latents))
    with pytest.raises(InputError, match="3 frames are given, more than 2"):
        next(film.segments(1, torch.cat([latents, latents[:, :, :1]], dim=2)))


@pytest.fixture(scope="module")
def base_alone(cascade_folder):
    return Cascade.from_pretrained(cascade_folder, device="cpu")


def test_a_model_without_the_network_for_it_makes_a_film_at_once(base_alone):
    small = {"height": 16, "width": 24, "num_inference_steps": 1}
    film = base_alone.film("a fox | 3\na frog | 2.5", seed=3, **small)
    assert film.way == "free_noise"
    segments = list(film.segments())
    assert [len(segment.frames) for segment in segments] == [16, 8, 16, 4]
    assert not base_alone.base.free_noise_enabled
    made = film.make()
    assert np.array_equal(made.frames, np.concatenate([s.frames for s in segments]))
    assert made.metadata["settings"]["long_video"]["way"] == "free_noise"
    with base_alone.base.free_noise(context_length=None):
        prompt = {0: "a fox", 20: "a fox", 24: "a frog"}
        alone = base_alone.base(
            prompt, num_frames=44, generator=torch.Generator().manual_seed(3), **small
        )
    assert np.array_equal(made.frames, alone.frames[0])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"start": clip()}, "no network that goes on from given frames"),
        ({"end": clip()[0]}, "no network that goes on from given frames"),
        ({"num_given": 2}, "no network that goes on from given frames"),
        ({"story": "a fox | 60"}, "480 frames is more than 16 times"),
        ({"story": "a fox\na frog | seed 7"}, "Line 2 of the story has a seed of its own"),
    ],
)
def test_what_cannot_be_made_at_once_is_refused(base_alone, given, sentence):
    with pytest.raises(InputError, match=sentence):
        base_alone.film(**{"story": STORY} | given)
