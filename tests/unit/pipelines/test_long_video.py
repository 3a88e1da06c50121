from typing import get_args

import numpy as np
import pytest
import torch

from lavie.errors import CheckpointError, InputError
from lavie.media import pixels_to_frames
from lavie.models import BaseUNet
from lavie.models.latents import decode_latents
from lavie.pipelines.long_video import LongVideoPipeline
from lavie.pipelines.story import Part, plan_parts, read_story
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.types import SchedulerName
from tests.peak_bytes import PeakBytes
from tests.tiny import LATENT_CHANNELS, make_tiny_components, make_tiny_long_video

SIZE = {"height": 16, "width": 24, "num_frames": 6, "num_inference_steps": 2}
SHAPE = (LATENT_CHANNELS, 6, 4, 6)


def make(is_fresh=False):
    components = make_tiny_components()
    unet = BaseUNet.from_base(components["unet"], 2 * LATENT_CHANNELS + 1).eval()
    if not is_fresh:
        torch.manual_seed(0)
        torch.nn.init.normal_(unet.conv_in.weight, std=0.1)
    pipeline = LongVideoPipeline(**components | {"unet": unet}, default_guidance_scale=3.0)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="module")
def long_pipeline():
    return make()


def latents_of(pipeline, **options):
    given = {"generator": torch.Generator().manual_seed(1), "output_type": "latent", **SIZE}
    return pipeline("a fox", **given | options).frames


def test_given_frames_come_back_as_they_are_and_the_others_depend_on_them(long_pipeline):
    first, last = torch.randn(1, LATENT_CHANNELS, 2, 4, 6), torch.randn(1, LATENT_CHANNELS, 1, 4, 6)
    made = latents_of(long_pipeline, first_latents=first, last_latents=last)
    assert torch.equal(made[:, :, :2], first)
    assert torch.equal(made[:, :, -1:], last)
    other = latents_of(long_pipeline, first_latents=-first, last_latents=last)
    assert not torch.allclose(made[:, :, 2:-1], other[:, :, 2:-1])


@pytest.mark.parametrize("scheduler", get_args(SchedulerName))
def test_given_frames_are_held_from_the_first_step_on(scheduler):
    believed = []

    def look(pipeline, step, timestep, tensors):
        believed.append(tensors["predicted_clean_latents"][:, :, :2])
        return tensors

    first = torch.randn(1, LATENT_CHANNELS, 2, 4, 6)
    for pipeline in (holding := make_tiny_long_video(holds_given=True), make_tiny_long_video()):
        latents_of(
            pipeline,
            first_latents=first,
            scheduler=scheduler,
            callback_on_step_end=look,
            callback_on_step_end_tensor_inputs=["predicted_clean_latents"],
        )
    assert len(believed) == 2 * SIZE["num_inference_steps"]
    held, left_alone = believed[:2], believed[2:]
    assert all(torch.allclose(each, first, atol=0.02) for each in held)
    assert not any(torch.allclose(each, first, atol=0.02) for each in left_alone)
    nothing = latents_of(holding, scheduler=scheduler)
    usual = latents_of(make_tiny_long_video(), scheduler=scheduler)
    assert torch.equal(nothing, usual)


def test_what_guidance_leads_away_from_may_see_nothing_given():
    hiding, usual = make_tiny_long_video(guidance_hides_given=True), make_tiny_long_video()
    first = torch.randn(1, LATENT_CHANNELS, 2, 4, 6)
    masks = []
    for pipeline in (hiding, usual):
        hook = pipeline.unet.register_forward_pre_hook(
            lambda unet, inputs: masks.append(inputs[0][:, LATENT_CHANNELS, :, 0, 0])
        )
        latents_of(pipeline, first_latents=first)
        hook.remove()
    all_new, given = [1.0] * 6, [0.0] * 2 + [1.0] * 4
    hidden, shown = masks[:2], masks[2:]
    assert all(mask.tolist() == [all_new, given] for mask in hidden)
    assert all(mask.tolist() == [given, given] for mask in shown)
    for same in ({}, {"first_latents": first, "guidance_scale": 1.0}):
        assert torch.equal(latents_of(hiding, **same), latents_of(usual, **same))


def test_with_nothing_given_a_fresh_network_is_the_base_model():
    ours, components = make(is_fresh=True), make_tiny_components()
    theirs = TextToVideoPipeline(**components, default_guidance_scale=3.0)
    theirs.set_progress_bar_config(disable=True)
    usual = {"scheduler": "euler"}  # the older two take the steps of another code here
    assert torch.equal(latents_of(ours, **usual), latents_of(theirs, **usual))


