import pytest
import torch
from diffusers import DDIMScheduler, PNDMScheduler

from lavie.errors import CheckpointError
from lavie.pipelines.schedulers import (
    make_respaced,
    make_scheduler,
    predict_clean_latents,
    respaced_timesteps,
    scheduler_name,
    true_output,
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
        told = true_output(scheduler, clean, sample, timestep)
        assert torch.allclose(told, output, atol=1e-3)
        found = predict_clean_latents(scheduler, output, step, sample)
        assert (found - clean).abs().max() < 2e-2 * clean.abs().max()


def test_names_and_classes_agree():
    assert [scheduler_name(make_scheduler(name, PUBLISHED)) for name in NAMES] == NAMES
    assert isinstance(make_scheduler("ddim", PUBLISHED), DDIMScheduler)
    with pytest.raises(CheckpointError, match="PNDMScheduler is not a scheduler LaVie has"):
        scheduler_name(PNDMScheduler())


@pytest.mark.parametrize("num_steps", [2, 7, 250])
def test_ddpm_with_steps_left_out_is_that_of_its_paper(num_steps):
    sampler = make_respaced("ddpm", PUBLISHED, num_steps, torch.device("cpu"))
    ours = theirs = torch.randn(2, 3, 4, dtype=torch.float64, generator=seeded(0))
    ours_noise, their_noise = seeded(1), seeded(1)
    kept = respaced_timesteps(num_steps)[::-1]
    whole = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    products = (1 - whole).cumprod(0)[kept]
    before = torch.cat([torch.ones(1, dtype=torch.float64), products[:-1]])
    betas = 1 - products / before
    assert sampler.timesteps.tolist() == kept[::-1]
    for index, timestep in zip(reversed(range(num_steps)), sampler.timesteps, strict=True):
        noise = torch.sin(ours + timestep)
        ours = sampler.step(noise, timestep, ours, generator=ours_noise).prev_sample

        # Equations 9 to 11 of DDPM on the steps that are kept, with the large variance
        noise = torch.sin(theirs + timestep)
        clean = (theirs - (1 - products[index]).sqrt() * noise) / products[index].sqrt()
        mean = before[index].sqrt() * betas[index] / (1 - products[index]) * clean
        mean += (1 - betas[index]).sqrt() * (1 - before[index]) / (1 - products[index]) * theirs
        theirs = mean
        if index:
            drawn = torch.randn(theirs.shape, dtype=torch.float64, generator=their_noise)
            theirs = mean + betas[index].sqrt() * drawn
    assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-3)


def seeded(seed):
    return torch.Generator().manual_seed(seed)
