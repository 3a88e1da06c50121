import pytest
import torch
from diffusers.training_utils import compute_snr

from lavie.config import load_config
from lavie.errors import ConfigError
from lavie.training.config import OptimizerConfig
from lavie.training.diffusion import DiffusionConfig, DiffusionObjective

LATENTS = torch.randn(4, 2, 3, 5, 6, generator=torch.Generator().manual_seed(0))


def generator():
    return torch.Generator().manual_seed(1)


def test_a_perfect_prediction_costs_nothing_per_frame():
    objective = DiffusionObjective(DiffusionConfig())
    _, target, timesteps = objective.corrupt(LATENTS, generator())
    assert torch.equal(objective.loss(target, target, timesteps), torch.zeros(4, 3))


def test_noise_follows_the_generator_alone():
    objective = DiffusionObjective(DiffusionConfig())
    first, second = (objective.corrupt(LATENTS, generator()) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_timesteps_stay_in_their_ranges():
    config = DiffusionConfig(timesteps=(10, 20), high_noise=(900, 950), high_noise_share=0.5)
    objective = DiffusionObjective(config)
    timesteps = objective.corrupt(LATENTS[:1].expand(400, -1, -1, -1, -1), generator())[2]
    high = (timesteps >= 900) & (timesteps < 950)
    assert bool((high | ((timesteps >= 10) & (timesteps < 20))).all())
    assert 150 < int(high.sum()) < 250


def test_weights_move_the_loss_within_a_frame_and_keep_its_size():
    objective = DiffusionObjective(DiffusionConfig())
    target, timesteps = torch.zeros_like(LATENTS), torch.zeros(4, dtype=torch.long)
    weight = torch.ones(4, 1, 3, 5, 6)
    weight[..., 0] = 4
    even = objective.loss(torch.ones_like(LATENTS), target, timesteps, weight)
    torch.testing.assert_close(even, torch.ones(4, 3))
    left = torch.zeros_like(LATENTS)
    left[..., 0] = 1
    ratio = objective.loss(left, target, timesteps, weight) / objective.loss(
        left, target, timesteps
    )
    torch.testing.assert_close(ratio, torch.full((4, 3), 4 / 1.5))


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_a_perfect_prediction_tells_the_clean_latents(prediction_type):
    objective = DiffusionObjective(DiffusionConfig(prediction_type=prediction_type))
    levels = torch.tensor([5, 200, 500, 800])
    noisy, target, timesteps = objective.corrupt(LATENTS, generator(), timesteps=levels)
    torch.testing.assert_close(
        objective.clean(target, noisy, timesteps), LATENTS, atol=1e-3, rtol=0
    )


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_min_snr_is_the_clean_latents_error_with_a_clamped_weight(prediction_type):
    config = DiffusionConfig(prediction_type=prediction_type, min_snr_gamma=5.0)
    objective = DiffusionObjective(config)
    timesteps = torch.tensor([20, 200, 500, 900])
    alpha = objective.scheduler.alphas_cumprod[timesteps].sqrt().view(4, 1, 1, 1, 1)
    sigma = (1 - alpha.square()).sqrt()
    noise = torch.randn(LATENTS.shape, generator=generator())
    target = noise if prediction_type == "epsilon" else alpha * noise - sigma * LATENTS
    prediction = target + 0.1 * torch.randn(LATENTS.shape, generator=generator())

    noisy = alpha * LATENTS + sigma * noise
    if prediction_type == "epsilon":
        clean = (noisy - sigma * prediction) / alpha
    else:
        clean = alpha * noisy - sigma * prediction
    snr = compute_snr(objective.scheduler, timesteps)
    expected = (clean - LATENTS).square().mean((1, 3, 4)) * snr.clamp(max=5.0)[:, None]
    loss = objective.loss(prediction, target, timesteps)
    torch.testing.assert_close(loss, expected, rtol=1e-2, atol=1e-6)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("timesteps=[5, 5]", r"timesteps \[5, 5\] must rise within 0 and 1000"),
        ("high_noise=[-1, 10]", "high_noise"),
        ("high_noise=[900, 1001]", "high_noise"),
        ("beta_start=0.5", "beta_start 0.5 must not be above beta_end 0.02"),
    ],
)
def test_a_noise_process_that_makes_no_sense_is_refused(override, words):
    with pytest.raises(ConfigError, match=words):
        load_config(DiffusionConfig, overrides=[override])


def test_adamw_never_forgets_nothing():
    with pytest.raises(ConfigError, match="should be less than 1"):
        load_config(OptimizerConfig, overrides=["betas=[0.9, 1.0]"])
