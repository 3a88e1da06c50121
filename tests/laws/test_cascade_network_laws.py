"""Laws that the interpolation and the super-resolution network obey for any size and length."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lavie.errors import ConfigError, InputError
from lavie.models import InterpolationUNet, SuperResolutionUNet

SIZES = st.integers(1, 9)
TINY: dict[str, Any] = {
    "out_channels": 4,
    "block_out_channels": (64, 64),
    "layers_per_block": 1,
    "norm_num_groups": 8,
    "cross_attention_dim": 8,
    "attention_head_dim": 1,
    "down_block_types": ("DownBlock3D", "CrossAttnDownBlock3D"),
    "up_block_types": ("CrossAttnUpBlock3D", "UpBlock3D"),
}
SUPER_RESOLUTION: dict[str, Any] = TINY | {"in_channels": 7, "only_cross_attention": (True, True)}
few = settings(max_examples=5, deadline=None)


def make(network: type, trained: bool = True, **config):
    torch.manual_seed(0)
    unet = network(**config).requires_grad_(False)
    for parameter in unet.parameters():
        if trained and not parameter.any():  # what starts as a no-op would hide mistakes
            parameter.normal_(std=0.1)
    return unet


def interpolation() -> InterpolationUNet:
    return make(InterpolationUNet, **TINY)


def super_resolution(trained: bool = True) -> SuperResolutionUNet:
    return make(SuperResolutionUNet, trained, **SUPER_RESOLUTION)


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def upscale(unet: SuperResolutionUNet, frames: int, **given):
    low_res = random(1, 3, frames, 5, 6)
    return unet(
        random(1, 4, frames, 5, 6),
        7,
        given.pop("text", random(1, 3, 8)),
        low_res=low_res,
        class_labels=torch.tensor([50]),
        **given,
    ).sample


@few
@given(batch=st.integers(1, 3), frames=st.integers(1, 5), height=SIZES, width=SIZES)
def test_interpolation_of_a_batch_equals_its_samples_alone(batch, frames, height, width):
    unet = interpolation()
    sample, text = random(batch, 8, frames, height, width), random(batch, 3, 8)
    timesteps = torch.arange(batch) * 300
    together = unet(sample, timesteps, text).sample
    assert together.shape == (batch, 4, frames, height, width)
    alone = [unet(sample[i : i + 1], timesteps[i], text[i : i + 1]).sample for i in range(batch)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=2e-5)


@few
@given(batch=st.integers(1, 3), frames=st.integers(1, 5), height=SIZES, width=SIZES)
def test_super_resolution_of_a_batch_equals_its_samples_alone(batch, frames, height, width):
    unet = super_resolution()
    sample, low_res = (
        random(batch, 4, frames, height, width),
        random(batch, 3, frames, height, width),
    )
    text, timesteps = random(batch, 3, 8), torch.arange(batch) * 300
    levels = torch.arange(batch) * 100

    def run(part: slice) -> Tensor:
        return unet(
            sample[part],
            timesteps[part],
            text[part],
            low_res=low_res[part],
            class_labels=levels[part],
        ).sample

    together = run(slice(None))
    assert together.shape == sample.shape
    alone = [run(slice(i, i + 1)) for i in range(batch)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=2e-5)


def test_interpolation_knows_frames_only_by_what_stands_before_them():
    unet = interpolation()
    sample, text = random(1, 8, 5, 4, 4), random(1, 3, 8)
    result = unet(sample, 7, text).sample
    swapped = unet(sample[:, :, [0, 2, 1, 3, 4]], 7, text).sample
    assert (swapped[:, :, [0, 2, 1, 3, 4]] - result).abs().max() > 1e-3


def test_interpolation_takes_no_images():
    with pytest.raises(InputError, match="videos only"):
        interpolation()(random(1, 8, 3, 4, 4), 7, random(1, 2, 3, 8), num_images=1)


def test_fresh_super_resolution_treats_frames_as_images():
    unet = super_resolution(trained=False)
    images = upscale(unet, 4, text=random(1, 1, 3, 8).expand(-1, 4, -1, -1), num_images=4)
    video = upscale(unet, 4, text=random(1, 1, 3, 8)[:, 0])
    torch.testing.assert_close(video, images, rtol=0, atol=2e-6)


def test_images_bypass_everything_temporal_in_super_resolution():
    unet = super_resolution()
    seen = []
    for name, module in unet.named_modules():
        if name.endswith(("norm_temporal", "resblock_temporal.conv1", "resblocks_3d_t.conv1")):
            module.register_forward_hook(lambda _module, inputs, _out: seen.append(inputs[0].shape))
    upscale(unet, 5, text=random(1, 3, 3, 8), num_images=2)
    assert seen
    assert {shape[1] if len(shape) == 4 and shape[0] == 1 else shape[0] for shape in seen} == {3}
    texts = random(1, 5, 3, 8)
    images = upscale(unet, 5, text=texts, num_images=5)
    fresh = super_resolution(trained=False)
    spatial = {k: v for k, v in unet.state_dict().items() if not unet.is_temporal(k)}
    fresh.load_image_weights(spatial)
    torch.testing.assert_close(images, upscale(fresh, 5, text=texts, num_images=5))


def test_temporal_parameters_of_super_resolution_are_those_of_the_published_file():
    with torch.device("meta"):
        unet = SuperResolutionUNet()
    temporal = [v.numel() for k, v in unet.state_dict().items() if unet.is_temporal(k)]
    assert (len(temporal), sum(temporal)) == (471, 217_638_672)


@pytest.mark.parametrize("network", [InterpolationUNet, SuperResolutionUNet])
def test_save_and_load_is_identity(network, tmp_path):
    unet = make(network, **(SUPER_RESOLUTION if network is SuperResolutionUNet else TINY))
    unet.save_pretrained(tmp_path)
    loaded = network.from_pretrained(tmp_path)
    assert loaded.config.in_channels == unet.config.in_channels
    for key, value in loaded.state_dict().items():
        assert torch.equal(value, unet.state_dict()[key]), key


@pytest.mark.parametrize("network", [InterpolationUNet, SuperResolutionUNet])
def test_gradients_are_the_same_with_checkpointing(network):
    gradients = []
    for checkpointing in (False, True):
        unet = make(network, **(SUPER_RESOLUTION if network is SuperResolutionUNet else TINY))
        unet.requires_grad_(True).train()
        if checkpointing:
            unet.enable_gradient_checkpointing()
        if network is SuperResolutionUNet:
            upscale(unet, 3).square().mean().backward()
        else:
            unet(random(1, 8, 3, 4, 4), 7, random(1, 3, 8)).sample.square().mean().backward()
        gradients.append({k: v.grad for k, v in unet.named_parameters() if v.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for key, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][key])


@pytest.mark.parametrize(
    ("level", "message"), [(-1, "between 0 and 350"), (351, "between 0 and 350")]
)
def test_a_noise_level_that_was_never_trained_is_refused(level, message):
    unet = super_resolution()
    with pytest.raises(InputError, match=message):
        unet(
            random(1, 4, 1, 4, 4),
            7,
            random(1, 3, 8),
            low_res=random(1, 3, 1, 4, 4),
            class_labels=torch.tensor([level]),
        )


def test_small_video_and_latents_must_agree():
    with pytest.raises(InputError, match="both must agree"):
        super_resolution()(
            random(1, 4, 2, 4, 4),
            7,
            random(1, 3, 8),
            low_res=random(1, 3, 1, 4, 4),
            class_labels=torch.tensor([0]),
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"only_cross_attention": (True,)}, "one per level"),
        ({"block_out_channels": (48, 64)}, "multiple of 32"),
        ({"attention_head_dim": 4}, "attention_head_dim 4"),
    ],
)
def test_architectures_that_cannot_be_built_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        SuperResolutionUNet(**(SUPER_RESOLUTION | change))


def test_levels_without_attention_may_have_narrow_heads():
    SuperResolutionUNet(**(SUPER_RESOLUTION | {"attention_head_dim": 2}))
