"""Things that are shown in clips of the world instead of stills."""

from functools import partial
from itertools import islice

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from lavie.data.world import MOTIONS, PLACES
from lavie.data.world.clips import Pose
from lavie.data.world.drawing import sprite
from lavie.errors import ConfigError
from lavie.models import BaseUNet
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.training.loop import train
from lora.crops import make_clips
from lora.evaluation.pictures import draw_pictures
from lora.examples import draw_batches, prepare_examples
from lora.settings import PersonalConfig
from lora.train import make_stage, prepare
from tests.unit.lora.personal import assert_equal_runs, personal_config, stop_and_go_on
from tests.unit.lora.personal import draw_pictures as draw_squares

GREY = np.full((40, 64, 3), 128.0, np.float32)
FEW = {
    "num_steps": 4,
    "num_variants": 7,
    "num_prior_images": 1,
    "rank": 2,
    "sample_every": 0,
    "checkpoint_every": 1,
}


def arrow(size=(100, 200)):
    """Red, its left half dark, on a transparent ground."""
    pixels = np.zeros((size[1], size[0], 4), np.uint8)
    pixels[20:-20, 10:-10] = (220, 20, 20, 255)
    pixels[20:-20, 10 : size[0] // 2] = (90, 0, 0, 255)
    return pixels


def place_of(focus):
    """Centre x, centre y, width and height of what is in focus."""
    rows, columns = (np.flatnonzero((focus > 0.5).any(axis=axis)) for axis in (1, 0))
    return (
        (columns[0] + columns[-1] + 1) / 2,
        (rows[0] + rows[-1] + 1) / 2,
        len(columns),
        len(rows),
    )


@pytest.mark.parametrize("pose", [Pose(32, 20, 20), Pose(10, 12, 10), Pose(50, 25, 30)])
def test_a_cut_out_is_where_its_pose_says_and_as_high(pose):
    clips = make_clips(arrow(), 40, 64, [[pose] * 2], [GREY])
    assert clips.frames.shape == (1, 2, 40, 64, 3)
    x, y, width, height = place_of(clips.focus[0, 1])
    assert (x, y) == (pytest.approx(pose.x, abs=1), pytest.approx(pose.y, abs=1))
    assert height == pytest.approx(pose.height, abs=1)
    assert width == pytest.approx(pose.height / 2, abs=1)
    rows, columns = np.indices((40, 64)) + 0.5
    is_far = (abs(columns - x) > width / 2 + 4) | (abs(rows - y) > height / 2 + 4)
    assert (clips.frames[0, 1][is_far] == 128).all()


def test_what_is_wide_stays_whole():
    clips = make_clips(arrow((600, 60)), 40, 64, [[Pose(32, 20, 20)]], [GREY])
    assert place_of(clips.focus[0, 0])[2] == pytest.approx(0.9 * 64, abs=2)


def test_clips_stand_before_the_grounds_in_turn_and_look_both_ways_if_asked_for():
    paths = [[Pose(32, 20, 20)]] * 3
    plain = make_clips(arrow(), 40, 64, paths, [GREY, 0 * GREY])
    assert plain.grounds == (0, 1, 0)
    assert plain.frames[1, 0, 0, 0].max() == 0
    mirrored = make_clips(arrow(), 40, 64, paths * 2, [GREY, 0 * GREY], mirror=True)

    def is_dark_left(frames):
        red = frames[20, :, 0].astype(int)
        return red[29] < red[35]

    assert [is_dark_left(f[0]) for f in plain.frames] == [True] * 3
    looks = [is_dark_left(f[0]) for f in mirrored.frames]
    assert looks == [True, True, False, False, True, True]  # each way before each ground


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    drawn = draw_pictures(partial(sprite, "penguin"), folder, 3, grounds=("plain", "transparent"))
    return tuple(picture.path for picture in drawn)


@pytest.fixture
def config(pictures, tmp_path):
    def make(name="run", **changes):
        named = {"output": tmp_path / name, "images": pictures, "name": "Mine", "token": "zog"}
        return PersonalConfig(**{**named, **FEW, **changes})

    return make


def examples_of(prepared, config):
    nothing = [""] * len(config.images)
    parts = prepared.run, prepared.pipeline, config.images, nothing, prepared.prior_captions
    return prepare_examples(*parts)


def test_what_stands_before_a_plain_ground_is_shown_in_clips_that_say_what_it_does(config):
    asked = config()
    prepared = prepare(asked)
    run = prepared.run
    assert (run.motions, run.num_frames) == (tuple(MOTIONS), 16)
    assert (run.batch_size, run.prior_rows, run.diffusion.timesteps) == (1, 1, (0, 1000))
    examples = examples_of(prepared, asked)
    assert examples.latents.shape == (3, 7, 8, 16, 10, 16)
    assert examples.focus.shape == (3, 7, 1, 16, 10, 16)
    assert examples.prior.shape == (1, 8, 16, 10, 16)
    shown = {tuple(pair) for pair in zip(examples.places[0], examples.motions[0], strict=True)}
    assert len(shown) == 7
    captions = prepared.captions, prepared.prior_captions
    batches = list(islice(draw_batches(run, examples, *captions, 0, 0), 4))
    assert [batch.num_prior for batch in batches] == [1, 0, 0, 1]
    said = {f"a zog {m[0]} {p[0]}" for m in MOTIONS.values() for p in PLACES.values()}
    assert all(batch.captions[0] in said for batch in batches)
    assert "zog" not in batches[0].captions[1]
    assert any(m[0] in batches[0].captions[1] for m in MOTIONS.values())


def test_what_cannot_be_taken_off_its_ground_is_shown_moving_too(config, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (90, 60, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.png")
    asked = config(images=(tmp_path / "photo.png",) * 2)
    examples = examples_of(prepare(asked), asked)
    assert (examples.motions >= 0).all()
    assert 0 < float(examples.focus.mean()) < 0.5  # before a place, not all over it


def test_each_caption_says_which_way_its_clip_goes(config):
    asked = config()
    prepared = prepare(asked)
    examples = examples_of(prepared, asked)
    weight = examples.focus[0, :, 0]
    columns = torch.arange(16.0)
    x = (weight.sum(-2) * columns).sum(-1) / weight.sum((-1, -2))
    ways = {"left": -1, "right": 1}
    for crop in range(7):
        motion = prepared.run.motions[int(examples.motions[0, crop])]
        assert MOTIONS[motion][0] in examples.caption(prepared.run, "a zog", 0, crop)
        if motion in ways:
            assert ways[motion] * float(x[crop, -1] - x[crop, 0]) > 5


@pytest.mark.parametrize(
    "changes",
    [{"kind": "style"}, {"captions": ("at night",) * 3}, {"height": 80, "width": 128}],
    ids=["a style", "told what is to be seen", "another size"],
)
def test_others_are_shown_in_stills(config, changes):
    run = prepare(config(**changes)).run
    assert (run.motions, run.num_frames, run.batch_size) == ((), 1, 16)
    is_style = run.kind == "style"  # whose colours are decided where there is most noise
    assert run.diffusion.timesteps == (0, 1000 if is_style else 800)
    assert bool(run.diffusion.high_noise_share) == is_style
    with pytest.raises(ConfigError, match="cannot be shown moving"):
        prepare(config(**changes, moves=True))


@pytest.mark.parametrize("changes", [{"alpha": 8.0}, {"dropout": 0.1}, {"weight_decay": 0.01}])
def test_what_only_a_lora_has_makes_layers_learn_as_loras(config, changes):
    assert prepare(config()).run.whole
    assert not prepare(config(**changes)).run.whole
    with pytest.raises(ValidationError, match="learn as a whole"):
        config(**changes, whole=True)


def test_samples_are_spread_over_the_steps_that_are_asked_for(config):
    assert prepare(config(num_steps=400, sample_every=None)).run.preview_every == 100
    assert prepare(config(num_steps=100, sample_every=None)).run.preview_every == 50
    assert prepare(config(num_steps=100, sample_every=7)).run.preview_every == 7


def test_examples_of_other_settings_are_made_anew(config):
    asked = config()
    moving = examples_of(prepare(asked), asked)
    again = examples_of(prepare(asked), asked)
    assert torch.equal(again.latents, moving.latents)
    still = config(moves=False)
    assert examples_of(prepare(still), still).latents.shape[3] == 1


def test_steps_see_the_models_own_not_forward_passes(config):
    asked = config(gradient_accumulation_steps=2)
    prepared = prepare(asked)
    captions = prepared.captions, prepared.prior_captions
    examples = examples_of(prepared, asked)
    batches = islice(draw_batches(prepared.run, examples, *captions, 0, 0), 8)
    assert [batch.num_prior for batch in batches] == [1, 1, 0, 0, 0, 0, 1, 1]


def test_a_model_that_is_none_of_the_world_gets_stills(model_folder, tmp_path):
    asked = personal_config(tmp_path / "run", model_folder, draw_squares(tmp_path / "pictures"))
    assert prepare(asked).run.motions == ()


def test_what_somebody_has_said_of_a_picture_stands_still_among_others(config):
    asked = config(captions=("", "", "a zog at night"))
    prepared = prepare(asked)
    own = prepared.run, prepared.pipeline, asked.images, asked.captions, prepared.prior_captions
    examples = prepare_examples(*own)
    assert (examples.motions[:2] >= 0).all()
    assert (examples.motions[2] == -1).all()
    still = examples.latents[2]
    assert torch.equal(still[:, :, :1].expand_as(still), still)


def test_layers_over_time_stay_as_they_are_and_a_stopped_run_goes_on_with_the_same_numbers(config):
    unbroken = config("unbroken")
    stage = make_stage(unbroken, prepared := prepare(unbroken))
    train(stage)
    before = TextToVideoPipeline.from_pretrained("miniature").unet
    trained = dict(prepared.pipeline.unet.named_parameters())
    changed = {n for n, w in before.named_parameters() if not torch.equal(w, trained[n])}
    assert changed
    assert not any(map(BaseUNet.is_temporal, changed))
    stopped = config("stopped")
    stop_and_go_on(stopped, 1)
    assert_equal_runs(stopped.output, unbroken.output)
