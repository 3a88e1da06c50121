"""Stage ``long_video``: the base model learns to go on from frames that are given."""

from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from lavie.data.joint import JointBatch
from lavie.models import BaseUNet
from lavie.models.given_frames import beside_given_frames, encode_nothing
from lavie.pipelines.long_video import LongVideoPipeline
from lavie.training.stages.base import BaseConfig, BaseStage
from lavie.training.stages.denoising import Denoiser


class LongVideoConfig(BaseConfig):
    """Settings of stage ``long_video``.

    Clips that are continuations say themselves what is given. Of all others the first frames are,
    the first and the last ones, or none.
    """

    max_given: Annotated[int, Field(ge=1)] = 4
    """K, the most first frames that are given; how many is drawn for every clip, from 1 on."""
    none_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of clips of which nothing is given: plain text-to-video."""
    both_ends_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of clips whose last frames are given too, as many as of the first: transitions."""
    given_noise: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Deviation, at most, of the noise on given latents, drawn for every clip. What a window is
    given was itself made, with flaws that it should not hand on; the published code adds none."""
    given_remade: Annotated[int, Field(ge=0, le=1000)] = 0
    """Timestep, at most, from which what is given is remade in one step by the network itself, with
    nothing given to it; drawn for every clip. So it meets flaws of its own making, as in films, and
    learns to put them right instead of handing them on. 0: given frames are the clip's own."""
    guidance_hides_given: bool = False
    """How the trained model samples, see `LongVideoPipeline`; its usual guidance is then lower."""
    num_eased: Annotated[int, Field(ge=0)] = 0
    """Frames over which films go on to the look of a new window, see `ease_in`; learns nothing."""

    @model_validator(mode="after")
    def _leaves_something_to_make(self) -> Self:
        if self.none_share + self.both_ends_share > 1:
            raise ValueError("none_share and both_ends_share must not be more than 1 together.")
        if self.guidance_hides_given and not self.none_share:
            raise ValueError(
                "guidance_hides_given needs a model that knows clips of which nothing is given. Use"
                " a none_share above 0."
            )
        num_frames = min(self.frames_per_clip or self.video.num_frames, self.video.num_frames)
        if num_frames < self.video.num_frames and any(each.continuations for each in self.videos):
            raise ValueError(
                "Continuations say which of all their frames are given. Leave frames_per_clip out."
            )
        if 2 * self.max_given >= num_frames:
            raise ValueError(
                f"max_given {self.max_given} at both ends leaves nothing of {num_frames} frames to "
                f"make; use at most {(num_frames - 1) // 2}."
            )
        return self


class LongVideoStage(BaseStage):
    """Denoise clips of which some frames are given, with independent stills behind them.

    Source: LaVie (arXiv:2309.15103), section 5.6; mask and order of the inputs as in ``seine.pt``.
    """

    name = "long_video"

    def __init__(self, config: LongVideoConfig) -> None:
        super().__init__(config)
        self._given_settings = config
        unet = self.model.unet
        if not unet.takes_given_frames:
            channels = BaseUNet.input_channels(unet.config["out_channels"])[1]
            self.model.unet = BaseUNet.from_base(unet, channels)
            self.choose_weights()
        self._nothing: Tensor | None = None

    def corrupt(
        self, latents: Tensor, batch: JointBatch, network: Denoiser, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Noisy latents, mask and given frames; of the stills nothing is given.

        Flaws of what is given are also in its noisy latents, as where `LongVideoPipeline` holds it.
        """
        if self._nothing is None:
            self._nothing = encode_nothing(self.model.vae, *latents.shape[-2:])
        is_given = self._draw_given(batch, generator)
        flawed = self._spoil(latents, self._nothing, network, generator)
        latents = torch.where(is_given[:, None, :, None, None].to(latents.device), flawed, latents)
        noisy, target, timesteps = self.objective.corrupt(latents, generator)
        return (
            beside_given_frames(noisy, latents, is_given, self._nothing),
            target,
            timesteps,
        )

    @torch.no_grad()
    def _spoil(
        self, latents: Tensor, nothing: Tensor, network: Denoiser, generator: torch.Generator
    ) -> Tensor:
        """Latents with the flaws of what was itself made.

        Source: errors made in one step and put into what is given, from Stable Video Infinity
        (arXiv:2510.09212).
        """
        config = self._given_settings
        if config.given_remade:
            timesteps = torch.randint(config.given_remade, (len(latents),), generator=generator)
            noisy, _, timesteps = self.objective.corrupt(latents, generator, timesteps=timesteps)
            is_given = torch.zeros(1, latents.shape[2], dtype=torch.bool)
            seen = beside_given_frames(noisy, latents, is_given, nothing)
            latents = self.objective.clean(network(seen, timesteps).sample, noisy, timesteps)
        if config.given_noise:
            amount = config.given_noise * torch.rand(len(latents), 1, 1, 1, 1, generator=generator)
            noise = torch.randn(latents.shape, generator=generator)
            latents = latents + (amount * noise).to(latents)
        return latents

    def pipeline(self) -> LongVideoPipeline:
        """The model as users run it."""
        base = super().pipeline()
        usual = {
            name: value
            for name, value in base.config.items()
            if name.startswith(("default_", "latent_rgb_"))
        }
        pipeline = LongVideoPipeline(
            **base.components,
            **usual,
            default_num_given=self._given_settings.max_given,
            holds_given=True,
            guidance_hides_given=self._given_settings.guidance_hides_given,
            num_eased=self._given_settings.num_eased,
        )
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def _draw_given(self, batch: JointBatch, generator: torch.Generator) -> Tensor:
        """Which frames of each row are given, boolean ``(B, F + M)``."""
        num_rows, _, total = batch.pixels.shape[:3]
        num_frames = total - batch.num_images
        config = self._given_settings
        counts = torch.randint(1, config.max_given + 1, (num_rows,), generator=generator)
        kinds = torch.rand(num_rows, generator=generator)
        is_given = torch.zeros(num_rows, total, dtype=torch.bool)
        begins = batch.begins_at or (0,) * num_rows
        for row, begins_at in enumerate(begins):
            count = int(counts[row])
            if begins_at:
                is_given[row, :begins_at] = True
            elif kinds[row] >= config.none_share:
                is_given[row, :count] = True
                if kinds[row] < config.none_share + config.both_ends_share:
                    is_given[row, num_frames - count : num_frames] = True
        return is_given
