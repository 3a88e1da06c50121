"""What the model makes of its own, beside the new thing in every step."""

import pytest
import torch

from lora.train import make_stage, prepare


@pytest.mark.parametrize(
    "changes",
    [{}, {"whole": True}, {"train_text_encoder": True}],
    ids=["a LoRA", "whole layers", "the text encoder too"],
)
def test_what_the_model_makes_of_its_own_is_held_to_what_it_said_before(config, changes):
    asked = config(**changes)
    stage = make_stage(asked, prepare(asked))
    batch = next(stage.batches(0, 0, 1))
    assert batch.num_prior == 1

    def losses():
        return stage.forward(batch, torch.Generator().manual_seed(0))

    def said_before():
        with torch.no_grad(), stage._untaught():
            text = stage._embed(batch.captions[2:])
            return stage._predict(batch.latents[2:], torch.tensor([500]), text)

    first = said_before()
    assert float(losses()["prior_loss"]) < 1e-9  # it is what it was
    learnt = [parameter for parameter in stage.parameters() if parameter.requires_grad]
    with torch.no_grad():
        for parameter in learnt:
            parameter += 0.05 * torch.randn(
                parameter.shape, generator=torch.Generator().manual_seed(1)
            )
    taught = [parameter.clone() for parameter in learnt]
    told = losses()
    assert float(told["prior_loss"]) > 1e-6
    told["loss"].backward()
    assert torch.equal(said_before(), first)
    assert all(map(torch.equal, learnt, taught))
    assert all(parameter.requires_grad and parameter.grad is not None for parameter in learnt)


def test_captions_are_left_out_of_the_models_own_alone(config):
    asked = config(caption_dropout=1.0)
    stage = make_stage(asked, prepare(asked))
    batch, heard = next(stage.batches(0, 0, 1)), []
    embed = stage._embed
    stage._embed = lambda texts: heard.append(list(texts)) or embed(texts)
    stage.forward(batch, torch.Generator().manual_seed(0))
    assert heard == [[""], [*batch.captions[:2], ""]]
    assert all("zog" in caption for caption in batch.captions[:2])


@pytest.mark.parametrize("whole", [False, True])
def test_in_half_precision_what_is_learnt_counts_beside_what_was_said_before(config, whole):
    asked = config(whole=whole, mixed_precision="bf16")
    stage = make_stage(asked, prepare(asked))
    batch = next(stage.batches(0, 0, 1))
    with torch.no_grad():
        for parameter in (p for p in stage.parameters() if p.requires_grad):
            parameter += 0.05 * torch.randn(
                parameter.shape, generator=torch.Generator().manual_seed(1)
            )

    def losses(keeps_casts):
        with torch.autocast("cpu", torch.bfloat16, cache_enabled=keeps_casts):
            return stage.forward(batch, torch.Generator().manual_seed(0))

    assert float(losses(True)["prior_loss"]) > 1e-6
    assert losses(True) == losses(False)
