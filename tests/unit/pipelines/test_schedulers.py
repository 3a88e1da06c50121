import pytest
import torch
from diffusers import DDIMScheduler, PNDMScheduler

from lavie.errors import CheckpointError
from lavie.pipelines.schedulers import (
    make_scheduler,
    predict_clean_latents,
    scheduler_name,
)

PUBLISHED = {
    "_class_name": "PNDMScheduler",
    "num_train_timesteps": 1000,
    "beta_start": 0.0001,
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
    "clip_sample": False,
}
NAMES = ["dpm++", "ddim", "ddpm", "euler"]


@pytest.mark.parametrize("name", NAMES)
def test_published_schedule_survives_a_folder_saved_with_another_sampler(name, tmp_path):
    direct = make_scheduler(name, PUBLISHED)
    make_scheduler("dpm++", PUBLISHED).save_pretrained(tmp_path)
    saved = type(make_scheduler("dpm++", PUBLISHED)).from_pretrained(tmp_path)
    again = make_scheduler(name, saved.config)
    for scheduler in (direct, again):
        scheduler.set_timesteps(50)
    assert torch.equal(direct.timesteps, again.timesteps)
    for key in ("beta_start", "beta_end", "beta_schedule", "prediction_type", "steps_offset"):
        assert direct.config[key] == again.config[key]
    if name == "ddim":
        assert not again.config.set_alpha_to_one


@pytest.mark.parametrize("name", NAMES)
def test_zero_terminal_snr_starts_every_sampler_at_the_last_timestep(name):
    scheduler = make_scheduler(
        name,
        {
            **PUBLISHED,
            "prediction_type": "v_prediction",
            "rescale_betas_zero_snr": True,
            "timestep_spacing": "trailing",
        },
    )
    scheduler.set_timesteps(20)
    assert scheduler.timesteps[0] == 999
    assert scheduler.config.prediction_type == "v_prediction"
    assert scheduler.config.rescale_betas_zero_snr


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_clean_latents_are_read_from_a_perfect_prediction(name, prediction_type):
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 1, 4, 2, 3, 3, generator=generator)
    scheduler = make_scheduler(name, {**PUBLISHED, "prediction_type": prediction_type})
    scheduler.set_timesteps(4)  # whole timesteps for all four
    for step, timestep in enumerate(scheduler.timesteps[:-1]):
        alpha_t = make_scheduler("ddim", PUBLISHED).alphas_cumprod[timestep.long()] ** 0.5
        sigma_t = (1 - alpha_t**2) ** 0.5
        sample = alpha_t * clean + sigma_t * noise
        is_noise = prediction_type == "epsilon"
        output = noise if is_noise else alpha_t * noise - sigma_t * clean
        found = predict_clean_latents(scheduler, output, step, sample)
        assert (found - clean).abs().max() < 2e-2 * clean.abs().max()


def test_names_and_classes_agree():
    assert [scheduler_name(make_scheduler(name, PUBLISHED)) for name in NAMES] == NAMES
    assert isinstance(make_scheduler("ddim", PUBLISHED), DDIMScheduler)
    with pytest.raises(CheckpointError, match="PNDMScheduler is not a scheduler LaVie has"):
        scheduler_name(PNDMScheduler())
