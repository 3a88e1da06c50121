"""What small networks trained from nothing add: residuals of a cross-fade, and details kept."""

import numpy as np
import pytest
import torch

from lavie.models.latents import decode_latents, encode_pixels
from lavie.pipelines.between import cross_fade
from lavie.pipelines.given_video import pixels_of
from lavie.pipelines.video_pipeline import VideoPipeline
from tests.tiny import make_tiny_interpolation

FEW = {"num_inference_steps": 2, "prompt": "a fox"}


def clip(num_frames: int = 3, height: int = 16, width: int = 24) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (num_frames, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_the_network_makes_what_the_latents_differ_from_a_cross_fade(generator, scale):
    usual = make_tiny_interpolation()
    made = usual(clip(), generator=generator(1), output_type="latent", **FEW).frames
    residual = make_tiny_interpolation(residual_scale=scale)
    latents = residual(clip(), generator=generator(1), output_type="latent", **FEW).frames
    faded = cross_fade(encode_pixels(usual.vae, pixels_of(clip())))
    torch.testing.assert_close(latents, faded + scale * made)


def test_previews_show_the_whole_video_not_the_residual(generator):
    pipeline = make_tiny_interpolation(residual_scale=1e-6)
    faded = cross_fade(encode_pixels(pipeline.vae, pixels_of(clip())))
    seen = []

    def watch(pipe: VideoPipeline, step: int, timestep: torch.Tensor, tensors: dict) -> dict:
        seen.append(tensors["predicted_clean_latents"])
        return {}

    names = ("predicted_clean_latents",)
    pipeline(
        clip(),
        callback_on_step_end=watch,
        callback_on_step_end_tensor_inputs=names,
        generator=generator(1),
        **FEW,
    )
    assert len(seen) == 2
    for latents in seen:
        torch.testing.assert_close(latents, faded, atol=1e-3, rtol=0)


@pytest.mark.parametrize("size", [(16, 24), (13, 22)])
def test_given_frames_stay_what_they_are_when_details_are_kept(generator, size):
    pipeline = make_tiny_interpolation(residual_scale=1e-6)
    video = clip(3, *size)
    without = pipeline(video, generator=generator(1), **FEW).frames[0]
    kept = pipeline(video, keep_details=True, slice_size=2, generator=generator(1), **FEW).frames[0]
    assert np.abs(kept[::4].astype(int) - video).max() <= 1
    assert np.abs(without[::4].astype(int) - video).max() > 10


def test_details_fade_from_each_given_frame_to_the_next(generator):
    pipeline = make_tiny_interpolation()
    pixels = pixels_of(clip())
    lost = pixels - decode_latents(pipeline.vae, encode_pixels(pipeline.vae, pixels))
    made = [
        pipeline(clip(), keep_details=keep, output_type="pt", generator=generator(1), **FEW).frames
        for keep in (False, True)
    ]
    torch.testing.assert_close(made[1] - made[0], cross_fade(lost), atol=2e-3, rtol=0)


def test_the_model_says_whether_details_are_kept():
    assert not make_tiny_interpolation().check_settings().keep_details
    pipeline = make_tiny_interpolation(default_keep_details=True)
    assert pipeline.check_settings().keep_details
    assert not pipeline.check_settings(keep_details=False).keep_details