def test_a_batch_equals_its_videos_alone(long_pipeline):
    first = torch.randn(2, LATENT_CHANNELS, 2, 4, 6)
    generators = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
    together = long_pipeline(
        ["a fox", "a panda"],
        first_latents=first,
        generator=generators,
        output_type="latent",
        **SIZE,
    ).frames
    alone = latents_of(long_pipeline, first_latents=first[:1])
    assert torch.allclose(together[:1], alone, atol=1e-5)


def test_frames_come_out_as_a_video(long_pipeline):
    frames = latents_of(long_pipeline, output_type="frames")
    assert frames.shape == (1, 6, 16, 24, 3)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"first_latents": torch.zeros(1, 3, 2, 4, 6)}, "should be"),
        ({"last_latents": torch.zeros(1, LATENT_CHANNELS, 2, 4, 5)}, "should be"),
        ({"first_latents": torch.zeros(1, LATENT_CHANNELS, 6, 4, 6)}, "leave nothing to make"),
        ({"first_latents": torch.zeros(2, LATENT_CHANNELS, 1, 4, 6)}, "should be"),
    ],
)
def test_what_does_not_fit_the_window_is_refused(long_pipeline, given, sentence):
    with pytest.raises(InputError, match=sentence):
        latents_of(long_pipeline, **given)


def test_a_network_that_takes_no_given_frames_is_refused():
    with pytest.raises(CheckpointError, match="Use TextToVideoPipeline"):
        LongVideoPipeline(**make_tiny_components())


def test_save_and_load_is_identity(long_pipeline, tmp_path):
    long_pipeline.save_pretrained(tmp_path)
    again = LongVideoPipeline.from_pretrained(tmp_path)
    again.set_progress_bar_config(disable=True)
    assert torch.equal(latents_of(again), latents_of(long_pipeline))
    with pytest.raises(CheckpointError):
        TextToVideoPipeline.from_pretrained(tmp_path)


STORY = plan_parts(read_story("a fox | 0.625\na frog | 0.875"), 3, 8, 6, 2, 0)


def film(pipeline, parts=STORY, **options):
    settings = pipeline.check_settings(**SIZE)
    return list(pipeline.segments(parts, settings, num_given=2, **options))


def test_segments_go_on_from_the_last_latents_and_show_nothing_twice(long_pipeline):
    segments = film(long_pipeline)
    assert [len(segment.frames) for segment in segments] == [part.num_new for part in STORY]
    assert [segment.part.prompt for segment in segments] == ["a fox", "a frog", "a frog"]
    again = latents_of(long_pipeline, generator=torch.Generator().manual_seed(STORY[0].seed))
    last = again[:, :, : STORY[0].num_new][:, :, -2:]
    assert torch.equal(segments[0].latents, last)
    second = long_pipeline(
        "a frog",
        first_latents=last,
        generator=torch.Generator().manual_seed(STORY[1].seed),
        **SIZE,
    ).frames[0]
    assert np.array_equal(segments[1].frames, second[2 : 2 + STORY[1].num_new])


def test_a_film_taken_up_again_is_the_same_film(long_pipeline):
    whole = film(long_pipeline)
    rest = film(long_pipeline, STORY[1:], first_latents=whole[0].latents)
    for one, other in zip(whole[1:], rest, strict=True):
        assert np.array_equal(one.frames, other.frames)


def test_a_picture_is_the_first_frame_and_another_one_the_last(long_pipeline):
    first, last = torch.randn(2, 1, LATENT_CHANNELS, 1, 4, 6)
    parts = plan_parts(read_story("a fox | 1"), 3, 8, 6, 2, 1, ends_as_given=True)
    segments = film(long_pipeline, parts, first_latents=first, last_latents=last, shows_first=True)
    frames = np.concatenate([segment.frames for segment in segments])
    assert len(frames) == 1 + sum(part.num_new for part in parts)
    assert looks_like(frames[0], shown(long_pipeline, first))
    assert looks_like(frames[-1], shown(long_pipeline, last))


def test_an_opening_makes_what_nothing_is_given_to(long_pipeline):
    latents, asked = torch.randn(1, LATENT_CHANNELS, 6, 4, 6), []

    def opening(part):
        asked.append(part)
        return latents

    segments = film(long_pipeline, opening=opening)
    assert asked == [STORY[0]]
    assert looks_like(segments[0].frames[0], shown(long_pipeline, latents[:, :, :1]))


