import pytest
import torch

from lavie.errors import ConfigError
from lavie.models import SuperResolutionUNet
from lavie.pipelines.super_resolution import SuperResolutionPipeline
from lavie.training.loop import train
from lavie.training.patches import shrink
from lavie.training.stages.super_resolution import SuperResolutionStage
from tests.tiny import LATENT_CHANNELS, make_tiny_super_resolution
from tests.training_runs import super_resolution_config, write_clips


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return write_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def upscaler(tmp_path_factory):
    folder = tmp_path_factory.mktemp("upscaler")
    make_tiny_super_resolution().save_pretrained(folder)
    return folder


def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("mode", ["image", "video"])
def test_what_a_mode_freezes_stays_bit_for_bit(mode, upscaler, clips, tmp_path):
    stage = SuperResolutionStage(super_resolution_config(tmp_path, upscaler, clips, mode=mode))
    before = {name: weight.detach().clone() for name, weight in stage.named_parameters()}
    train(stage)
    changed = {
        name for name, weight in stage.named_parameters() if not torch.equal(weight, before[name])
    }
    temporal = {name for name in changed if SuperResolutionUNet.is_temporal(name)}
    assert all(name.startswith("model.unet.") for name in changed)
    assert changed
    assert temporal == (changed if mode == "video" else set())


@pytest.mark.parametrize("mode", ["image", "video"])
def test_every_weight_that_learns_gets_a_gradient(mode, upscaler, clips, tmp_path):
    stage = SuperResolutionStage(super_resolution_config(tmp_path, upscaler, clips, mode=mode))
    stage(next(stage.batches(0, 0, 1)), generator())["loss"].backward()
    assert not [n for n, w in stage.named_parameters() if w.requires_grad and w.grad is None]


def test_the_network_is_given_the_small_patch_at_the_level_it_is_told(upscaler, clips, tmp_path):
    config = super_resolution_config(tmp_path, upscaler, clips, max_noise_level=0, patch_size=None)
    stage = SuperResolutionStage(config)
    batch = next(stage.batches(0, 0, 1))
    seen = []
    stage.model.unet.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append((args[0], kwargs)), with_kwargs=True
    )
    stage(batch, generator())
    sample, given = seen[0]
    assert sample.shape == (2, LATENT_CHANNELS, 3, 8, 12)
    assert given["class_labels"].tolist() == [0, 0]
    noise = given["low_res"] - shrink(batch.pixels, 4)
    assert 0 < noise.std() < 0.03  # the noise of level 0: 1e-4 of the variance


def test_noise_levels_go_up_to_the_highest(upscaler, clips, tmp_path):
    config = super_resolution_config(tmp_path, upscaler, clips, max_noise_level=3)
    stage = SuperResolutionStage(config)
    batch = next(stage.batches(0, 0, 1))
    levels = []
    stage.model.unet.register_forward_pre_hook(
        lambda module, args, kwargs: levels.extend(kwargs["class_labels"].tolist()),
        with_kwargs=True,
    )
    with torch.no_grad():
        for seed in range(12):
            stage(batch, torch.Generator().manual_seed(seed))
    assert set(levels) == {0, 1, 2, 3}


def test_a_run_gives_a_model_folder_that_enlarges(upscaler, clips, tmp_path):
    config = super_resolution_config(tmp_path, upscaler, clips, preview_every=2)
    folder = train(SuperResolutionStage(config))
    assert sorted(path.suffix for path in (tmp_path / "previews").iterdir()) == [".mp4", ".png"]
    pipeline = SuperResolutionPipeline.from_pretrained(folder)
    assert pipeline.low_res_scheduler.config.beta_schedule == "scaled_linear"
    video = torch.zeros(1, 3, 2, 8, 8)
    assert pipeline(video, "a fox").frames.shape == (1, 2, 32, 32, 3)


def test_it_starts_from_nothing_with_a_vae_and_the_words_of_a_model(
    model_folder, upscaler, clips, tmp_path
):
    unet = {
        key: value
        for key, value in make_tiny_super_resolution().unet.config.items()
        if not key.startswith("_")
    }
    start = {"init_from": None, "unet": unet, "text_from": model_folder, "mode": "image"}
    config = super_resolution_config(
        tmp_path, None, clips, **start, vae=upscaler / "vae", num_steps=1
    )
    folder = train(SuperResolutionStage(config))
    assert SuperResolutionPipeline.from_pretrained(folder).unet.config.num_class_embeds == 1000


def test_settings_that_do_not_fit_are_refused(upscaler, clips, tmp_path):
    with pytest.raises(ValueError, match="Give init_from, or unet, vae and text_from"):
        super_resolution_config(tmp_path, None, clips)
    with pytest.raises(ValueError, match="Mode image needs images"):
        super_resolution_config(tmp_path, upscaler, clips, mode="image", images=())
    with pytest.raises(ConfigError, match="patch_size 12 must be a multiple of 8"):
        SuperResolutionStage(super_resolution_config(tmp_path, upscaler, clips, patch_size=12))
