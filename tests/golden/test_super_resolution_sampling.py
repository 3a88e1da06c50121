"""The super-resolution stage's loop, noise and decoding against the original code."""

import json

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, DDPMScheduler

from lavie.models import SuperResolutionUNet
from lavie.pipelines.schedulers import make_scheduler
from lavie.pipelines.super_resolution import SuperResolutionPipeline
from tests.golden.goldens import current_vae_name, read_golden, weights
from tests.tiny import make_tiny_components


@pytest.fixture(scope="module")
def golden():
    return read_golden("vsr_sampling")


@pytest.fixture(scope="module")
def pipeline(golden) -> SuperResolutionPipeline:
    tensors, metadata = golden
    unet = SuperResolutionUNet.from_config(json.loads(metadata["config"]))
    unet.load_state_dict(weights(tensors), strict=True)
    vae = AutoencoderKL.from_config(json.loads(metadata["vae_config"]))
    vae.load_state_dict({current_vae_name(k): v for k, v in weights(tensors, "wvae.").items()})
    schedule = json.loads(metadata["scheduler_config_with_override"])
    low_res_schedule = json.loads(metadata["low_res_scheduler_config"])
    components = make_tiny_components() | {
        "unet": unet.eval(),
        "vae": vae.eval(),
        "scheduler": make_scheduler("ddim", schedule),
        "low_res_scheduler": DDPMScheduler.from_config(low_res_schedule),
    }
    pipeline = SuperResolutionPipeline(**components)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def test_sampling_equals_the_original(golden, pipeline):
    tensors, metadata = golden
    seen = []

    def callback(_, step, timestep, values):
        seen.append((int(timestep), values["latents"]))
        return {}

    unconditional, conditional = tensors["in.prompt_embeds_uncond_cond"].split(1)
    frames = pipeline(
        tensors["in.image"],
        prompt_embeds=conditional,
        negative_prompt_embeds=unconditional,
        generator=torch.Generator().manual_seed(int(metadata["generator_seed"])),
        num_inference_steps=int(metadata["num_inference_steps"]),
        guidance_scale=float(metadata["guidance_scale"]),
        noise_level=int(metadata["noise_level"]),
        scheduler="ddim",
        callback_on_step_end=callback,
    ).frames

    assert [timestep for timestep, _ in seen] == tensors["out.timesteps"].tolist()
    for step, (_, latents) in enumerate(seen):
        expected = tensors[f"out.latents_after_step{step}"]
        error = (latents - expected).abs().max()
        assert error <= 1e-4 * expected.abs().max(), f"step {step}: {error}"
    difference = np.abs(frames[0].astype(int) - tensors["out.uint8"].numpy().astype(int))
    assert difference.max() <= 1, "a byte may fall to the other side of the cut"
    assert (difference > 0).mean() < 1e-3
