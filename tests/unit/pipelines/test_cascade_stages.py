import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from lavie import Cascade
from lavie.cascade import loading
from lavie.errors import Cancelled, InputError, MemoryBudgetError
from lavie.runtime.profiles import PROFILES
from lavie.types import CancelToken, Preview, Progress, StageFinished
from tests.tiny import write_tiny_cascade

ALL = ("base", "interpolation", "super_resolution")
SMALL = {"height": 16, "width": 16, "num_frames": 3, "num_inference_steps": 1}
OTHERS = {"interpolation": {"num_inference_steps": 1}, "super_resolution": {"noise_level": 20}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_cascade(tmp_path_factory.mktemp("cascade"))


@pytest.fixture(scope="module")
def cascade(folder):
    return Cascade.from_pretrained(folder, device="cpu")


@pytest.fixture(scope="module")
def whole(cascade):
    events = []
    generation = cascade.generate("a fox", ALL, seed=3, on_event=events.append, **SMALL, **OTHERS)
    return generation, events


def clip(num_frames=5, height=9, width=10):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (num_frames, height, width, 3), dtype=np.uint8)


def test_all_stages_make_a_smooth_large_video(whole):
    generation, _ = whole
    assert {stage: made.frames.shape for stage, made in generation.results.items()} == {
        "base": (3, 16, 16, 3),
        "interpolation": (9, 16, 16, 3),
        "super_resolution": (9, 64, 64, 3),
    }
    assert [made.fps for made in generation.results.values()] == [8, 32, 32]
    assert generation.results["super_resolution"] is generation
    assert generation.previous is generation.results["interpolation"]
    assert list(generation.seconds) == list(ALL)
    assert all(seconds > 0 for seconds in generation.seconds.values())


def test_a_stage_run_later_makes_the_same_frames(cascade, whole):
    made, _ = whole
    base = cascade.generate("a fox", seed=3, **SMALL)
    smooth = cascade.interpolate(base, **OTHERS["interpolation"])
    large = cascade.upscale(smooth, **OTHERS["super_resolution"])
    for one_by_one in (base, smooth, large):
        stage = one_by_one.metadata["stages"][-1]
        assert np.array_equal(one_by_one.frames, made.results[stage].frames)
        assert one_by_one.metadata == made.results[stage].metadata


def test_frames_alone_make_what_their_generation_makes(cascade, whole):
    smooth = whole[0].results["interpolation"]
    large = cascade.upscale(
        smooth.frames, fps=smooth.fps, prompt="a fox", seed=3, **OTHERS["super_resolution"]
    )
    assert np.array_equal(large.frames, whole[0].frames)
    assert large.metadata["stages"] == ["super_resolution"]
    assert large.previous is None
    base = whole[0].results["base"]
    frames = cascade.interpolate(base.frames, prompt="a fox", seed=3, num_inference_steps=1).frames
    assert np.array_equal(frames, smooth.frames)


def test_one_recipe_makes_it_again(cascade, whole):
    recipe = json.loads(json.dumps(whole[0].metadata))
    settings = recipe["settings"]
    again = cascade.generate(
        recipe["prompt"],
        stages=recipe["stages"],
        seed=recipe["seed"],
        negative_prompt=recipe["negative_prompt"],
        fps=recipe["fps"],
        interpolation=settings["interpolation"],
        super_resolution=settings["super_resolution"],
        **settings["base"],
    )
    assert np.array_equal(again.frames, whole[0].frames)
    assert again.metadata == whole[0].metadata
    assert list(recipe["model_hashes"]) == list(ALL)
    assert len(set(recipe["model_hashes"].values())) == 3
    assert recipe["model_hash"] == recipe["model_hashes"]["base"]
    assert settings["super_resolution"]["tile_size"] is None
    assert settings["super_resolution"]["negative_prompt"] == "blur, worst quality"


