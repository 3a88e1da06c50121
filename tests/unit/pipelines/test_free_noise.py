"""Long videos of the base model without training."""

import re
from functools import partial

import pytest
import torch
from diffusers.pipelines.free_noise_utils import AnimateDiffFreeNoiseMixin

from lavie.errors import InputError
from lavie.models import BaseUNet
from lavie.pipelines.text_to_video import TextToVideoPipeline
from tests.tiny import LATENT_CHANNELS, make_tiny_components, make_tiny_pipeline

STORY = {0: "a fox in the snow", 5: "a fox in the city"}


@pytest.fixture
def pipeline() -> TextToVideoPipeline:
    """Windows of 4 frames, one beginning every 2; temporal attention is not a no-op."""
    pipeline = make_tiny_pipeline()
    torch.manual_seed(1)
    for name, parameter in pipeline.unet.named_parameters():
        if "attn_temp.to_out" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    pipeline.enable_free_noise(context_length=4, context_stride=2)
    return pipeline


@pytest.fixture
def small() -> dict:
    size = {"height": 16, "width": 32, "num_frames": 9, "num_inference_steps": 2}
    return size | {"output_type": "latent"}


def test_it_is_off_until_it_is_switched_on(pipeline, small, generator):
    plain = make_tiny_pipeline()
    plain.unet.load_state_dict(pipeline.unet.state_dict())
    assert not plain.free_noise_enabled
    assert pipeline.free_noise_enabled

    before = plain("a fox", generator=generator(0), **small).frames
    seen = pipeline("a fox", generator=generator(0), **small).frames
    assert seen.shape == before.shape
    assert not torch.allclose(seen, before, atol=1e-2)

    pipeline.disable_free_noise()
    assert not pipeline.free_noise_enabled
    assert torch.equal(pipeline("a fox", generator=generator(0), **small).frames, before)


def test_for_a_while_it_is_otherwise_and_then_as_it_was(pipeline):
    before = pipeline._free_noise
    with pipeline.free_noise(context_length=8):
        assert pipeline._free_noise.context_length == 8
    assert pipeline._free_noise is before
    with pytest.raises(InputError), pipeline.free_noise(context_length=8):
        pipeline("")
    assert pipeline._free_noise is before
    plain = make_tiny_pipeline()
    with plain.free_noise():
        assert plain.free_noise_enabled
    assert not plain.free_noise_enabled


@pytest.mark.parametrize("noise_type", ["shuffle_context", "repeat_context", "random"])
def test_a_video_of_one_window_is_exactly_the_ordinary_one(pipeline, small, generator, noise_type):
    def make():
        return pipeline(["a fox", "a car"], generator=[generator(0), generator(1)], **small).frames

    small["num_frames"] = 4
    pipeline.enable_free_noise(4, 2, noise_type=noise_type)
    seen = make()
    pipeline.disable_free_noise()
    assert torch.equal(seen, make())


@pytest.mark.parametrize("noise_type", ["shuffle_context", "repeat_context"])
def test_same_seed_gives_the_same_long_video_alone_or_in_a_batch(
    pipeline, small, generator, noise_type
):
    pipeline.enable_free_noise(4, 2, noise_type=noise_type)
    options = {"negative_prompt": "a car", **small}
    both = pipeline(["a panda", STORY], generator=[generator(1), generator(2)], **options).frames
    alone = pipeline(STORY, generator=generator(2), **options).frames
    assert torch.allclose(both[1:], alone, atol=1e-4)
    assert not torch.allclose(both[:1], alone, atol=1e-2)


# Noise


def draw_noise(pipeline, noise_type, num_frames=11):
    pipeline.enable_free_noise(4, 2, noise_type=noise_type)
    generators = [torch.Generator().manual_seed(seed) for seed in range(2)]
    shape = (3, num_frames, 2, 2)
    return pipeline._free_noise.draw_noise(shape, generators, torch.device("cpu"))


