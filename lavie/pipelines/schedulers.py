"""The four samplers, built from a model folder's own noise schedule."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
)
from torch import Tensor

from lavie.errors import CheckpointError
from lavie.types import SchedulerName

Scheduler = DDIMScheduler | DDPMScheduler | DPMSolverMultistepScheduler | EulerDiscreteScheduler

# What each sampler needs beyond the folder's schedule. The published code took DDPM's timesteps
# without the offset that DDIM has, and Euler's evenly spaced from 999 to 0 (CHECKPOINTS 2.5).
_SAMPLERS: dict[SchedulerName, tuple[type[Scheduler], dict[str, Any]]] = {
    "dpm++": (
        DPMSolverMultistepScheduler,
        {"timestep_spacing": "linspace", "algorithm_type": "dpmsolver++", "solver_order": 2},
    ),
    "ddim": (DDIMScheduler, {"timestep_spacing": "leading"}),
    "ddpm": (DDPMScheduler, {"timestep_spacing": "leading", "steps_offset": 0}),
    "euler": (EulerDiscreteScheduler, {"timestep_spacing": "linspace"}),
}


def make_scheduler(name: SchedulerName, config: Mapping[str, Any]) -> Scheduler:
    """Build a sampler that keeps a folder's noise schedule and prediction type.

    Trailing timesteps are kept too, because a network trained with zero terminal SNR needs its
    last timestep. "leading" and "linspace" are the older samplers' own habits rather than facts
    about the network, so there each sampler uses its own.

    Args:
        name: ``dpm++`` (second order, the fast one), ``ddim`` (eta 0), ``ddpm`` or ``euler``.
        config: Any diffusers scheduler config, or the published ``scheduler_config.json``.

    Returns:
        A fresh scheduler, on which ``set_timesteps`` was not called yet.
    """
    scheduler_class, habits = _SAMPLERS[name]
    settings = {"clip_sample": False, **config, **habits}  # latents are not bound to [-1, 1]
    if config.get("timestep_spacing") == "trailing":
        settings["timestep_spacing"] = "trailing"
    return scheduler_class.from_config(settings)


def scheduler_name(scheduler: object) -> SchedulerName:
    """Name a model folder's own scheduler.

    Raises:
        CheckpointError: It is not one of the four.
    """
    for name, (scheduler_class, _) in _SAMPLERS.items():
        if isinstance(scheduler, scheduler_class):
            return name
    known = ", ".join(scheduler_class.__name__ for scheduler_class, _ in _SAMPLERS.values())
    raise CheckpointError(f"{type(scheduler).__name__} is not a scheduler LaVie has: {known}.")


def predict_clean_latents(
    scheduler: Scheduler, model_output: Tensor, step: int, latents: Tensor
) -> Tensor:
    """Read what the network believes the clean latents to be.

    Every sampler is brought to ``x_t = alpha_t x_0 + sigma_t eps`` with
    ``alpha_t^2 + sigma_t^2 = 1``, the space in which the network sees its input.

    Args:
        scheduler: Its timesteps are set.
        model_output: Noise or velocity, as ``prediction_type`` says, ``(B, C, F, h, w)``.
        step: Index into the scheduler's timesteps.
        latents: What the network was shown, after ``scale_model_input``.

    Returns:
        Predicted clean latents, ``(B, C, F, h, w)``.
    """
    if isinstance(scheduler, (DPMSolverMultistepScheduler, EulerDiscreteScheduler)):
        alpha_t = (scheduler.sigmas[step].double() ** 2 + 1) ** -0.5
    else:
        alpha_t = scheduler.alphas_cumprod[scheduler.timesteps[step].long().cpu()].double() ** 0.5
    sigma_t = (1 - alpha_t**2) ** 0.5
    prediction_type = scheduler.config["prediction_type"]
    return read_clean_latents(
        prediction_type, model_output, latents, float(alpha_t), float(sigma_t)
    )


def read_clean_latents(
    prediction_type: str,
    model_output: Tensor,
    latents: Tensor,
    alpha_t: Tensor | float,
    sigma_t: Tensor | float,
) -> Tensor:
    """Solve ``x_t = alpha_t x_0 + sigma_t eps`` for the clean latents.

    Args:
        prediction_type: Of the network: ``epsilon``, ``v_prediction`` or ``sample``.
        model_output: What it said, ``(B, C, F, h, w)``.
        latents: x_t, of the same shape.
        alpha_t: Of the signal: a number, or one for each sample.
        sigma_t: Of the noise, likewise.

    Source: Salimans and Ho (arXiv:2202.00512), appendix D, for velocity.
    """
    match prediction_type:
        case "v_prediction":
            return alpha_t * latents - sigma_t * model_output
        case "sample":
            return model_output
        case _:
            return (latents - sigma_t * model_output) / alpha_t


def true_output(
    scheduler: Scheduler, clean: Tensor, latents: Tensor, timestep: Tensor | int
) -> Tensor:
    """What a network that knows the clean latents says of noisy ones.

    Args:
        scheduler: Any, with the noise schedule of the network.
        clean: ``(B, C, F, h, w)``.
        latents: What the network is shown, of the same shape.
        timestep: The one of all of them; between two of the schedule's the nearer one counts.

    Returns:
        Noise or velocity, as ``prediction_type`` says, of the same shape and dtype as ``latents``.
    """
    level = int(torch.as_tensor(timestep).float().reshape(-1)[0].round())
    signal = float(scheduler.alphas_cumprod[level])
    alpha_t, sigma_t = signal**0.5, (1 - signal) ** 0.5
    clean = clean.float()
    noise = (latents.float() - alpha_t * clean) / sigma_t
    match scheduler.config["prediction_type"]:
        case "v_prediction":
            output = alpha_t * noise - sigma_t * clean
        case "sample":
            output = clean
        case _:
            output = noise
    return output.to(latents)


# DDIM is DPM-Solver++ of the first order, which allows steps of any length.
_RESPACED: dict[SchedulerName, tuple[type[Scheduler], dict[str, Any]]] = {
    "ddim": (
        DPMSolverMultistepScheduler,
        {"algorithm_type": "dpmsolver++", "solver_order": 1, "final_sigmas_type": "zero"},
    ),
    "ddpm": (DDPMScheduler, {"clip_sample": False, "variance_type": "fixed_large"}),
}


def make_respaced(
    name: Literal["ddim", "ddpm"],
    config: Mapping[str, Any],
    num_inference_steps: int,
    device: torch.device,
) -> Scheduler:
    """Build a sampler with the uneven steps of the published later codes, ready to run.

    Args:
        name: ``ddim``, or ``ddpm`` with the large variance.
        config: As in `make_scheduler`.
        num_inference_steps: At least 1.
        device: Where it is to work.

    Source: Nichol and Dhariwal (arXiv:2102.09672), section 4, for steps left out.
    """
    scheduler_class, habits = _RESPACED[name]
    sampler: Any = scheduler_class.from_config(config, **habits)
    steps = respaced_timesteps(num_inference_steps, len(sampler.alphas_cumprod))
    sampler.set_timesteps(timesteps=steps, device=device)
    return sampler


def respaced_timesteps(num_inference_steps: int, num_train_timesteps: int = 1000) -> list[int]:
    """Timesteps evenly from the last to 0, rounded, as in the published later codes.

    50 of 1000 are 999, 979, 958, ..., 20, 0. A single step is the last timestep.
    """
    if num_inference_steps == 1:
        return [num_train_timesteps - 1]
    return np.linspace(num_train_timesteps - 1, 0, num_inference_steps).round().astype(int).tolist()