def test_a_stage_can_be_run_again_with_other_settings(cascade, whole):
    base = whole[0].results["base"]
    other = cascade.interpolate(base, seed=4, prompt="a car", num_inference_steps=1)
    assert not np.array_equal(other.frames, whole[0].results["interpolation"].frames)
    assert other.previous is base
    assert other.metadata["seed"] == 3, "the recipe has one seed; the stage says its own"
    assert other.metadata["settings"]["interpolation"]["seed"] == 4
    assert other.metadata["settings"]["interpolation"]["prompt"] == "a car"


def test_stages_do_not_share_their_noise(cascade, monkeypatch):
    drawn = {}

    def keep(name):
        def hook(_module, inputs):
            drawn.setdefault(name, inputs[0][0, :8].flatten()[:64])

        return hook

    handles = [
        cascade.pipeline(name).unet.register_forward_pre_hook(keep(name))
        for name in ("base", "interpolation")
    ]
    cascade.generate("a fox", ALL[:2], seed=3, **SMALL, interpolation={"num_inference_steps": 1})
    for handle in handles:
        handle.remove()
    agreement = torch.corrcoef(torch.stack(list(drawn.values())))[0, 1]
    assert abs(agreement) < 0.5


def test_only_what_is_asked_for_is_loaded(folder, monkeypatch):
    loaded = []
    load_stage = loading.load_stage

    def load(model, stage, dtype, shared):
        loaded.append(stage)
        return load_stage(model, stage, dtype, shared)

    monkeypatch.setattr(loading, "load_stage", load)
    cascade = Cascade.from_pretrained(folder, device="cpu")
    assert cascade.stages == ALL
    cascade.generate("a fox", **SMALL)
    assert loaded == []
    cascade.interpolate(clip(2), num_inference_steps=1)
    cascade.interpolate(clip(2), num_inference_steps=1)
    assert loaded == ["interpolation"]
    stage = cascade.pipeline("interpolation")
    for part in ("vae", "text_encoder", "tokenizer"):
        assert getattr(stage, part) is getattr(cascade.base, part), "the base's own parts"
    assert stage.unet is not cascade.base.unet


def test_a_vae_that_would_change_its_type_is_not_shared(folder):
    """Super-resolution decodes in float32, which would change the base's later videos."""
    cascade = Cascade.from_pretrained(folder, device="cpu", dtype=torch.float16)
    assert cascade.pipeline("interpolation").vae is cascade.base.vae
    large = cascade.pipeline("super_resolution")
    assert large.vae is not cascade.base.vae
    assert large.text_encoder is cascade.base.text_encoder


def test_events_tell_of_every_stage(whole):
    events = whole[1]
    progress = {stage: [] for stage in ALL}
    for event in events:
        if isinstance(event, Progress):
            progress[event.stage].append(event)
    for stage in ALL:
        total = progress[stage][0].total
        assert [event.step for event in progress[stage]] == list(range(1, total + 1))
        assert {event.total for event in progress[stage]} == {total}
        assert progress[stage][-1].seconds_left == 0
    assert all(event.seconds_left > 0 for event in progress["super_resolution"][:-1])
    previews = [e for e in events if isinstance(e, Preview)]
    assert [(p.stage, p.frames.shape) for p in previews] == [
        ("base", (3, 4, 4, 3)),
        ("interpolation", (9, 4, 4, 3)),
    ]
    finished = [e for e in events if isinstance(e, StageFinished)]
    assert [e.stage for e in finished] == list(ALL)
    for event in finished:
        made = whole[0].results[event.stage]
        assert np.array_equal(event.frames, made.frames)
        assert event.fps == made.fps