def test_shuffled_noise_repeats_that_of_a_window_before_in_another_order(pipeline):
    noise = draw_noise(pipeline, "shuffle_context")
    assert noise.shape == (2, 3, 11, 2, 2)
    for start in range(4, 11, 2):
        for frame in range(start, min(start + 2, 11)):
            sources = [noise[:, :, place] for place in (start - 4, start - 3)]
            for row in range(2):
                assert any(torch.equal(noise[row, :, frame], source[row]) for source in sources)
    assert len(noise[0, 0, :, 0, 0].unique()) == 4


def test_repeated_noise_has_the_period_of_a_window(pipeline):
    noise = draw_noise(pipeline, "repeat_context")
    assert torch.equal(noise[:, :, 4:], noise[:, :, :-4])
    assert len(noise[0, 0, :, 0, 0].unique()) == 4


def test_random_noise_is_new_in_every_frame(pipeline):
    assert len(draw_noise(pipeline, "random")[0, 0, :, 0, 0].unique()) == 11


def test_noise_can_be_given_for_all_frames(pipeline, small, generator):
    latents = torch.randn(1, LATENT_CHANNELS, 9, 4, 8)
    first, second = (
        pipeline("a fox", latents=latents, generator=generator(seed), **small).frames
        for seed in (0, 1)
    )
    assert torch.equal(first, second)


# Prompts that change


class DiffusersFreeNoise(AnimateDiffFreeNoiseMixin):
    """diffusers' own embedding over time, with our text encoder."""

    def __init__(self, encode):
        self._encode = encode
        self._free_noise_prompt_interpolation_callback = self._lerp

    def encode_prompt(self, prompt, negative_prompt=None, **_):
        return self._encode(prompt), None if negative_prompt is None else self._encode(
            negative_prompt
        )


@pytest.mark.parametrize("last", [5, 8])
@torch.no_grad()
def test_prompts_are_embedded_over_time_as_in_diffusers(pipeline, last):
    story = {last: "a car", 0: "a fox in the snow", 3: "a fox"}  # in any order
    negative = {0: "a panda", 2: "a rocket"}
    expected, _ = DiffusersFreeNoise(pipeline.encode_prompt)._encode_prompt_free_noise(
        story, 9, torch.device("cpu"), 1, True, negative
    )
    embed = partial(pipeline._free_noise.embed_over_time, pipeline.encode_prompt, 9)
    assert torch.allclose(embed([negative])[0], expected[:9], atol=1e-6)
    assert torch.allclose(embed([story])[0], expected[9:], atol=1e-6)


def test_a_story_that_does_not_change_is_exactly_one_prompt(pipeline, small, generator):
    one = pipeline("a fox", generator=generator(0), **small).frames
    for story in ({0: "a fox"}, {0: "a fox", 4: "a fox"}):
        assert torch.equal(pipeline(story, generator=generator(0), **small).frames, one)


def test_a_story_changes_the_video_and_the_negative_prompt_may_be_one(pipeline, small, generator):
    def make(prompt, negative=None):
        return pipeline(prompt, negative, generator=generator(0), **small).frames

    one = make(STORY[0])
    assert not torch.allclose(make(STORY), one, atol=1e-3)
    assert not torch.allclose(make(STORY[0], STORY), one, atol=1e-3)
    assert torch.equal(make({0: STORY[0]}, {0: ""}), one)


def test_embedded_prompts_go_with_a_negative_prompt_that_changes(pipeline, small, generator):
    make = partial(pipeline, negative_prompt=STORY, **small)
    embeds = pipeline.encode_prompt(["a car"]).detach()
    given = make(prompt_embeds=embeds, generator=generator(0)).frames
    assert torch.equal(given, make("a car", generator=generator(0)).frames)


def test_a_callback_of_ones_own_says_what_lies_between_two_prompts(pipeline, small, generator):
    asked = []

    def keep_the_first(first, last, start, end):
        asked.append((first, last, start.shape == end.shape))
        return start.expand(last - first + 1, -1, -1)

    pipeline.enable_free_noise(4, 2, prompt_interpolation_callback=keep_the_first)
    pipeline(STORY, generator=generator(0), guidance_scale=1, **small)
    assert asked == [(0, 5, True)]


def test_without_guidance_the_negative_prompt_is_left_out(pipeline, small, generator):
    make = partial(pipeline, STORY, guidance_scale=1, **small)
    first, second = (make(text, generator=generator(0)).frames for text in ("", "a car"))
    assert torch.equal(first, second)


