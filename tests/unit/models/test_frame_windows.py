"""Temporal attention in overlapping windows, against plain loops and diffusers' FreeNoise."""

from itertools import pairwise
from typing import get_args

import pytest
import torch
from diffusers.models.attention import FreeNoiseTransformerBlock
from einops import rearrange
from torch import Tensor, nn

from lavie.models.frame_windows import FrameWindows, WeightingScheme
from lavie.models.temporal_attention import TemporalAttention

SCHEMES = pytest.mark.parametrize("scheme", get_args(WeightingScheme))
SIZES = pytest.mark.parametrize(
    ("num_frames", "length", "stride"),
    [(8, 8, 3), (9, 8, 8), (11, 4, 3), (13, 5, 2), (17, 16, 4), (64, 16, 4), (5, 1, 1)],
)


def make_attention(width: int = 64, **options) -> TemporalAttention:
    torch.manual_seed(0)
    attention = TemporalAttention(width, heads=2, **options)
    for parameter in attention.parameters():
        nn.init.normal_(parameter, std=0.3)
    return attention.requires_grad_(False)


@SIZES
def test_windows_cover_every_frame_and_the_last_one_ends_with_the_video(num_frames, length, stride):
    starts = FrameWindows(length, stride).starts(num_frames)
    covered = {start + place for start in starts for place in range(length)}
    assert covered == set(range(num_frames))
    assert all(0 < later - earlier <= stride for earlier, later in pairwise(starts))


@SIZES
@SCHEMES
def test_a_constant_stays_constant(num_frames, length, stride, scheme):
    windows, value = FrameWindows(length, stride, scheme), torch.full((2, num_frames, 3), 0.7)
    assert torch.allclose(windows.merge(lambda frames: value[:, frames], value), value)
    assert torch.allclose(windows.shares(num_frames).sum(0), torch.ones(num_frames))


@SCHEMES
@pytest.mark.parametrize("length", [2, 4, 16])
def test_places_weigh_what_they_weigh_in_diffusers(scheme, length):
    expected = FreeNoiseTransformerBlock._get_frame_weights(None, length, scheme)
    assert FrameWindows(length, 1, scheme).weights().tolist() == pytest.approx(expected)


def test_windows_of_odd_length_have_one_middle():
    """Where diffusers' own sawtooth has one weight too many."""
    assert FrameWindows(5, 1, "pyramid").weights().tolist() == [1, 2, 3, 2, 1]
    sawtooth = FrameWindows(5, 1, "delayed_reverse_sawtooth").weights().tolist()
    assert sawtooth == pytest.approx([0.01, 0.01, 3, 2, 1])


def test_merging_keeps_the_type_and_sums_in_float32():
    value = torch.rand(2, 12, 8).bfloat16()
    merged = FrameWindows(8, 1).merge(lambda frames: value[:, frames], value)
    assert merged.dtype == torch.bfloat16
    assert torch.equal(merged, value)


@SCHEMES
@pytest.mark.parametrize(("num_frames", "stride"), [(16, 4), (16, 2), (20, 4)])
def test_it_equals_the_block_of_diffusers_with_the_same_weights(scheme, num_frames, stride):
    """Without positions, which diffusers adds in another way; for windows that fit the video."""
    attention = make_attention(knows_positions=False)
    block = FreeNoiseTransformerBlock(
        64, 2, 32, double_self_attention=True, context_length=8, context_stride=stride,
        weighting_scheme=scheme,
    )  # fmt: skip
    for part in (block.attn2.to_out[0], block.ff.net[2]):  # only its first attention remains
        nn.init.zeros_(part.weight)
        nn.init.zeros_(part.bias)
    for name in ("to_q", "to_k", "to_v"):
        getattr(block.attn1, name).load_state_dict(getattr(attention, name).state_dict())
    block.attn1.to_out[0].load_state_dict(attention.to_out[0].state_dict())

    video = torch.randn(2, num_frames, 3, 64)
    with torch.no_grad():
        expected = block(rearrange(video, "b f n c -> (b n) f c"))
        seen = attention(
            block.norm1(video), arange(num_frames), None, FrameWindows(8, stride, scheme)
        )
    expected = rearrange(expected, "(b n) f c -> b f n c", b=2)
    assert torch.allclose(video + seen, expected, atol=1e-5)


@SCHEMES
@SIZES
def test_it_equals_a_plain_loop_in_which_every_window_is_a_video(
    num_frames, length, stride, scheme
):
    """So positions start anew in each window: they are relative."""
    attention, windows = make_attention().double(), FrameWindows(length, stride, scheme)
    video = torch.randn(2, num_frames, 3, 64, dtype=torch.float64)
    total, weights = torch.zeros_like(video), torch.zeros(num_frames)
    for start in windows.starts(num_frames):
        part = attention(video[:, start : start + length], arange(length))
        for place, weight in enumerate(windows.weights().tolist()):
            total[:, start + place] += weight * part[:, place]
            weights[start + place] += weight
    expected = total / weights[:, None, None]
    seen = attention(video, arange(num_frames), None, windows)
    assert torch.allclose(seen, expected, atol=1e-6)


def test_videos_with_places_of_their_own_have_windows_too():
    attention, windows = make_attention(), FrameWindows(4, 2)
    video, index = torch.randn(2, 9, 3, 64), torch.stack([torch.arange(9), 3 * torch.arange(9)])
    both = attention(video, index, None, windows)
    for row in range(2):
        alone = attention(video[row : row + 1], index[row : row + 1], None, windows)
        assert torch.allclose(both[row : row + 1], alone, atol=1e-5)


def test_moments_are_stretched_from_the_first_to_the_last_the_network_knows():
    moments = FrameWindows(16, 4).stretch(arange(61))
    assert torch.allclose(moments, torch.linspace(0, 15, 61)[None])


def arange(count: int) -> Tensor:
    return torch.arange(count)[None]
