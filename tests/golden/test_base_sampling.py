"""The whole sampling loop against the original code; see CHECKPOINTS and golden/README."""

import json

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from lavie.media import pixels_to_frames
from lavie.models import BaseUNet
from lavie.models.latents import decode_latents
from lavie.pipelines.schedulers import make_scheduler
from lavie.pipelines.text_to_video import TextToVideoPipeline
from tests.golden.goldens import current_vae_name, read_golden, weights
from tests.tiny import make_tiny_components


@pytest.fixture(scope="module")
def golden():
    return read_golden("base_sampling")


@pytest.fixture(scope="module")
def pipeline(golden):
    tensors, metadata = golden
    unet = BaseUNet.from_config(json.loads(metadata["config"]))
    unet.load_state_dict(weights(tensors), strict=True)
    vae = AutoencoderKL.from_config(json.loads(metadata["vae_config"]))
    vae.load_state_dict({current_vae_name(k): v for k, v in weights(tensors, "wvae.").items()})
    published = {
        **json.loads(metadata["scheduler_config"]),
        **json.loads(metadata["scheduler_overrides"]),
    }
    components = make_tiny_components()
    components |= {
        "unet": unet.eval(),
        "vae": vae.eval(),
        "scheduler": make_scheduler("dpm++", published),
    }
    pipeline = TextToVideoPipeline(**components)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.mark.parametrize("name", ["ddim", "ddpm", "euler"])
def test_sampling_equals_the_original(golden, pipeline, name, monkeypatch):
    tensors, metadata = golden
    recorded = iter(tensors[f"in.ddpm.noise{step}"] for step in range(3))
    monkeypatch.setattr(
        "diffusers.schedulers.scheduling_ddpm.randn_tensor", lambda *_, **__: next(recorded)
    )
    steps, timesteps = [], []

    def callback(_, step, timestep, values):
        steps.append(values["latents"])
        timesteps.append(float(timestep))
        return {}

    frames = pipeline(
        prompt_embeds=tensors["in.prompt_embeds"],
        negative_prompt_embeds=tensors["in.negative_prompt_embeds"],
        latents=tensors["in.latents"],
        height=64,
        width=64,
        num_frames=8,
        num_inference_steps=int(metadata["num_inference_steps"]),
        guidance_scale=float(metadata["guidance_scale"]),
        scheduler=name,
        callback_on_step_end=callback,
    ).frames

    assert timesteps == tensors[f"out.{name}.timesteps"].tolist()
    for step, latents in enumerate(steps):
        expected = tensors[f"out.{name}.latents_after_step{step}"]
        error = (latents - expected).abs().max()
        assert error <= 1e-4 * expected.abs().max(), f"step {step}: {error}"
    assert_frames_equal(frames, tensors[f"out.{name}.video_uint8"].numpy())


@pytest.mark.parametrize("name", ["ddim", "ddpm", "euler"])
def test_schedule_of_50_steps_equals_the_original(golden, pipeline, name):
    tensors, _ = golden
    scheduler = make_scheduler(name, pipeline.scheduler.config)
    assert torch.equal(scheduler.alphas_cumprod, tensors[f"out.{name}.alphas_cumprod"])
    scheduler.set_timesteps(50)
    expected = tensors[f"out.{name}.timesteps50"]
    assert torch.allclose(scheduler.timesteps.double(), expected.double(), rtol=0, atol=1e-4)
    scheduler.set_timesteps(4)
    sigma = float(tensors[f"out.{name}.init_noise_sigma"])
    assert float(scheduler.init_noise_sigma) == pytest.approx(sigma, rel=1e-6)


def test_decoding_equals_the_original(golden, pipeline):
    tensors, _ = golden
    decoded = decode_latents(pipeline.vae, tensors["in.vae_decode.latents"], slice_size=3)
    expected = tensors["out.vae_decode.float"].transpose(0, 1)[None]  # (1, 3, F, H, W)
    assert (decoded - expected).abs().max() <= 2e-5
    assert_frames_equal(pixels_to_frames(decoded), tensors["out.vae_decode.uint8"].numpy())


def assert_frames_equal(frames, expected):
    difference = np.abs(frames.astype(int) - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() <= 0.005
