"""The two other networks, and their parts, against the original code."""

import json

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from torch import Tensor, nn

from lavie.models import InterpolationUNet, SuperResolutionUNet
from lavie.models.attention import (
    InterpolationBlock,
    SpatioTemporalTransformer,
    SuperResolutionBlock,
    SuperResolutionTransformer,
)
from lavie.models.blocks import TemporalModule
from lavie.models.condition import Condition
from lavie.models.temporal_convolution import TemporalResnetBlock, apply_to_video
from tests.golden.goldens import assert_equals_recording, read_golden, read_manifest, weights

BOTH = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
SCALES = pytest.mark.parametrize("scale", ["scale0.01", "scale0.001"])


@BOTH
def test_interpolation_network_equals_the_original(dtype: torch.dtype):
    tensors, metadata = read_golden("interp_eval_short_odd")
    model = InterpolationUNet.from_config(json.loads(metadata["config"]))
    model.load_state_dict(weights(tensors), strict=True)
    model.to(dtype)
    with torch.no_grad():
        output = model(
            tensors["in.sample"].to(dtype),
            tensors["in.timestep"],
            tensors["in.encoder_hidden_states"].to(dtype),
        )
    assert_equals_recording(output.sample, tensors, "sample", dtype)


@pytest.fixture(scope="module")
def vsr() -> tuple[dict[str, Tensor], dict[str, str]]:
    return read_golden("vsr_sampling")


@BOTH
@torch.no_grad()
def test_super_resolution_network_equals_the_original_through_its_loop(vsr, dtype: torch.dtype):
    tensors, metadata = vsr
    model = SuperResolutionUNet.from_config(json.loads(metadata["config"]))
    model.load_state_dict(weights(tensors), strict=True)
    model.to(dtype)
    scheduler = DDIMScheduler.from_config(json.loads(metadata["scheduler_config_with_override"]))
    noiser = DDPMScheduler.from_config(json.loads(metadata["low_res_scheduler_config"]))
    level = tensors["in.noise_level"].reshape(1)
    low_res = noiser.add_noise(tensors["in.image"], tensors["in.low_res_noise"], level).to(dtype)
    torch.testing.assert_close(low_res.float(), tensors["out.low_res_noised"], rtol=0, atol=1e-6)
    text = tensors["in.prompt_embeds_uncond_cond"].to(dtype)
    guidance = float(metadata["guidance_scale"])
    scheduler.set_timesteps(int(metadata["num_inference_steps"]))
    latents = tensors["in.latents"].to(dtype)
    for step, timestep in enumerate(scheduler.timesteps):
        uncond, cond = model(
            latents.repeat(2, 1, 1, 1, 1),
            timestep,
            text,
            low_res=low_res.repeat(2, 1, 1, 1, 1),
            class_labels=level.expand(2),
        ).sample.chunk(2)
        guided = uncond + guidance * (cond - uncond)
        latents = scheduler.step(guided, timestep, latents).prev_sample
        recorded = tensors[f"out.latents_after_step{step}"]
        assert (latents - recorded).abs().max() <= 1e-4 * recorded.abs().max(), f"step {step}"
    if dtype == torch.float64:
        assert_equals_recording(latents, tensors, "latents_final", dtype)


@pytest.mark.parametrize(
    ("network", "manifest"), [(InterpolationUNet, "interpolation"), (SuperResolutionUNet, "vsr")]
)
def test_full_size_model_has_the_published_keys_and_shapes(network, manifest: str):
    with torch.device("meta"):
        model = network()
    shapes = {key: list(value.shape) for key, value in model.state_dict().items()}
    assert shapes == read_manifest(manifest)


@pytest.fixture(scope="module")
def tiny_inputs() -> dict[str, Tensor]:
    return read_golden("eps_units")[0]


def run(part: nn.Module, name: str, tensors: dict[str, Tensor], scale: str, dtype: torch.dtype):
    part.load_state_dict(weights(tensors, f"w.{name}."), strict=True)
    part.to(dtype).requires_grad_(False)
    video = tensors[f"in.x.{scale}"].to(dtype)
    num_frames = video.shape[2]
    condition = Condition(
        tensors["in.temb"].to(dtype)[:, None],
        tensors["in.encoder_hidden_states"].to(dtype)[:, None],
        num_frames,
        num_images=0,
        frame_index=torch.arange(num_frames)[None],
    )
    frames = video.transpose(1, 2).flatten(0, 1)
    if isinstance(part, TemporalModule | TemporalResnetBlock):
        result = apply_to_video(part, frames, condition)
    else:
        result = part(frames, condition)
    result = result.unflatten(0, (-1, num_frames)).transpose(1, 2)
    assert_equals_recording(result, tensors, f"{name}.{scale}", dtype)


@BOTH
@SCALES
def test_epsilon_of_the_interpolation_transformer(tiny_inputs, scale, dtype):
    block = InterpolationBlock(32, 1, cross_attention_dim=12)
    part = SpatioTemporalTransformer(32, norm_num_groups=8, block=block)
    run(part, "interp_transformer", tiny_inputs, scale, dtype)


@BOTH
@SCALES
def test_epsilon_of_the_super_resolution_transformer(tiny_inputs, scale, dtype):
    block = SuperResolutionBlock(32, 1, cross_attention_dim=12, only_cross_attention=True)
    part = SuperResolutionTransformer(32, norm_num_groups=8, block=block)
    run(part, "vsr_transformer", tiny_inputs, scale, dtype)


@BOTH
@SCALES
def test_epsilon_of_the_temporal_convolutions(tiny_inputs, scale, dtype):
    part = TemporalResnetBlock(32, kernel_size=3)
    run(part, "vsr_resblock_temporal", tiny_inputs, scale, dtype)


@BOTH
@SCALES
def test_epsilon_of_the_temporal_module(tiny_inputs, scale, dtype):
    run(TemporalModule(32, time_embed_dim=24), "vsr_temporal_module", tiny_inputs, scale, dtype)
