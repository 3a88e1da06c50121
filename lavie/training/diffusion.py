"""What a denoising network is trained towards, and how much each noise level counts."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr
from pydantic import Field, model_validator
from torch import Tensor

from lavie.config import Config
from lavie.pipelines.schedulers import read_clean_latents

_NUM_TIMESTEPS = 1000


class DiffusionConfig(Config):
    """The noise process of a stage. Defaults are the published LaVie's."""

    prediction_type: Literal["epsilon", "v_prediction"] = "epsilon"
    """What the network says: the noise, or the velocity."""
    beta_start: Annotated[float, Field(gt=0, lt=1)] = 1e-4
    """Variance of the noise added by the first step."""
    beta_end: Annotated[float, Field(gt=0, lt=1)] = 0.02
    """Variance of the noise added by the last step, at least the first's."""
    beta_schedule: Literal["linear", "scaled_linear"] = "linear"
    """How it grows in between; scaled_linear, in its square root, is Stable Diffusion's."""
    timesteps: tuple[int, int] = (0, 1000)
    """Noise levels that are trained, from the first to before the second."""
    high_noise_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of samples drawn from `high_noise` instead of from all timesteps."""
    high_noise: tuple[int, int] = (820, 1000)
    """The noisiest levels, where layout and motion are decided."""
    min_snr_gamma: Annotated[float, Field(gt=0)] | None = None
    """Min-SNR loss weighting (arXiv:2303.09556); off when null."""

    @model_validator(mode="after")
    def _has_levels(self) -> Self:
        for name in ("timesteps", "high_noise"):
            start, end = getattr(self, name)
            if not 0 <= start < end <= _NUM_TIMESTEPS:
                raise ValueError(
                    f"{name} [{start}, {end}] must rise within 0 and {_NUM_TIMESTEPS}."
                )
        if self.beta_start > self.beta_end:
            raise ValueError(
                f"beta_start {self.beta_start} must not be above beta_end {self.beta_end}."
            )
        return self

    def build_scheduler(self) -> DDPMScheduler:
        """The scheduler that adds this noise, saved beside the model it trained."""
        return DDPMScheduler(
            num_train_timesteps=_NUM_TIMESTEPS,
            beta_start=self.beta_start,
            beta_end=self.beta_end,
            beta_schedule=self.beta_schedule,
            prediction_type=self.prediction_type,
            clip_sample=False,
            steps_offset=0,
            timestep_spacing="trailing" if self.prediction_type == "v_prediction" else "leading",
        )


class DiffusionObjective:
    """Draws noise levels, makes noisy latents and scores predictions.

    Args:
        config: The noise process.
    """

    def __init__(self, config: DiffusionConfig) -> None:
        self.config = config
        self.scheduler = config.build_scheduler()

    def corrupt(
        self,
        latents: Tensor,
        generator: torch.Generator,
        share_noise: bool = False,
        timesteps: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Add noise of a random level to each sample.

        Args:
            latents: ``(B, C, F, h, w)``, unit variance.
            generator: On the CPU, so that the noise does not depend on the device.
            share_noise: Whether all frames of a sample get the same noise.
            timesteps: Integers ``(B,)``, which levels; None draws them.

        Returns:
            Noisy latents, what the network should say of them (both of the same shape), and the
            integer timesteps ``(B,)``.
        """
        if timesteps is None:
            timesteps = self._draw_timesteps(len(latents), generator)
        timesteps = timesteps.to(latents.device)
        noise = draw_noise(latents.shape, generator, share_noise).to(latents.device)
        noisy = self.scheduler.add_noise(latents, noise, timesteps)
        if self.config.prediction_type == "epsilon":
            return noisy, noise, timesteps
        return noisy, self.scheduler.get_velocity(latents, noise, timesteps), timesteps

    def clean(self, prediction: Tensor, noisy: Tensor, timesteps: Tensor) -> Tensor:
        """What the latents are without noise, by what the network says of them.

        Args:
            prediction: ``(B, C, F, h, w)``.
            noisy: What it was said of, of the same shape.
            timesteps: ``(B,)``.
        """
        signal = self.scheduler.alphas_cumprod.to(noisy)[timesteps.to(noisy.device)]
        signal = signal[:, None, None, None, None]
        alpha_t, sigma_t = signal.sqrt(), (1 - signal).sqrt()
        return read_clean_latents(self.config.prediction_type, prediction, noisy, alpha_t, sigma_t)

    def _draw_timesteps(self, count: int, generator: torch.Generator) -> Tensor:
        usual = torch.randint(*self.config.timesteps, (count,), generator=generator)
        high = torch.randint(*self.config.high_noise, (count,), generator=generator)
        is_high = torch.rand(count, generator=generator) < self.config.high_noise_share
        return torch.where(is_high, high, usual)

    def loss(
        self,
        prediction: Tensor,
        target: Tensor,
        timesteps: Tensor,
        weight: Tensor | None = None,
    ) -> Tensor:
        """Weighted mean squared error of each frame, ``(B, F)``.

        Args:
            prediction: ``(B, C, F, h, w)``.
            target: The same shape.
            timesteps: ``(B,)``.
            weight: ``(B, 1, F, h, w)``, how much each place counts; None counts all alike.
        """
        error = (prediction.float() - target.float()).square()
        if weight is not None:
            error = error * (weight / weight.mean(dim=(3, 4), keepdim=True))
        error = error.mean(dim=(1, 3, 4))  # (B, F)
        if self.config.min_snr_gamma is None:
            return error
        snr = compute_snr(self.scheduler, timesteps)
        scale = snr.clamp(max=self.config.min_snr_gamma)
        scale = scale / (snr if self.config.prediction_type == "epsilon" else snr + 1)
        return error * scale[:, None]


def draw_noise(
    shape: Sequence[int], generator: torch.Generator, share_noise: bool = False
) -> Tensor:
    """Unit noise ``(B, C, F, h, w)``; the same for all frames of a sample if they share it."""
    B, C, F, h, w = shape
    noise = torch.randn((B, C, 1 if share_noise else F, h, w), generator=generator)
    return noise.expand(*shape)
