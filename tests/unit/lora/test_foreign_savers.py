"""LoRAs that cross between diffusers, peft, kohya's names and ours, written by their own savers."""

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.loaders import StableDiffusionLoraLoaderMixin
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from peft.utils import load_peft_weights

from lavie.models import BaseUNet
from lora.formats import read_lora, write_lora
from lora.inject import attach, detach
from lora.weights import adaptable_layers

save_as_diffusers = StableDiffusionLoraLoaderMixin.save_lora_weights
TEXT_PROJECTIONS = ["q_proj", "k_proj", "v_proj", "out_proj"]
SPACE = ["attn1.to_q", "attn2.to_v", "attn1.to_out.0", "proj_in"]


def read(path, pipeline):
    return read_lora(path, pipeline.unet, pipeline.text_encoder)


def tell(pipeline):
    """What the text encoder makes of a prompt."""
    return pipeline.encode_prompt(["a fox"])[0]


def test_every_layer_of_stable_diffusion_1_is_one_of_ours_in_space(pipeline, tmp_path):
    """Whole networks, on a device without memory; only what is written has numbers."""
    with torch.device("meta"):
        theirs, ours = UNet2DConditionModel(cross_attention_dim=768), BaseUNet()
    shapes = adaptable_layers(theirs)
    config = LoraConfig(r=1, lora_alpha=2, target_modules=list(shapes))
    theirs.add_adapter(config)
    weights = {
        key: torch.ones(value.shape) for key, value in get_peft_model_state_dict(theirs).items()
    }
    save_as_diffusers(tmp_path, weights, unet_lora_adapter_metadata=config.to_dict())
    file = tmp_path / "pytorch_lora_weights.safetensors"
    layers = read_lora(file, ours, pipeline.text_encoder).layers["unet"]
    in_space = {n: shape for n, shape in adaptable_layers(ours).items() if not ours.is_temporal(n)}
    assert shapes == in_space
    assert {name: layer.product().shape for name, layer in layers.items()} == in_space
    assert {layer.alpha for layer in layers.values()} == {2.0}


@pytest.mark.parametrize("style", ["kohya", "diffusers"])
def test_diffusers_reads_the_text_encoder_that_is_written(pipeline, make_lora, tmp_path, style):
    lora = make_lora(pipeline, alpha=3.0, text=TEXT_PROJECTIONS)
    before = tell(pipeline)
    attach(pipeline, lora, "mine")
    expected = tell(pipeline)
    detach(pipeline)
    file = write_lora(lora, tmp_path / "mine.safetensors", style)
    pipeline.load_lora_weights(file.parent, weight_name=file.name)
    assert not torch.allclose(expected, before, atol=1e-2)
    assert torch.allclose(tell(pipeline), expected, atol=1e-5)
    adapted = [name for name, _ in pipeline.text_encoder.named_modules() if name.endswith("lora_A")]
    assert {name.split(".")[-2] for name in adapted} == set(TEXT_PROJECTIONS)


@pytest.mark.parametrize("with_settings", [True, False])
def test_the_text_encoder_that_diffusers_writes_is_read(pipeline, tmp_path, with_settings):
    alpha = 6 if with_settings else 3  # without settings nobody can know another than the rank
    config = LoraConfig(
        r=3, lora_alpha=alpha, target_modules=TEXT_PROJECTIONS, init_lora_weights=False
    )
    pipeline.text_encoder.add_adapter(config)
    expected = tell(pipeline)
    weights = convert_state_dict_to_diffusers(get_peft_model_state_dict(pipeline.text_encoder))
    settings = config.to_dict() if with_settings else None
    save_as_diffusers(
        tmp_path,
        text_encoder_lora_layers=weights,
        text_encoder_lora_adapter_metadata=settings,
    )
    pipeline.unload_lora_weights()
    lora = read(tmp_path / "pytorch_lora_weights.safetensors", pipeline)
    names = lora.layers["text_encoder"]
    assert {name.split(".")[-1] for name in names} == set(TEXT_PROJECTIONS)
    attach(pipeline, lora, "theirs")
    assert torch.allclose(tell(pipeline), expected, atol=1e-5)


def test_numbers_stay_equal_from_peft_to_kohya_to_diffusers_and_back(pipeline, tmp_path):
    config = LoraConfig(
        r=2,
        lora_alpha=5,
        target_modules=SPACE,
        init_lora_weights=False,
        rank_pattern={"attn1.to_q": 4},
        alpha_pattern={"proj_in": 1.5},
    )
    theirs = get_peft_model(pipeline.unet, config)
    theirs.save_pretrained(tmp_path / "first")
    pipeline.unet = theirs.unload()
    file = tmp_path / "first"
    for style in ("kohya", "diffusers", "peft"):
        name = "last" if style == "peft" else f"{style}.safetensors"
        file = write_lora(read(file, pipeline), tmp_path / name, style)
    first, last = load_peft_weights(tmp_path / "first"), load_peft_weights(file)
    assert last.keys() == first.keys()
    assert all(torch.equal(last[key], first[key]) for key in first)
    settings = LoraConfig.from_pretrained(file)
    for name, layer in read(tmp_path / "first", pipeline).layers["unet"].items():
        assert settings.alpha_pattern.get(name, settings.lora_alpha) == layer.alpha
        assert settings.rank_pattern.get(name, settings.r) == layer.rank
