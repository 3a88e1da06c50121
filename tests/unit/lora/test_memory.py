"""What the estimate rests on, counted again on the meta device; in seconds, as it holds nothing."""

import pytest
import torch
from peft import LoraConfig

from lavie.models import BaseUNet
from lora import memory
from lora.inject import spatial_modules
from lora.memory import estimate_training
from tests.peak_bytes import PeakBytes

HALF = {"dtype": torch.half, "device": "meta"}


@pytest.fixture(scope="module")
def unet():
    with torch.device("meta"):
        unet = BaseUNet()
        for parameter in unet.parameters():
            parameter.data = parameter.data.half()
        unet.requires_grad_(False)
        names = spatial_modules(unet)
        unet.add_adapter(LoraConfig(r=16, lora_alpha=16, target_modules=names))
    return unet.train()


def test_as_many_weights_learn_as_the_estimate_says(unet):
    num = sum(weight.numel() for weight in unet.parameters() if weight.requires_grad)
    assert num == pytest.approx(16 * memory._NUM_LEARNT_PER_RANK)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_step_takes_what_the_estimate_says(unet, checkpointing):
    if checkpointing:
        unet.enable_gradient_checkpointing()
    inputs = [torch.empty(1, 4, 1, 40, 64, **HALF), torch.ones(1, device="meta", dtype=torch.long)]
    inputs.append(torch.empty(1, 1, 77, 768, **HALF))
    with PeakBytes([*unet.parameters(), *unet.buffers(), *inputs]) as counter:
        unet(*inputs, num_images=1).sample.float().square().mean().backward()
    unet.zero_grad()
    assert counter.peak == pytest.approx(memory._STEP_BYTES[checkpointing], rel=0.05)


def test_the_published_model_fits_into_8_gb_at_rank_16():
    usual = estimate_training()
    assert usual.peak < 6e9
    assert estimate_training(rank=64).peak < 6e9
    assert estimate_training(half=False).peak > 6e9
    assert estimate_training(rows=8).step > estimate_training(rows=2).step
    assert estimate_training(optimizer="8-bit").peak < usual.peak
