"""The interpolation network at work: what it sees of the given frames, window by window."""

from collections.abc import Sequence

import torch
from diffusers.models.unets.unet_3d_condition import UNet3DConditionOutput
from torch import Tensor

from lavie.models import InterpolationUNet
from lavie.pipelines.between import FACTOR, neighbouring_latents, repeat_given_latents
from lavie.pipelines.windows import Window, blend_windows
from lavie.pipelines.work import Work


def lay_under(unet: InterpolationUNet, given: Tensor) -> Tensor:
    """What a network sees of the given latents ``(B, C, F, h, w)``, beside each noisy frame."""
    if unet.sees_both_neighbours:
        return neighbouring_latents(given)
    return repeat_given_latents(given)


class WindowedNetwork:
    """The network, window by window, with the given frames beside the noisy ones.

    Args:
        unet: The network.
        condition: What `lay_under` gave, for every frame of the result.
        windows: Of the result's frames.
        work: Counts the layers of every window of every step.
        takes_turns: Whether the two predictions of guidance are made one after the other.
    """

    def __init__(
        self,
        unet: InterpolationUNet,
        condition: Tensor,
        windows: Sequence[Window],
        work: Work,
        takes_turns: bool = False,
    ) -> None:
        self.unet = unet
        self.condition = condition
        self.windows = windows
        self.work = work
        self.takes_turns = takes_turns

    def __call__(self, sample: Tensor, timestep: Tensor, text: Tensor) -> UNet3DConditionOutput:
        """Predict for ``(1 or 2, C, F, h, w)``."""
        num_at_once = 1 if self.takes_turns else len(sample)
        parts = zip(sample.split(num_at_once), text.split(num_at_once), strict=True)
        predictions = [self._predict(part, timestep, own_text) for part, own_text in parts]
        return UNet3DConditionOutput(torch.cat(predictions))

    def _predict(self, sample: Tensor, timestep: Tensor, text: Tensor) -> Tensor:
        clean = self.condition.to(sample.dtype).expand(len(sample), -1, -1, -1, -1)

        def predict(part: Tensor) -> Tensor:
            output = self.unet(
                part,
                timestep,
                text,
                frame_index=self._places(part),
                on_layer=self.work.counter("network"),
            )
            return output.sample

        return blend_windows(predict, torch.cat([sample, clean], dim=1), self.windows)

    def _places(self, part: Tensor) -> Tensor | None:
        """Where a window's frames lie, counted in given frames from its start.

        Only for networks that were trained to read it, as the miniature; not the published one.
        """
        if not self.unet.config["use_frame_embedding"]:
            return None
        return torch.arange(part.shape[2], device=part.device) / FACTOR