def test_progress_counts_all_windows_of_a_long_clip(cascade):
    events = []
    cascade.interpolate(clip(7), num_inference_steps=2, on_event=events.append)
    progress = [(e.step, e.total) for e in events if isinstance(e, Progress)]
    layers = cascade.pipeline("interpolation").unet.num_layers
    total = 1 + 2 * 2 * layers + 4  # 2 windows in each of 2 steps, and slices of 8 frames
    assert progress == [(step, total) for step in range(1, total + 1)]
    previews = [e.step for e in events if isinstance(e, Preview)]
    assert previews == [1 + 2 * layers, 1 + 4 * layers]


@pytest.mark.parametrize("stage", ALL)
@pytest.mark.parametrize("part", [1, 2, 3])
def test_cancel_stops_every_stage_and_window_within_a_step(cascade, stage, part):
    cancel, events = CancelToken(), []

    def on_event(event):
        if isinstance(event, Progress) and event.stage == stage:
            events.append(event.step)
            if event.step == part:
                cancel.cancel()

    options = {"on_event": on_event, "cancel": cancel, "num_inference_steps": 3}
    run = {
        "base": lambda: cascade.generate("a fox", **(SMALL | options)),
        "interpolation": lambda: cascade.interpolate(clip(7), **options),
        "super_resolution": lambda: cascade.upscale(clip(6), **options),
    }
    with pytest.raises(Cancelled):
        run[stage]()
    assert events == list(range(1, part + 1))


def test_a_clip_of_ones_own_needs_no_prompt(cascade):
    smooth = cascade.interpolate(clip(2), fps=29.97, num_inference_steps=1)
    assert smooth.frames.shape == (5, 9, 10, 3)
    assert smooth.fps == pytest.approx(119.88)
    assert (smooth.seed, smooth.metadata["prompt"], smooth.metadata["fps"]) == (0, "", 29.97)
    assert smooth.metadata["settings"]["interpolation"]["guidance_scale"] == 1.0
    assert smooth.metadata["stages"] == ["interpolation"]
    large = cascade.upscale(smooth, num_inference_steps=1)
    assert large.frames.shape == (5, 36, 40, 3)
    assert large.metadata["stages"] == ["interpolation", "super_resolution"]


class FileOfFrames:
    """Frames that are read part by part, as from a file."""

    dtype, fps = np.dtype(np.uint8), 12.5

    def __init__(self, frames):
        self.frames, self.shape, self.read = frames, frames.shape, []

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, part):
        self.read.extend(range(*part.indices(len(self))))
        return self.frames[part]


@pytest.mark.parametrize("stage", ["interpolate", "upscale"])
def test_a_file_is_read_once_in_order_and_is_the_same_as_its_frames(cascade, stage):
    file = FileOfFrames(clip(11))
    from_file = getattr(cascade, stage)(file, num_inference_steps=1)
    assert file.read == list(range(11))
    in_memory = getattr(cascade, stage)(clip(11), fps=12.5, num_inference_steps=1)
    assert np.array_equal(from_file.frames, in_memory.frames)
    assert from_file.fps == in_memory.fps == 12.5 * (4 if stage == "interpolate" else 1)


@pytest.mark.parametrize(
    ("stage", "video", "shape"),
    [("interpolate", clip(20), (0, 9, 10, 3)), ("upscale", clip(6), (0, 36, 40, 3))],
)
def test_frames_can_leave_as_they_are_made(cascade, stage, video, shape):
    left, events = [], []
    options = {"num_inference_steps": 1, "seed": 1}
    run = getattr(cascade, stage)
    made = run(video, on_frames=left.append, on_event=events.append, **options)
    assert made.frames.shape == shape
    assert len(left) > 1
    assert np.array_equal(np.concatenate(left), run(video, **options).frames)
    assert events[-1].frames.shape == shape