def test_a_long_film_takes_no_more_memory_than_a_short_one(long_pipeline):
    weights = [
        tensor
        for part in (long_pipeline.unet, long_pipeline.vae, long_pipeline.text_encoder)
        for tensor in (*part.parameters(), *part.buffers())
    ]
    settings = long_pipeline.check_settings(**SIZE)
    peaks = []
    for num_parts in (3, 9):
        parts = [Part(number, 0, "a fox", number, 4) for number in range(num_parts)]
        with PeakBytes(weights) as counter:
            for segment in long_pipeline.segments(parts, settings, num_given=2):
                assert segment.latents.untyped_storage().nbytes() == segment.latents.nbytes
        peaks.append(counter.peak)
    assert peaks[1] <= 1.02 * peaks[0]


def test_a_prompt_gets_the_words_that_the_network_was_trained_with():
    pipeline = make()
    pipeline.register_to_config(prompt_suffix=", slow motion.", transition_suffix=" smooth.")
    prompts = []
    encode = pipeline.encode_prompt
    pipeline.encode_prompt = lambda texts: prompts.append(texts[0]) or encode(texts)
    last = torch.randn(1, LATENT_CHANNELS, 1, 4, 6)
    film(pipeline, last_latents=last)
    assert [text for text in prompts if text] == [
        "a fox, slow motion.",
        "a frog, slow motion.",
        "a frog smooth.",
    ]


@pytest.mark.parametrize("length", [986, 987, 1000])
def test_the_longest_prompts_go_without_them(length):
    pipeline = make()
    pipeline.register_to_config(prompt_suffix=", slow motion.")
    parts = plan_parts(read_story("x" * length + " | 0.75"), 3, 8, 6, 2, 0)
    film(pipeline, parts)


@pytest.mark.parametrize("num_given", [0, 6, 1.5, "two"])
def test_frames_to_give_that_no_window_has_are_refused(long_pipeline, num_given):
    with pytest.raises(InputError, match="Number of given frames"):
        long_pipeline.check_num_given(num_given, 6)


def test_windows_of_one_frame_cannot_go_on(long_pipeline):
    for num_given in (None, 1):
        with pytest.raises(InputError, match="fewer than 2 frames"):
            long_pipeline.check_num_given(num_given, 1)


def test_arguments_may_be_told_by_their_place(long_pipeline):
    generator = torch.Generator().manual_seed(1)
    made = long_pipeline("a fox", None, 16, 24, 6, 2, generator=generator, output_type="latent")
    assert torch.equal(made.frames, latents_of(long_pipeline))


def looks_like(frame, other):
    """Frames decoded alone and together may be rounded to neighbouring levels."""
    return np.abs(frame.astype(int) - other).max() <= 1


def shown(pipeline, latents):
    return pixels_to_frames(decode_latents(pipeline.vae, latents))[0, 0]


@pytest.mark.parametrize("name", ["ddpm", "ddim"])
def test_older_samplers_walk_from_the_last_timestep_as_published(long_pipeline, name):
    settings = long_pipeline.check_settings(**SIZE | {"num_inference_steps": 4}, scheduler=name)
    sampler = long_pipeline.make_sampler(settings)
    assert sampler.timesteps.tolist() == [999, 666, 333, 0]
    assert torch.isfinite(latents_of(long_pipeline, scheduler=name)).all()


def test_films_are_eased_from_window_to_window_where_the_model_says_so():
    eased, usual = make_tiny_long_video(num_eased=2), make_tiny_long_video()
    parts = plan_parts(read_story("a fox | 1\na frog | 1"), 7, 8, 6, 2, 2)
    last = torch.randn(1, LATENT_CHANNELS, 2, 4, 6)

    def film(pipeline, **options):
        settings = pipeline.check_settings(*SIZE.values())
        given = {"num_given": 2, "first_latents": torch.zeros_like(last), **options}
        return list(pipeline.segments(parts, settings, **given))

    for options in ({}, {"last_latents": last}):
        for one, other in zip(film(eased, **options), film(usual, **options), strict=True):
            assert one.frames.shape == other.frames.shape
    first, plain = film(eased)[0], film(usual)[0]
    assert not np.array_equal(first.frames[:2], plain.frames[:2])
    assert np.array_equal(first.frames[2:], plain.frames[2:])
    ending = film(eased, last_latents=last)[-1]
    assert torch.equal(ending.latents, last)
