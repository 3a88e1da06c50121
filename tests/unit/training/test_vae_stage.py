import copy
from dataclasses import replace

import pytest
import torch
from diffusers import AutoencoderKL

from lavie.errors import ConfigError
from lavie.training.stages.vae import VAEConfig, VAEStage, normalise_latents
from tests.tiny import VAE
from tests.training_runs import vae_config, write_pictures


@pytest.fixture
def pictures(tmp_path):
    return write_pictures(tmp_path / "pictures")


def test_normalising_changes_the_latents_and_not_the_pictures():
    torch.manual_seed(0)
    vae = AutoencoderKL.from_config(VAE).double()
    images = torch.rand(6, 3, 16, 24, dtype=torch.float64) * 2 - 1
    with torch.no_grad():
        before = vae.encode(images).latent_dist
        shown = vae.decode(before.mean).sample
        normalise_latents(vae, before.mean.mean((0, 2, 3)), before.mean.std((0, 2, 3)))
        after = vae.encode(images).latent_dist
        torch.testing.assert_close(vae.decode(after.mean).sample, shown, rtol=0, atol=1e-12)
    channels = VAE["latent_channels"]
    zeros, ones = torch.zeros(channels).double(), torch.ones(channels).double()
    torch.testing.assert_close(after.mean.mean((0, 2, 3)), zeros, rtol=0, atol=1e-12)
    torch.testing.assert_close(after.mean.std((0, 2, 3)), ones, rtol=0, atol=1e-12)
    ratio = before.std / before.mean.std((0, 2, 3))[:, None, None]
    torch.testing.assert_close(after.std, ratio, rtol=1e-9, atol=0)


def test_exported_latents_are_normalised(tmp_path, pictures):
    stage = VAEStage(vae_config(tmp_path / "run", pictures)).eval()
    stage.export(tmp_path / "model")
    vae = AutoencoderKL.from_pretrained(tmp_path / "model" / "vae")
    images = stage._images(next(stage.batches(0, 0, 1))[0])
    again = vae.encode(images).latent_dist.mean
    torch.testing.assert_close(again, stage.vae.encode(images).latent_dist.mean)
    assert vae.config.scaling_factor == 1


def test_a_decoder_alone_learns_without_moving_the_latents(tmp_path, pictures):
    VAEStage(vae_config(tmp_path / "run", pictures)).export(tmp_path / "model")
    config = vae_config(
        tmp_path / "sharp", pictures, init_from=tmp_path / "model", vae=None, train_encoder=False
    )
    stage = VAEStage(config)
    learning = {name for name, weight in stage.vae.named_parameters() if weight.requires_grad}
    assert {name.partition(".")[0] for name in learning} == {"decoder", "post_quant_conv"}
    before = copy.deepcopy(stage.vae.state_dict())
    stage(next(stage.batches(0, 0, 1)), torch.Generator())["loss"].backward()
    assert all(weight.grad is None for weight in stage.vae.encoder.parameters())
    stage.export(tmp_path / "sharp" / "model")  # and does not normalise again
    after = AutoencoderKL.from_pretrained(tmp_path / "sharp" / "model" / "vae").state_dict()
    assert all(torch.equal(after[name], weight) for name, weight in before.items())


def test_a_decoder_alone_may_see_noise_on_its_latents(tmp_path, pictures):
    VAEStage(vae_config(tmp_path / "run", pictures)).export(tmp_path / "model")

    def spread(latent_noise):
        config = vae_config(
            tmp_path / "noisy",
            pictures,
            init_from=tmp_path / "model",
            vae=None,
            train_encoder=False,
            latent_noise=latent_noise,
        )
        stage = VAEStage(config)
        decoded = []
        decode = stage.vae.decode
        stage.vae.decode = lambda latents: decoded.append(latents) or decode(latents)
        (batch,) = next(stage.batches(0, 0, 1))
        with torch.no_grad():
            stage([batch], torch.Generator().manual_seed(0))
            mean = stage.vae.encode(stage._images(batch)).latent_dist.mean
        return (decoded[0] - mean).var((1, 2, 3))

    added = spread(1.0) - spread(0.0)
    assert (added > 0.01).all()
    assert (added[0] - added[1]).abs() > 0.01  # each image has its own share


def test_latents_of_kept_images_are_held_where_they_were(tmp_path, pictures):
    VAEStage(vae_config(tmp_path / "run", pictures)).export(tmp_path / "model")
    kept = {
        "init_from": tmp_path / "model",
        "vae": None,
        "kept_images": [{"kind": "world", "stills": True}],
        "images": [{"kind": "world", "stills": True, "strangers": True}],
        "height": 40,
        "width": 64,
    }
    stage = VAEStage(vae_config(tmp_path / "wide", pictures, **kept))
    batch = next(stage.batches(0, 0, 1))
    losses = stage(batch, torch.Generator().manual_seed(0))
    assert losses["moved"] < 1e-9
    with torch.no_grad():
        stage.vae.quant_conv.bias += 0.5
    moved = stage(batch, torch.Generator().manual_seed(0))["moved"]
    torch.testing.assert_close(moved, torch.tensor(0.25))
    state = copy.deepcopy(stage.vae.state_dict())
    stage.export(tmp_path / "wide" / "model")  # and does not normalise anew
    after = AutoencoderKL.from_pretrained(tmp_path / "wide" / "model" / "vae").state_dict()
    assert all(torch.equal(after[name], weight) for name, weight in state.items())
    assert not any("teacher" in name for name, p in stage.named_parameters() if p.requires_grad)


def test_focus_counts_more(tmp_path, pictures):
    stage = VAEStage(vae_config(tmp_path, pictures, focus_weight=9.0, kl_weight=0.0))
    (batch,) = next(stage.batches(0, 0, 1))
    left = torch.zeros(2, 1, 16, 24)
    left[..., :12] = 1
    pixels = left[:, None].expand(-1, 3, -1, -1, -1)  # all that a decoder of zeros gets wrong

    def loss(focus):
        sample = replace(batch, pixels=pixels, focus=focus)
        with torch.no_grad():
            for parameter in stage.vae.decoder.conv_out.parameters():
                parameter.zero_()
            return stage([sample], torch.Generator().manual_seed(0))["loss"]

    torch.testing.assert_close(loss(torch.ones_like(left)), loss(None))
    assert loss(1 - left) < loss(None) < loss(left)


def test_what_cannot_be_trained_is_said(tmp_path, pictures):
    with pytest.raises(ConfigError, match="scaling_factor 0.5 must be 1.0"):
        VAEStage(vae_config(tmp_path, pictures, vae={**VAE, "scaling_factor": 0.5}))
    with pytest.raises(ConfigError, match="height 18 is not a multiple of the VAE's 4. Use 16 or"):
        VAEStage(vae_config(tmp_path, pictures, height=18))
    with pytest.raises(ConfigError, match="'vae' has nothing to compile"):
        VAEStage(vae_config(tmp_path, pictures)).compile_networks()
    with pytest.raises(ValueError, match="kept_images keep what an encoder"):
        vae_config(tmp_path, pictures, kept_images=[{"kind": "world", "stills": True}])
    with pytest.raises(ValueError, match="latent_noise is for a decoder alone"):
        vae_config(tmp_path, pictures, latent_noise=0.1)
    with pytest.raises(ValueError, match="decoder alone needs a trained encoder"):
        VAEConfig(output=tmp_path, num_steps=1, vae=VAE, train_encoder=False)