@pytest.mark.parametrize(
    ("arguments", "field", "sentence"),
    [
        ({"stages": ("base", "smooth")}, "stages", "has no stage 'smooth'. It has base, interp"),
        ({"stages": ("interpolation",)}, "stages", "needs the stage 'base'"),
        ({"super_resolution": {"steps": 3}}, "super_resolution", "'steps' is not one of guidance"),
        ({"interpolation": {"fps": 3}}, "interpolation", "'fps' is not one of"),
        ({"super_resolution": {"noise_level": 351}}, "noise_level", "between 0 and 350"),
        ({"super_resolution": {"tile_size": 3}}, "tile_size", "between 17"),
        ({"super_resolution": {"negative_prompt": 3}}, "negative_prompt", "must be text"),
        ({"interpolation": {"window_overlap": 0}}, "window_overlap", "between 1 and 3"),
        ({"interpolation": {"seed": -1}}, "seed", "Seed -1"),
        ({"interpolation": {"prompt": "a" * 1001}}, "prompt", "1,001 characters"),
        ({"num_frames": 1}, "video", "one frame has nothing between"),
    ],
)
def test_what_a_later_stage_refuses_is_said_before_the_base_runs(
    cascade, arguments, field, sentence
):
    events = []
    request = SMALL | {"stages": ALL, "on_event": events.append} | arguments
    with pytest.raises(InputError, match=sentence) as caught:
        cascade.generate("a fox", **request)
    assert caught.value.field == field
    assert events == []