# State


def test_a_call_keeps_the_settings_it_began_with(pipeline, small, generator):
    def switch_off(pipe, *_):
        pipe.disable_free_noise()
        return {}

    before = pipeline("a fox", generator=generator(0), **small).frames
    during = pipeline(
        "a fox", generator=generator(0), callback_on_step_end=switch_off, **small
    ).frames
    assert torch.equal(during, before)


def test_a_pipeline_of_the_same_parts_is_not_switched_with_it(pipeline):
    assert not TextToVideoPipeline(**pipeline.components).free_noise_enabled


# The door


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"context_length": 0}, "Context length 0 is not between 1"),
        ({"context_length": 2.5}, "Context length 2.5 is not a whole number"),
        ({"context_stride": 0}, "Context stride 0 is not between 1 and 16"),
        ({"context_stride": 17}, "Context stride 17 is not between 1 and 16"),
        ({"context_length": 8, "context_stride": 9}, "Context stride 9 is not between 1 and 8"),
        ({"weighting_scheme": "round"}, "Weighting scheme 'round' is not one of flat, pyramid"),
        ({"noise_type": "white"}, "Noise type 'white' is not one of shuffle_context"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_a_sentence(settings, message):
    pipeline = make_tiny_pipeline()
    with pytest.raises(InputError, match=re.escape(message)):
        pipeline.enable_free_noise(**settings)
    assert not pipeline.free_noise_enabled


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ({}, "The prompt has no text for frame 0"),
        ({3: "a fox"}, "The prompt has no text for frame 0"),
        ({0: "a fox", 9: "a car"}, "text for frame 9, but the video has the frames 0 to 8"),
        ({0: "a fox", -1: "a car"}, "text for frame -1"),
        ({0: "a fox", "3": "a car"}, "text for frame '3'"),
        ({0: "a fox", 3: ""}, "The prompt is empty"),
        ({0: "a fox", 3: 7}, "Prompt must be text, not int"),
        ([{0: "a fox"}, 7], "Prompt must be text, not int"),
        ([], "0 values of prompt"),
    ],
)
def test_stories_that_cannot_be_told_are_refused_with_a_sentence(pipeline, small, prompt, message):
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        pipeline(prompt, **small)
    assert caught.value.field == "prompt"


def test_a_negative_story_is_checked_as_well(pipeline, small):
    with pytest.raises(InputError, match="negative prompt has a text for frame 9") as caught:
        pipeline("a fox", {0: "", 9: "a car"}, **small)
    assert caught.value.field == "negative_prompt"


def test_a_story_needs_free_noise(small):
    with pytest.raises(InputError, match=re.escape("Call enable_free_noise() first")):
        make_tiny_pipeline()(STORY, **small)


def test_a_network_of_ones_own_has_no_windows(pipeline, small, generator):
    with pytest.raises(InputError, match="only the pipeline's own network has"):
        pipeline("a fox", network=pipeline.unet, **small)
    small["num_frames"] = 4
    pipeline("a fox", network=pipeline.unet, generator=generator(0), **small)


def test_a_model_that_goes_on_from_given_frames_needs_none():
    components = make_tiny_components()
    unet = BaseUNet.from_base(components["unet"], 2 * LATENT_CHANNELS + 1)
    with pytest.raises(InputError, match="needs no FreeNoise"):
        TextToVideoPipeline(**components | {"unet": unet}).enable_free_noise()


def test_windows_longer_than_the_model_was_made_for_are_allowed_with_a_warning(caplog):
    pipeline = make_tiny_pipeline()
    pipeline.enable_free_noise(context_length=None)
    assert pipeline._free_noise.windows == (16, 4, "pyramid")
    assert not caplog.records
    pipeline.enable_free_noise(context_length=24)
    assert "24 is more than the 16 frames" in caplog.text


def test_a_video_too_long_for_the_model_is_refused_as_ever(pipeline, small):
    small["num_frames"] = 100_000
    with pytest.raises(InputError, match="Frames 100000 is not between 1 and"):
        pipeline("a fox", **small)
