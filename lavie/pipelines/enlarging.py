"""One window of a video that is enlarged: its noise, what it takes over, and what it leaves."""

from dataclasses import dataclass, field

import torch
from diffusers import DDPMScheduler
from diffusers.models.unets.unet_3d_condition import UNet3DConditionOutput
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from lavie.models import SuperResolutionUNet
from lavie.pipelines.windows import blend_tiles
from lavie.pipelines.work import Work


@dataclass(frozen=True)
class Carried:
    """What a window leaves to the next for the frames they share; nothing, to the first.

    Args:
        pixels: Small video ``(1, 3, f, h, w)``.
        low_res: The same, noised.
        noise: Initial noise ``(1, C, f, h, w)``.
        outputs: What the network said at each step, ``(1 or 2, C, f, h, w)``.
    """

    pixels: Tensor | None = None
    low_res: Tensor | None = None
    noise: Tensor | None = None
    outputs: list[Tensor] = field(default_factory=list)

    def before(self, pixels: Tensor, low_res: Tensor, noise: Tensor) -> list[Tensor]:
        """All three of a window, whose own frames come after those that are carried."""
        known = (self.pixels, self.low_res, self.noise)
        return [
            new if old is None else torch.cat([old, new], dim=2)
            for old, new in zip(known, (pixels, low_res, noise), strict=True)
        ]


class WindowNoise:
    """Noises the small video and draws what to start from, in the published order.

    Args:
        scheduler: The noise schedule of the small video.
        level: How much noise the small video gets.
        num_channels: Of the latents.
        is_shared: Whether all frames get the same noise.
        generator: Source of all noise.
    """

    def __init__(
        self,
        scheduler: DDPMScheduler,
        level: int,
        num_channels: int,
        is_shared: bool,
        generator: torch.Generator,
    ) -> None:
        self.scheduler = scheduler
        self.level = level
        self.num_channels = num_channels
        self.is_shared = is_shared
        self.generator = generator
        self.shared: dict[int, Tensor] = {}

    def __call__(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Noised pixels and initial noise of further frames ``(1, 3, f, h, w)``."""
        noise = self._noise(3, pixels)
        low_res: Tensor = self.scheduler.add_noise(pixels, noise, torch.tensor([self.level]))
        return low_res, self._noise(self.num_channels, pixels)

    def _noise(self, channels: int, pixels: Tensor) -> Tensor:
        """``(1, channels, f, h, w)``; one frame's for all of the video if they share it."""
        _, _, f, h, w = pixels.shape
        if not self.is_shared:
            return self._randn((1, channels, f, h, w), pixels.device)
        if channels not in self.shared:
            self.shared[channels] = self._randn((1, channels, 1, h, w), pixels.device)
        return self.shared[channels].expand(-1, -1, f, -1, -1)

    def _randn(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        return randn_tensor(shape, self.generator, device, torch.float32)


class WindowNetwork:
    """The network on one window: knows the small video, and what was said of shared frames.

    Args:
        unet: The network.
        low_res: Noised small video ``(1, 3, f, h, w)``.
        noise_level: Of the small video.
        tile_size: Side of the tiles; None: whole frames.
        tile_overlap: Pixels that two tiles share.
        carried: What the window before said of the first frames, per step.
        num_final: Frames that no later window sees.
        work: Counts the layers of every tile of every step.
    """

    def __init__(
        self,
        unet: SuperResolutionUNet,
        low_res: Tensor,
        noise_level: int,
        tile_size: int | None,
        tile_overlap: int,
        carried: list[Tensor],
        num_final: int,
        work: Work,
    ) -> None:
        self.unet = unet
        self.low_res = low_res
        self.noise_level = noise_level
        self.tiles = tile_size, tile_overlap
        self.carried = carried
        self.num_final = num_final
        self.work = work
        self.kept: list[Tensor] = []

    def __call__(self, sample: Tensor, timestep: Tensor, text: Tensor) -> UNet3DConditionOutput:
        """Predict for ``(1 or 2, C, f, h, w)``, keeping what the next window will need."""
        low_res = self.low_res.to(sample.dtype).expand(len(sample), -1, -1, -1, -1)
        levels = torch.full(
            (len(sample),), self.noise_level, dtype=torch.long, device=sample.device
        )

        def predict(tile: Tensor) -> Tensor:
            noisy, small = tile.tensor_split([sample.shape[1]], dim=1)
            output = self.unet(
                noisy,
                timestep,
                text,
                low_res=small,
                class_labels=levels,
                on_layer=self.work.counter("network"),
            )
            return output.sample

        both = torch.cat([sample, low_res], dim=1)
        output = blend_tiles(predict, both, *self.tiles)
        if self.carried:
            said = self.carried[len(self.kept)]
            shared = said.shape[2]
            ramp = torch.arange(1, shared + 1, device=said.device, dtype=said.dtype)
            weight = (ramp / (shared + 1))[:, None, None]
            output[:, :, :shared] = said + weight * (output[:, :, :shared] - said)
        self.kept.append(output[:, :, self.num_final :].clone())
        return UNet3DConditionOutput(output)