@pytest.mark.parametrize(
    ("stage", "video", "change", "field", "sentence"),
    [
        ("interpolate", clip(1), {}, "video", "one frame"),
        ("interpolate", None, {}, "video", "no video"),
        ("upscale", clip(2, 7, 10), {}, "video", "between 8 and 4096"),
        ("upscale", clip(2), {"fps": 0}, "fps", "not a number above 0"),
        ("upscale", clip(2), {"fps": "fast"}, "fps", "not a number above 0"),
        ("upscale", clip(2), {"seed": 1.5}, "seed", "whole number"),
    ],
)
def test_what_cannot_be_done_with_a_clip_is_said(cascade, stage, video, change, field, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        getattr(cascade, stage)(video, **change)
    assert caught.value.field == field


def test_an_enlarged_video_goes_through_no_further_stage(cascade, whole):
    for stage in (cascade.interpolate, cascade.upscale):
        with pytest.raises(InputError, match="enlarged already.*previous"):
            stage(whole[0])


def test_a_model_without_later_stages_says_so(model_folder):
    cascade = Cascade.from_pretrained(model_folder, device="cpu")
    assert cascade.stages == ("base",)
    for ask in (lambda: cascade.upscale(clip()), lambda: cascade.pipeline("super_resolution")):
        with pytest.raises(InputError, match="no stage 'super_resolution'. It has base"):
            ask()


@pytest.mark.parametrize(
    ("stage", "sentence"),
    [
        ("interpolation", "Smoothing frames of 10x9 does not fit the memory of cpu. Give a small"),
        ("super_resolution", "Enlarging frames of 10x9 does not fit .* Use tiles, or give a small"),
    ],
)
def test_a_full_memory_is_a_sentence_with_the_way_out_that_fits(cascade, stage, sentence):
    def fill_memory(*_):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory")

    ask = cascade.interpolate if stage == "interpolation" else cascade.upscale
    handle = cascade.pipeline(stage).unet.register_forward_pre_hook(fill_memory)
    try:
        with pytest.raises(MemoryBudgetError, match=sentence):
            ask(clip(2), num_inference_steps=1)
        if stage == "super_resolution":
            with pytest.raises(MemoryBudgetError, match="tiles smaller than 32"):
                ask(clip(2), num_inference_steps=1, tile_size=32)
    finally:
        handle.remove()
    assert len(ask(clip(2), num_inference_steps=1).frames)


def smallest_tiles(folder, monkeypatch, tile_size=24, vae_tile_size=64):
    small = replace(PROFILES[-1], tile_size=tile_size, vae_tile_size=vae_tile_size)
    monkeypatch.setattr("lavie.cascade.cascade.choose_profile", lambda *_: small)
    return Cascade.from_pretrained(folder, device="cpu")


def test_a_small_profile_enlarges_in_tiles_where_a_frame_is_larger(folder, monkeypatch):
    cascade = smallest_tiles(folder, monkeypatch)
    settings = {"num_inference_steps": 1, "seed": 3}
    large = cascade.upscale(clip(2, 16, 32), **settings)
    used = large.metadata["settings"]["super_resolution"]
    assert (used["tile_size"], used["vae_tile_size"]) == (24, 64)
    again = Cascade.from_pretrained(folder, device="cpu", profile="large").upscale(
        clip(2, 16, 32), seed=3, **used
    )
    assert np.array_equal(again.frames, large.frames)
    asked = cascade.upscale(clip(2, 16, 32), tile_size=None, vae_tile_size=None, **settings)
    assert not np.array_equal(asked.frames, large.frames)


def test_a_small_profile_changes_nothing_where_a_frame_fits_its_tiles(folder, monkeypatch):
    settings = {"num_inference_steps": 1, "seed": 3}
    large = smallest_tiles(folder, monkeypatch).upscale(clip(2, 16, 16), **settings)
    used = large.metadata["settings"]["super_resolution"]
    assert used["tile_size"] is None
    assert "vae_tile_size" not in used
    monkeypatch.undo()
    plain = Cascade.from_pretrained(folder, device="cpu", profile="large")
    assert np.array_equal(large.frames, plain.upscale(clip(2, 16, 16), **settings).frames)


def test_tiles_of_a_profile_are_larger_than_their_overlap(folder, monkeypatch):
    cascade = smallest_tiles(folder, monkeypatch)
    large = cascade.upscale(clip(2, 16, 48), num_inference_steps=1, tile_overlap=32)
    assert large.metadata["settings"]["super_resolution"]["tile_size"] == 40


@pytest.mark.parametrize(("profile", "num_at_once"), [("12gb", 2), ("8gb", 1), ("6gb", 1)])
def test_the_smallest_profiles_smooth_with_half_of_guidance_at_a_time(folder, profile, num_at_once):
    cascade = Cascade.from_pretrained(folder, device="cpu", profile=profile)
    batches = []
    cascade.pipeline("interpolation").unet.register_forward_pre_hook(
        lambda _module, inputs: batches.append(len(inputs[0]))
    )
    settings = {"prompt": "a fox", "guidance_scale": 4.0, "num_inference_steps": 1}
    assert len(cascade.interpolate(clip(2), **settings).frames) == 5
    assert set(batches) == {num_at_once}


def test_a_profile_is_named_or_chosen_by_what_is_free(folder, monkeypatch):
    named = Cascade.from_pretrained(folder, device="cpu", profile="8gb")
    assert named.profile.name == "8gb"
    share = named.base.unet.num_parameters() / 909e6  # of what the published model needs
    monkeypatch.setattr("lavie.cascade.cascade.free_memory", lambda _: int(share * 27e9))
    assert Cascade.from_pretrained(folder, device="cpu").profile.name == "16gb"
    monkeypatch.setattr("lavie.cascade.cascade.free_memory", lambda _: 10**9)
    assert Cascade.from_pretrained(folder, device="cpu").profile.name == "large"
    with pytest.raises(InputError, match="Profile '4gb' is unknown"):
        Cascade.from_pretrained(folder, device="cpu", profile="4gb")


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda c: c.interpolate("my/anim.gif"), "Open a file with lavie.media.open_video"),
        (lambda c: c.upscale([clip(2)]), "A list is no video."),
        (lambda c: c.generate("a fox", stages="base"), "Give a list, as"),
        (
            lambda c: c.generate("a fox", interpolation={"num_inference_steps": 3}),
            "There are settings for interpolation, which is not among the stages.",
        ),
    ],
)
def test_what_is_no_video_or_no_list_is_told_in_one_sentence(cascade, call, sentence):
    with pytest.raises(InputError, match=re.escape(sentence)):
        call(cascade)
