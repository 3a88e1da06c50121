import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lavie.errors import Cancelled, InputError
from lavie.pipelines.interpolation import InterpolationPipeline
from lavie.pipelines.windows import blend_windows, plan_windows
from lavie.types import CancelToken
from tests.tiny import make_tiny_interpolation

FEW = {"num_inference_steps": 2, "prompt": "a fox"}


@pytest.fixture(scope="module")
def pipeline() -> InterpolationPipeline:
    return make_tiny_interpolation(default_num_frames=4)


def clip(num_frames: int, height: int = 16, width: int = 24) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (num_frames, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("num_frames", [2, 4, 5, 11])
def test_f_frames_become_4f_minus_3(pipeline, num_frames):
    frames = pipeline(clip(num_frames), window_overlap=2, **FEW).frames
    assert frames.shape == (1, 4 * num_frames - 3, 16, 24, 3)
    assert frames.dtype == np.uint8


@pytest.mark.parametrize("size", [(8, 8), (9, 30), (17, 13)])
@pytest.mark.parametrize("output_type", ["frames", "pt"])
def test_the_result_has_the_size_of_what_is_given(pipeline, size, output_type):
    made = pipeline(clip(2, *size), output_type=output_type, **FEW).frames
    assert made.shape == ((1, 5, *size, 3) if output_type == "frames" else (1, 3, 5, *size))


def test_an_odd_size_is_seen_with_its_border_repeated(pipeline, generator):
    odd = clip(2, 14, 23)
    padded = np.pad(odd, ((0, 0), (0, 2), (0, 1), (0, 0)), mode="edge")
    frames = pipeline(odd, generator=generator(1), **FEW).frames
    assert np.array_equal(
        frames, pipeline(padded, generator=generator(1), **FEW).frames[:, :, :14, :23]
    )


@pytest.mark.parametrize("prompt", ["a fox", None])
def test_guidance_in_turns_makes_the_same_video_and_tells_every_layer(pipeline, generator, prompt):
    made, heard, batches = [], [], []
    handle = pipeline.unet.register_forward_pre_hook(
        lambda _module, inputs: batches.append(len(inputs[0]))
    )
    for takes_turns in (False, True):
        output = pipeline(
            clip(5),
            prompt,
            num_inference_steps=2,
            generator=generator(1),
            output_type="latent",
            guidance_takes_turns=takes_turns,
            on_progress=lambda done, total, _seconds: heard.append((done, total)),
        )
        made.append(output.frames)
        assert heard[-1][0] == heard[-1][1]
        assert max(batches) == (2 if prompt and not takes_turns else 1)
        batches.clear()
    handle.remove()
    torch.testing.assert_close(*made, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sample_posterior", [False, True])
def test_slices_change_nothing_but_memory(pipeline, generator, sample_posterior):
    made, seen = [], []
    handle = pipeline.vae.encoder.register_forward_pre_hook(
        lambda _module, inputs: seen.append(len(inputs[0]))
    )
    for slice_size in (None, 2):
        options = {"generator": generator(1), "sample_posterior": sample_posterior, **FEW}
        made.append(
            pipeline(clip(5), slice_size=slice_size, output_type="latent", **options).frames
        )
    handle.remove()
    assert seen == [5, 2, 2, 1]
    torch.testing.assert_close(made[0], made[1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("prompt", [None, "", "  "])
def test_without_a_prompt_the_network_reads_none_and_is_not_guided(pipeline, prompt):
    read, batches = [], []
    text = pipeline.encode_prompt(["None"])

    def keep(_module, inputs):
        read.append(inputs[2])
        batches.append(len(inputs[0]))

    handle = pipeline.unet.register_forward_pre_hook(keep)
    pipeline(clip(2), prompt=prompt, num_inference_steps=1, guidance_scale=4)
    handle.remove()
    assert batches == [1]
    torch.testing.assert_close(read[0], text)


def test_networks_that_read_places_are_told_them_from_the_start_of_each_window():
    pipeline = make_tiny_interpolation(default_num_frames=4)
    places = []

    def keep(_module, _inputs, options):
        places.append(options["frame_index"])

    handle = pipeline.unet.register_forward_pre_hook(keep, with_kwargs=True)
    pipeline(clip(7), window_overlap=1, prompt="a fox", num_inference_steps=1)
    assert places == [None, None], "the published network counts frames as it always did"
    handle.remove()

    config = {k: v for k, v in pipeline.unet.config.items() if not k.startswith("_")}
    pipeline.unet = type(pipeline.unet)(**(config | {"use_frame_embedding": True})).eval()
    pipeline.unet.register_forward_pre_hook(keep, with_kwargs=True)
    frames = pipeline(clip(7), window_overlap=1, prompt="a fox", num_inference_steps=1).frames
    assert frames.shape == (1, 25, 16, 24, 3)
    for index in places[2:]:  # 4 given frames make 13: frame 4k is given frame k
        assert index.tolist() == [j / 4 for j in range(13)]


@pytest.mark.parametrize(
    ("options", "encoded", "decoded"),
    [({}, 4, 13), ({"output_type": "latent"}, 4, 0), ({"slice_size": 30}, 1, 1)],
)
def test_every_slice_and_layer_is_told(pipeline, options, encoded, decoded):
    """2 windows in each of 2 steps, and slices of 2 frames."""
    told = []
    options = {"slice_size": 2, "window_overlap": 1} | FEW | options
    pipeline(clip(7), on_progress=lambda *parts: told.append(parts), **options)
    total = encoded + 2 * 2 * pipeline.unet.num_layers + decoded
    assert [parts[:2] for parts in told] == [(done, total) for done in range(1, total + 1)]
    assert all(seconds > 0 for *_, seconds in told[:-1])
    assert told[-1][2] == 0


@pytest.mark.parametrize("part", [1, 3, 20])
def test_cancel_is_heard_between_slices_and_layers(pipeline, part):
    cancel, told = CancelToken(), []

    def on_progress(done, _total, _seconds_left):
        told.append(done)
        if done == part:
            cancel.cancel()

    options = {"slice_size": 2, "num_inference_steps": 1, "on_progress": on_progress}
    with pytest.raises(Cancelled):
        pipeline(clip(7), cancel=cancel, **options)
    assert told == list(range(1, part + 1))


def test_pixels_and_frames_are_the_same_video(pipeline, generator):
    frames = clip(3)
    pixels = torch.from_numpy(frames).permute(3, 0, 1, 2)[None].float() / 127.5 - 1
    from_frames = pipeline(frames, generator=generator(1), **FEW).frames
    assert np.array_equal(pipeline(pixels, generator=generator(1), **FEW).frames, from_frames)
    assert not np.array_equal(pipeline(frames, generator=generator(2), **FEW).frames, from_frames)


def test_the_posterior_is_sampled_only_when_asked(pipeline, generator):
    latents = torch.randn(1, 8, 9, 4, 6)
    given = {"latents": latents, "output_type": "latent", **FEW}
    mode = pipeline(clip(3), generator=generator(1), **given).frames
    assert torch.equal(pipeline(clip(3), generator=generator(2), **given).frames, mode)
    sampled = pipeline(clip(3), generator=generator(1), sample_posterior=True, **given).frames
    assert not torch.equal(sampled, mode)


def test_the_prompt_gets_the_suffix(pipeline):
    suffixed = make_tiny_interpolation(prompt_suffix=" over snow")
    plain = make_tiny_interpolation(prompt_suffix="")
    noise = {"latents": torch.randn(1, 8, 5, 4, 6), "num_inference_steps": 2}
    by_suffix = suffixed(clip(2), prompt="a fox", **noise).frames
    assert np.array_equal(plain(clip(2), prompt="a fox over snow", **noise).frames, by_suffix)


def test_a_long_video_is_seen_in_windows(pipeline):
    seen = []
    handle = pipeline.unet.register_forward_pre_hook(
        lambda _module, inputs: seen.append(inputs[0].shape[2])
    )
    pipeline(clip(10), window_overlap=2, **FEW)
    handle.remove()
    assert seen == [13] * 4 * 2  # 4 windows of 4 given frames in each of 2 steps


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("name", ["ddim", "dpm++", "euler", "ddpm"])
def test_every_sampler_runs(pipeline, name, steps):
    latents = pipeline(
        clip(2), prompt="a fox", scheduler=name, num_inference_steps=steps, output_type="latent"
    ).frames
    assert latents.shape == (1, 8, 5, 4, 6)
    assert latents.isfinite().all()


def test_cancel_stops_within_a_step(pipeline):
    cancel, steps = CancelToken(), []

    def callback(_, step, _timestep, _values):
        steps.append(step)
        cancel.cancel()
        return {}

    with pytest.raises(Cancelled):
        pipeline(clip(2), callback_on_step_end=callback, cancel=cancel, **FEW)
    assert steps == [0]


@pytest.mark.parametrize(
    ("video", "change", "field", "message"),
    [
        (None, {}, "video", "no video"),
        (clip(1), {}, "video", "one frame"),
        (clip(3, 7, 24), {}, "video", "24x7; height and width must be between 8 and 4096"),
        (clip(2, 8, 4097), {}, "video", "4097x8; height and width must be between 8 and 4096"),
        (clip(3)[0], {}, "video", "uint8 frames"),
        (torch.zeros(2, 3, 4, 16, 16), {}, "video", "uint8 frames"),
        (clip(3), {"prompt": "a" * 1001}, "prompt", "1,001 characters"),
        (clip(3), {"window_overlap": 0}, "window_overlap", "between 1 and 3"),
        (clip(3), {"window_overlap": 4}, "window_overlap", "between 1 and 3"),
        (clip(3), {"num_inference_steps": 0}, "num_inference_steps", "between 1"),
        (clip(3), {"guidance_scale": -1}, "guidance_scale", "between 0"),
        (clip(3), {"output_type": "gif"}, "output_type", "not one of"),
        (clip(3), {"latents": torch.zeros(1, 8, 8, 4, 6)}, "latents", "should be"),
        (clip(3), {"sample_posterior": "no"}, "sample_posterior", "'no' is neither True nor False"),
        (clip(3), {"keep_details": 1}, "keep_details", "Keep details 1 is neither True nor False"),
        (clip(3), {"given_latents": torch.zeros(1, 8, 3, 4, 6)}, "given_latents", "one of them"),
        (None, {"given_latents": torch.zeros(1, 4, 3, 4, 6)}, "given_latents", "floats .1, 8, F"),
        (None, {"given_latents": torch.zeros(8, 3, 4, 6)}, "given_latents", "cannot be read"),
        (None, {"given_latents": clip(3)}, "given_latents", "shape .3, 16, 24, 3. and type uint8"),
        (None, {"given_latents": torch.zeros(1, 8, 1, 4, 6)}, "given_latents", "nothing between"),
        (
            None,
            {"given_latents": torch.zeros(1, 8, 3, 4, 6), "keep_details": True},
            "keep_details",
            "Give the video",
        ),
    ],
)
def test_what_cannot_be_done_is_said(pipeline, video, change, field, message):
    with pytest.raises(InputError, match=message) as error:
        pipeline(video, **(FEW | change))
    assert error.value.field == field


def test_save_and_load_is_identity(pipeline, tmp_path, generator):
    pipeline.save_pretrained(tmp_path)
    loaded = InterpolationPipeline.from_pretrained(tmp_path)
    made = [p(clip(3), generator=generator(0), **FEW).frames for p in (pipeline, loaded)]
    assert np.array_equal(*made)


@given(frames=st.integers(1, 200), size=st.integers(2, 20), overlap=st.integers(1, 19))
def test_windows_cover_every_frame_and_overlap(frames, size, overlap):
    overlap = min(overlap, size - 1)
    windows = plan_windows(frames, size, overlap)
    assert windows[0].start == 0
    assert windows[-1].stop == frames
    assert {stop - start for start, stop in windows} == {min(size, frames)}
    for before, after in itertools.pairwise(windows):
        assert before.start < after.start
        assert before.stop - after.start >= overlap


@settings(deadline=None)
@given(frames=st.integers(1, 40), size=st.integers(2, 9))
def test_windows_of_what_knows_no_neighbours_blend_to_the_whole(frames, size):
    sample = torch.randn(2, 3, frames, 2, 2)
    windows = plan_windows(frames, size, overlap=1)
    blended = blend_windows(lambda part: part[:, :2] * 2, sample, windows)
    torch.testing.assert_close(blended, sample[:, :2] * 2)


def test_windows_that_disagree_fade_into_each_other():
    values = iter([0.0, 1.0])
    windows = plan_windows(12, 8, overlap=4)
    blended = blend_windows(
        lambda part: torch.full_like(part, next(values)), torch.zeros(1, 1, 12, 1, 1), windows
    ).flatten()
    assert blended[:4].eq(0).all()
    assert blended[8:].eq(1).all()
    assert (blended.diff() >= 0).all()
    assert blended.diff().max() < 0.35
