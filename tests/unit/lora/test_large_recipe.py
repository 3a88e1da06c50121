"""The recipe for networks as large as the published one, on a tiny one that learns as they do."""

import math

import pytest
import torch
from pydantic import ValidationError

from lavie.models import BaseUNet
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.training.loop import train
from lora.settings import PersonalConfig
from lora.train import make_stage, prepare
from tests.unit.lora.personal import assert_equal_runs, stop_and_go_on

FEW = {"num_steps": 3, "num_prior_images": 2, "num_variants": 2, "checkpoint_every": 1}


@pytest.fixture
def config(model_folder, images, tmp_path):
    def make(name="run", **changes):
        asked = {"output": tmp_path / name, "model": str(model_folder), "images": images}
        small = {"height": 16, "width": 24, "sample_every": 0}
        about = {"name": "Mine", "token": "zog", "recipe": "large"}
        return PersonalConfig(**{**asked, **about, **small, **changes})

    return make


def test_a_network_as_large_as_the_published_one_learns_by_attention_and_with_little_memory(config):
    run = prepare(config()).run
    assert (run.parts, run.rank, run.alpha) == (("attention",), 16, 16.0)
    assert (run.whole, run.motions, run.diffusion.timesteps) == (False, (), (0, 1000))
    assert (run.gradient_checkpointing, run.diffusion.min_snr_gamma) == (True, 5.0)
    assert (run.batch_size, run.prior_rows, run.prior_weight, run.num_prior_images) == (1, 1, 1, 50)
    assert (run.optimizer.learning_rate, run.ema_decay) == (1e-4, 0.99)
    efforts = ("quick", "normal", "thorough")
    steps = [prepare(config(effort=effort)).run.num_steps for effort in efforts]
    assert steps == [400, 1000, 2500]
    assert run.is_small  # what its file says of the network is true


def test_a_recipe_is_the_one_of_the_networks_size_unless_it_is_asked_for(config):
    usual = prepare(config(recipe=None)).run
    assert usual == prepare(config(recipe="small")).run
    assert (usual.diffusion.min_snr_gamma, usual.gradient_checkpointing) == (None, False)
    assert usual.parts != ("attention",)


def test_min_snr_can_be_switched_off_where_the_recipe_has_it_and_on_where_it_has_not(config):
    assert prepare(config(min_snr_gamma=0)).run.diffusion.min_snr_gamma is None
    assert prepare(config(recipe="small", min_snr_gamma=3)).run.diffusion.min_snr_gamma == 3
    with pytest.raises(ValidationError, match="min_snr_gamma"):
        config(min_snr_gamma=-1)


def test_min_snr_weighs_what_is_learnt(config):
    def loss(**changes):
        asked = config(**FEW, **changes)
        stage = make_stage(asked, prepare(asked))
        batch = next(stage.batches(0, 0, 1))
        return float(stage.forward(batch, torch.Generator().manual_seed(0))["own_loss"])

    with_it, without = loss(), loss(min_snr_gamma=0)
    assert all(map(math.isfinite, (with_it, without)))
    assert with_it < 0.95 * without


def test_layers_over_time_stay_and_a_stopped_run_goes_on_with_the_same_numbers(
    config, model_folder
):
    unbroken = config("unbroken", **FEW)
    stage = make_stage(unbroken, prepared := prepare(unbroken))
    learning = [name for name, weight in stage.named_parameters() if weight.requires_grad]
    of_unet = [name for name in learning if "lora_" in name]
    assert of_unet
    assert all(".attn1." in name or ".attn2." in name for name in of_unet)
    assert not any(map(BaseUNet.is_temporal, learning))
    train(stage)
    assert prepared.pipeline.unet.is_gradient_checkpointing
    assert any(layer.up.abs().sum() > 0 for layer in stage.lora().layers["unet"].values())
    trained = {
        name.replace(".base_layer", ""): weight
        for name, weight in prepared.pipeline.unet.state_dict().items()
    }
    before = TextToVideoPipeline.from_pretrained(model_folder).unet.state_dict()
    assert any(map(BaseUNet.is_temporal, before))
    assert all(torch.equal(trained[name], weight) for name, weight in before.items())
    stopped = config("stopped", **FEW)
    stop_and_go_on(stopped, 1)
    assert_equal_runs(stopped.output, unbroken.output)
