"""The interpolation stage's loop against the original code."""

import json

import numpy as np
import pytest
import torch

from lavie.models import InterpolationUNet
from lavie.pipelines.between import repeat_given_latents
from lavie.pipelines.interpolation import InterpolationPipeline
from lavie.pipelines.schedulers import make_scheduler, respaced_timesteps
from tests.golden.goldens import read_golden, weights
from tests.tiny import make_tiny_components

PUBLISHED_SCHEDULE = {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02}


@pytest.mark.parametrize("steps", [5, 10, 25, 50, 100, 1000])
def test_timesteps_equal_the_original(steps: int):
    tensors, _ = read_golden("interp_units")
    assert respaced_timesteps(steps)[::-1] == tensors[f"out.timestep_map.{steps}"].tolist()


def test_every_frame_has_the_given_frame_of_the_original():
    tensors, _ = read_golden("interp_units")
    given = torch.arange(16.0).reshape(1, 1, 16, 1, 1)
    repeated = repeat_given_latents(given).flatten().long()
    assert torch.equal(repeated, tensors["out.condition_source_key16"])


def test_sampling_equals_the_original():
    tensors, metadata = read_golden("interp_ddim")
    unet = InterpolationUNet.from_config(json.loads(metadata["config"]))
    unet.load_state_dict(weights(tensors), strict=True)
    components = make_tiny_components()
    components |= {"unet": unet.eval(), "scheduler": make_scheduler("ddim", PUBLISHED_SCHEDULE)}
    pipeline = InterpolationPipeline(**components)
    pipeline.set_progress_bar_config(disable=True)
    timesteps, steps, calls = [], [], []
    unet.register_forward_hook(lambda *_: calls.append(1))

    def callback(_, step, timestep, values):
        timesteps.append(int(timestep))
        steps.append(values["latents"])
        return {}

    conditional, unconditional = tensors["in.encoder_hidden_states"].split(1)
    result = pipeline(
        None,
        given_latents=tensors["in.video_latents"][:, :, ::4],
        latents=tensors["in.noise"],
        prompt_embeds=conditional,
        negative_prompt_embeds=unconditional,
        num_inference_steps=int(metadata["steps"]),
        guidance_scale=float(metadata["cfg_scale"]),
        scheduler="ddim",
        output_type="latent",
        callback_on_step_end=callback,
    ).frames

    assert timesteps == tensors["out.model_timesteps"][:, 0].tolist()
    assert len(calls) == len(timesteps), "one call of the network per step"
    for step, latents in enumerate(steps):
        expected = tensors[f"out.sample_after_step{step}"]
        error = (latents - expected).abs().max()
        assert error <= 1e-4 * expected.abs().max(), f"step {step}: {error}"
    final = tensors["out64.sample_final"]
    assert np.abs((result.double() - final).numpy()).max() <= 1e-4 * final.abs().max()
