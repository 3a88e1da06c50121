"""What the estimate rests on, counted again on the meta device; in seconds, as it holds nothing."""

import pytest
import torch
from peft import LoraConfig
from transformers import CLIPTextConfig, CLIPTextModel

from lavie.models import BaseUNet
from lora import memory
from lora.inject import spatial_modules
from lora.memory import estimate_training, memory_lines
from lora.stage import _TEXT_PARTS
from lora.train import prepare
from lora.weights import adaptable_layers
from tests.peak_bytes import PeakBytes
from tests.unit.lora.personal import draw_pictures, personal_config

HALF = {"dtype": torch.half, "device": "meta"}
ALL = tuple(memory._NUM_LEARNT_PER_RANK)
LEARN = [(("attention",), False), *(((part,), False) for part in ALL[1:]), (ALL, True)]


def on(network, names):
    """A network in half precision with a LoRA of rank 16 on some layers, none of it in memory."""
    for parameter in network.parameters():
        parameter.data = parameter.data.half()
    network.requires_grad_(False)
    network.add_adapter(LoraConfig(r=16, lora_alpha=16, target_modules=names))
    return network.train()


def make_unet(parts, also_temporal):
    with torch.device("meta"):
        unet = BaseUNet()
        return on(unet, spatial_modules(unet, parts, also_temporal))


def num_learnt(network):
    return sum(weight.numel() for weight in network.parameters() if weight.requires_grad)


def bytes_of(learnt, **settings):
    """What a weight that learns takes by the estimate, all else being equal."""
    few, many = (estimate_training(rank=rank, **settings).step for rank in (0, 16))
    return (many - few) / learnt


@pytest.mark.parametrize(("parts", "also_temporal"), LEARN)
def test_as_many_weights_learn_as_the_estimate_says(parts, also_temporal):
    learnt = num_learnt(make_unet(parts, also_temporal))
    settings = {"parts": parts, "also_temporal": also_temporal}
    assert bytes_of(learnt, **settings) == pytest.approx(20)
    assert bytes_of(learnt, **settings, optimizer="8-bit") == pytest.approx(14)


@pytest.mark.parametrize(("parts", "also_temporal"), LEARN)
def test_as_many_weights_learn_as_a_whole_as_the_estimate_says(parts, also_temporal):
    with torch.device("meta"):
        unet = BaseUNet()
    names = spatial_modules(unet, parts, also_temporal)
    learnt = sum(unet.get_submodule(name).weight.numel() for name in names)
    few, all_of_it = (
        estimate_training(parts=some, also_temporal=also, whole=True, rows=0).step
        for some, also in (((), False), (parts, also_temporal))
    )
    # and 2 bytes of a copy in half precision, less the 2 of a weight that does not learn
    assert (all_of_it - few) / learnt == pytest.approx(memory._BYTES_PER_LEARNT["full"])


def test_the_text_encoder_takes_what_the_estimate_says():
    with torch.device("meta"):
        published = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}
        encoder = CLIPTextModel(CLIPTextConfig(num_hidden_layers=12, **published))
        frozen = sum(weight.numel() for weight in encoder.parameters())
        names = [name for name in adaptable_layers(encoder) if name.endswith(_TEXT_PARTS)]
        encoder = on(encoder, names)
    assert frozen == pytest.approx(memory.TEXT_ENCODER, rel=0.01)
    learnt = num_learnt(encoder)
    assert bytes_of(learnt, parts=(), train_text_encoder=True) == pytest.approx(20)
    words = torch.ones(1, 77, device="meta", dtype=torch.long)
    with PeakBytes([*encoder.parameters(), *encoder.buffers(), words]) as counter:
        encoder(words).last_hidden_state.square().mean().backward()
    assert counter.peak < 0.02 * memory._STEP_BYTES[False]  # lost in what a step takes


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize(("parts", "also_temporal"), [LEARN[0], LEARN[-1]])
def test_a_step_takes_what_the_estimate_says(parts, also_temporal, checkpointing):
    settings = {"rank": 0, "parts": parts, "also_temporal": also_temporal}
    one, two = (
        estimate_training(rows=rows, checkpointing=checkpointing, **settings).step
        for rows in (1, 2)
    )
    unet = make_unet(parts, also_temporal)
    if checkpointing:
        unet.enable_gradient_checkpointing()
    inputs = [torch.empty(1, 4, 1, 40, 64, **HALF), torch.ones(1, device="meta", dtype=torch.long)]
    inputs.append(torch.empty(1, 1, 77, 768, **HALF))
    with PeakBytes([*unet.parameters(), *unet.buffers(), *inputs]) as counter:
        num_images = 0 if also_temporal else 1
        unet(*inputs, num_images=num_images).sample.float().square().mean().backward()
    assert counter.peak == pytest.approx((two - one) / memory.FOR_LIBRARIES, rel=0.05)


def test_the_published_model_fits_into_8_gb_at_rank_16():
    usual = estimate_training()
    assert usual.peak < 6e9
    assert estimate_training(rank=64).peak < 6e9
    assert estimate_training(half=False).peak > 6e9
    assert estimate_training(rows=8).step > estimate_training(rows=2).step
    assert estimate_training(optimizer="8-bit").peak < usual.peak


def test_a_run_is_told_of_all_that_learns_in_it(tmp_path):
    images = draw_pictures(tmp_path / "pictures")
    few = prepare(personal_config(tmp_path / "a", "miniature", images, parts=("attention",))).run
    told = {
        changed: memory_lines(few.model_copy(update={changed: value, "rank": 256}))[-1]
        for changed, value in (
            ("seed", 1),
            ("parts", ("attention", "convolutions")),
            ("also_temporal", True),
            ("train_text_encoder", True),
        )
    }
    assert len(set(told.values())) == len(told), told
