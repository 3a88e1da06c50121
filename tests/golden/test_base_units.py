"""The parts of the base network against the original code."""

from typing import TypeVar

import pytest
import torch
from einops import rearrange
from torch import Tensor, nn

from lavie.models import BaseUNet
from lavie.models.attention import SpatioTemporalBlock, SpatioTemporalTransformer
from lavie.models.blocks import ResnetBlock
from lavie.models.condition import Condition
from lavie.models.temporal_attention import (
    RelativePositionBias,
    RotaryEmbedding,
    TemporalAttention,
)
from tests.golden.goldens import assert_equals_recording, read_golden, weights

Part = TypeVar("Part", bound=nn.Module)
BOTH = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
SCALES = pytest.mark.parametrize("scale", ["scale0.01", "scale0.001"])


@pytest.fixture(scope="module")
def units() -> dict[str, Tensor]:
    return read_golden("base_units")[0]


@pytest.fixture(scope="module")
def tiny_inputs() -> dict[str, Tensor]:
    return read_golden("eps_units")[0]


def loaded(part: Part, tensors: dict[str, Tensor], name: str) -> Part:
    part.load_state_dict(weights(tensors, f"w.{name}."), strict=True)
    return part.requires_grad_(False)


def fold(video: Tensor) -> Tensor:
    return rearrange(video, "b c f h w -> (b f) c h w")


def unfold(frames: Tensor, num_frames: int) -> Tensor:
    return rearrange(frames, "(b f) c h w -> b c f h w", f=num_frames)


def run_transformer(part: SpatioTemporalTransformer, video: Tensor, text: Tensor) -> Tensor:
    num_frames = video.shape[2]
    unused_time = video.new_zeros(len(video), 1, 1)
    condition = Condition(unused_time, text[:, None], num_frames, 0, torch.arange(num_frames)[None])
    return unfold(part(fold(video), condition), num_frames)


def test_rotary_frequencies_and_rotation(units):
    assert torch.equal(RotaryEmbedding().freqs, units["out.rope.freqs"])
    query = units["in.rope.q"]
    rotary = RotaryEmbedding()
    rotated = rotary(query, *rotary.rotations(torch.arange(query.shape[-2]), query.dtype))
    torch.testing.assert_close(rotated, units["out.rope.q"], rtol=0, atol=2e-6)


@pytest.mark.parametrize("num_frames", [5, 16, 61])
def test_buckets_of_relative_positions(units, num_frames: int):
    buckets = RelativePositionBias.buckets(torch.arange(num_frames))
    assert torch.equal(buckets, units[f"out.rel_bucket_max32.f{num_frames}"])


def test_buckets_of_far_positions(units):
    relative = units["in.rel_positions"]  # key - query
    buckets = torch.stack(
        [RelativePositionBias.buckets(torch.tensor([0, key]))[0, 1] for key in relative.tolist()]
    )
    assert torch.equal(buckets, units["out.rel_bucket_1d_max32"])


@BOTH
@pytest.mark.parametrize("num_frames", [5, 16, 61])
def test_temporal_attention(units, num_frames: int, dtype: torch.dtype):
    part = loaded(TemporalAttention(96, heads=2), units, "temporal_attention").to(dtype)
    tokens = units[f"in.temporal_attention.f{num_frames}"].to(dtype)
    index = torch.arange(num_frames)
    attended = part(tokens[:, :, None], index[None])[:, :, 0]
    assert_equals_recording(attended, units, f"temporal_attention.f{num_frames}", dtype)
    bias = part.time_rel_pos_bias(index).float()
    assert torch.equal(bias, units[f"out.rel_bias.f{num_frames}"])


@pytest.fixture
def alike_on_every_processor(monkeypatch):
    """MKL, which reads this as torch is loaded, else takes another cosine where it finds AVX2."""
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")


@pytest.mark.new_process
@pytest.mark.usefixtures("alike_on_every_processor")
def test_timestep_sinusoid(units):
    model = BaseUNet(block_out_channels=(64, 64, 64, 64), attention_head_dim=2)
    sinusoid = model.time_proj(units["in.timesteps"])
    assert_equals_recording(sinusoid, units, "timestep_sinusoid.64", torch.float32)


@BOTH
@SCALES
def test_epsilon_of_the_residual_block(tiny_inputs, scale: str, dtype: torch.dtype):
    part = loaded(ResnetBlock(32, 32, 24, groups=8), tiny_inputs, "base_resnet").to(dtype)
    video, time = tiny_inputs[f"in.x.{scale}"].to(dtype), tiny_inputs["in.temb"].to(dtype)
    result = unfold(part(fold(video), time[:, None], num_frames=4), 4)
    assert_equals_recording(result, tiny_inputs, f"base_resnet.{scale}", dtype)


@BOTH
@SCALES
def test_epsilon_of_the_transformer(tiny_inputs, scale: str, dtype: torch.dtype):
    block = SpatioTemporalBlock(32, heads=1, cross_attention_dim=12)
    part = SpatioTemporalTransformer(32, norm_num_groups=8, block=block)
    part = loaded(part, tiny_inputs, "base_transformer").to(dtype)
    text = tiny_inputs["in.encoder_hidden_states"].to(dtype)
    result = run_transformer(part, tiny_inputs[f"in.x.{scale}"].to(dtype), text)
    assert_equals_recording(result, tiny_inputs, f"base_transformer.{scale}", dtype)
