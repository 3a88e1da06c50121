"""Laws that the base network obeys for any size, length and batch."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lavie.models import BaseUNet

SIZES = st.integers(1, 9)
TINY = {
    "in_channels": 4,
    "block_out_channels": (32, 32),
    "layers_per_block": 1,
    "norm_num_groups": 8,
    "cross_attention_dim": 8,
    "attention_head_dim": 1,
    "down_block_types": ("CrossAttnDownBlock3D", "DownBlock3D"),
    "up_block_types": ("UpBlock3D", "CrossAttnUpBlock3D"),
}
ADDITIONS = {
    "use_position_embedding": True,
    "use_text_time_embedding": True,
    "use_frame_embedding": True,
    "resnet_time_scale_shift": "scale_shift",
}
WITH_AND_WITHOUT_ADDITIONS = pytest.mark.parametrize("additions", [{}, ADDITIONS])

few = settings(max_examples=5, deadline=None)


def make_unet(additions: dict, trained: bool = True) -> BaseUNet:
    torch.manual_seed(0)
    unet = BaseUNet(**(TINY | additions)).requires_grad_(False)
    for parameter in unet.parameters():
        if trained and not parameter.any():  # what starts as a no-op would hide mistakes
            parameter.normal_(std=0.1)
    return unet


def make_inputs(batch: int, frames: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(batch, 4, frames, height, width), torch.randn(batch, 3, 8)


@WITH_AND_WITHOUT_ADDITIONS
def test_one_frame_of_a_fresh_video_model_equals_the_image_model(additions: dict):
    unet = make_unet(additions, trained=False)
    sample, text = make_inputs(2, 1, 5, 6)
    video = unet(sample, 7, text).sample
    image = unet(sample, 7, text[:, None], num_images=1).sample
    torch.testing.assert_close(video, image, rtol=0, atol=1e-6)


@WITH_AND_WITHOUT_ADDITIONS
def test_fresh_temporal_layers_do_nothing_at_any_length(additions: dict):
    unet = make_unet(additions, trained=False)
    sample, text = make_inputs(1, 4, 5, 6)
    video = unet(sample, 7, text).sample
    images = unet(sample, 7, text[:, None].expand(-1, 4, -1, -1), num_images=4).sample
    torch.testing.assert_close(video, images, rtol=0, atol=2e-6)


@WITH_AND_WITHOUT_ADDITIONS
def test_temporal_layers_do_something_once_trained(additions: dict):
    unet = make_unet(additions)
    sample, text = make_inputs(1, 4, 5, 6)
    video = unet(sample, 7, text).sample
    images = unet(sample, 7, text[:, None].expand(-1, 4, -1, -1), num_images=4).sample
    assert (video - images).abs().max() > 1e-3


@WITH_AND_WITHOUT_ADDITIONS
def test_images_in_a_joint_batch_bypass_temporal_attention(additions: dict):
    unet = make_unet(additions)
    block = next(m for m in unet.modules() if type(m).__name__ == "SpatioTemporalBlock")
    seen = []
    block.norm_temp.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    sample, _ = make_inputs(2, 5, 5, 6)
    unet(sample, 7, torch.randn(2, 3, 3, 8), num_images=2)
    assert [tokens.shape[1] for tokens in seen] == [3]


@few
@given(batch=st.integers(1, 3), frames=st.integers(1, 5), height=SIZES, width=SIZES)
@WITH_AND_WITHOUT_ADDITIONS
def test_a_batch_equals_its_samples_alone(additions, batch, frames, height, width):
    unet = make_unet(additions)
    sample, text = make_inputs(batch, frames, height, width)
    timesteps = torch.arange(batch) * 300 + 0.5
    together = unet(sample, timesteps, text).sample
    assert together.shape == sample.shape
    alone = [unet(sample[i : i + 1], timesteps[i], text[i : i + 1]).sample for i in range(batch)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=2e-5)


@few
@given(frames=st.integers(2, 6), images=st.integers(1, 5))
def test_images_of_a_joint_batch_can_change_places(frames, images):
    images = min(images, frames)
    unet = make_unet(ADDITIONS)
    sample, _ = make_inputs(1, frames, 4, 4)
    text = torch.randn(1, images + (images < frames), 3, 8)
    result = unet(sample, 7, text, num_images=images).sample
    order = torch.arange(frames)
    order[-images:] = order[-images:].flip(0)
    slots = torch.arange(text.shape[1])
    slots[-images:] = slots[-images:].flip(0)
    swapped = unet(sample[:, :, order], 7, text[:, slots], num_images=images).sample
    torch.testing.assert_close(swapped, result[:, :, order], rtol=0, atol=2e-5)


@WITH_AND_WITHOUT_ADDITIONS
def test_frame_index_defaults_to_counting(additions: dict):
    unet = make_unet(additions)
    sample, text = make_inputs(2, 4, 4, 4)
    counted = unet(sample, 7, text).sample
    shared = unet(sample, 7, text, frame_index=torch.arange(4)).sample
    own = unet(sample, 7, text, frame_index=torch.arange(4).expand(2, -1)).sample
    assert torch.equal(counted, shared)
    torch.testing.assert_close(counted, own, rtol=0, atol=2e-6)


@WITH_AND_WITHOUT_ADDITIONS
def test_frames_may_come_in_any_order_with_their_index(additions: dict):
    unet = make_unet(additions)
    sample, text = make_inputs(2, 4, 4, 4)
    index = torch.tensor([[0, 3, 7, 15], [1, 2, 9, 10]])
    order = torch.tensor([2, 0, 3, 1])
    result = unet(sample, 7, text, frame_index=index).sample
    shuffled = unet(sample[:, :, order], 7, text, frame_index=index[:, order]).sample
    torch.testing.assert_close(shuffled, result[:, :, order], rtol=0, atol=2e-5)


@WITH_AND_WITHOUT_ADDITIONS
def test_only_the_frame_embedding_knows_absolute_time(additions: dict):
    unet = make_unet(additions)
    sample, text = make_inputs(1, 3, 4, 4)
    early = unet(sample, 7, text, frame_index=torch.arange(3)).sample
    late = unet(sample, 7, text, frame_index=torch.arange(3) + 5).sample
    assert torch.allclose(early, late, atol=2e-5) == (not additions)


@WITH_AND_WITHOUT_ADDITIONS
def test_save_and_load_is_identity(tmp_path: Path, additions: dict):
    unet = make_unet(additions)
    unet.save_pretrained(tmp_path)
    loaded = BaseUNet.from_pretrained(tmp_path).requires_grad_(False)
    sample, text = make_inputs(2, 3, 5, 6)
    for key, value in loaded.state_dict().items():
        assert torch.equal(value, unet.state_dict()[key]), key
    expected = unet(sample, 7, text).sample
    torch.testing.assert_close(loaded(sample, 7, text).sample, expected, rtol=0, atol=2e-6)
    assert BaseUNet.from_config(unet.config).num_parameters() == loaded.num_parameters()
    saved = BaseUNet.load_config(tmp_path)
    for key, value in (TINY | additions).items():
        assert saved[key] == (list(value) if isinstance(value, tuple) else value)


def test_train_and_eval_mode_agree():
    unet = make_unet(ADDITIONS)
    sample, text = make_inputs(1, 3, 4, 4)
    assert torch.equal(unet.train()(sample, 7, text).sample, unet.eval()(sample, 7, text).sample)
