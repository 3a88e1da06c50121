"""FreeNoise: long videos from a network that was made for short ones, without training."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

import torch
from diffusers.pipelines.free_noise_utils import AnimateDiffFreeNoiseMixin
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from lavie.errors import InputError
from lavie.models.frame_windows import FrameWindows, WeightingScheme
from lavie.pipelines import limits
from lavie.pipelines.batch import one_prompt_each

logger = logging.getLogger(__name__)

NoiseType = Literal["shuffle_context", "repeat_context", "random"]
ChangingPrompt = Mapping[int, str]
"""Texts by the frame from which they hold; frame 0 has one."""
PromptInterpolation = Callable[[int, int, Tensor, Tensor], Tensor]
"""From first and last frame and their embeddings ``(1, L, D)`` to those of all frames between and
including them, ``(last - first + 1, L, D)``."""


@dataclass(frozen=True)
class FreeNoise:
    """How a long video is made; see `FreeNoiseMixin.enable_free_noise` for the settings.

    Source: FreeNoise (arXiv:2310.15169).
    """

    context_length: int
    context_stride: int
    weighting_scheme: WeightingScheme
    noise_type: NoiseType
    interpolate: PromptInterpolation

    @property
    def windows(self) -> FrameWindows:
        """The parts in which temporal attention sees a video."""
        return FrameWindows(self.context_length, self.context_stride, self.weighting_scheme)

    def check_call(
        self, num_frames: int, generators: Sequence[torch.Generator], network: object | None
    ) -> None:
        """Raise unless a call can make so long a video.

        Raises:
            InputError: It cannot.
        """
        if num_frames <= self.context_length:
            return
        if network is not None:
            raise InputError(
                f"{num_frames} frames need the windows of FreeNoise, which only the pipeline's own "
                f"network has. Leave network out, or make at most {self.context_length} frames.",
                "num_frames",
            )
        shuffles = self.noise_type == "shuffle_context"
        if shuffles and any(generator.device.type != "cpu" for generator in generators):
            raise InputError(
                "FreeNoise draws the order of frames from the generator, which must be a CPU "
                'generator. Use torch.Generator("cpu"); the video is the same on every device.',
                "generator",
            )

    def draw_noise(
        self,
        shape: tuple[int, int, int, int],
        generators: list[torch.Generator],
        device: torch.device,
    ) -> Tensor:
        """Noise whose frames are correlated far beyond a window.

        What follows the first window repeats its noise, in another order or in the same. A video
        that is not longer than a window gets the ordinary noise.

        Args:
            shape: Of one sample's latents, ``(C, F, h, w)``.
            generators: One per sample; the order of frames is drawn from it too.
            device: Where the noise is needed.

        Returns:
            ``(B, C, F, h, w)`` float32.

        Source: FreeNoise (arXiv:2310.15169), section 3.1, as in diffusers.
        """
        if shape[1] <= self.context_length or self.noise_type == "random":
            size = (len(generators), *shape)
            return randn_tensor(size, generators, device, torch.float32)
        return torch.cat([self._draw_one(shape, generator, device) for generator in generators])

    def _draw_one(
        self, shape: tuple[int, int, int, int], generator: torch.Generator, device: torch.device
    ) -> Tensor:
        channels, num_frames, height, width = shape
        first = None
        if self.noise_type == "repeat_context":  # diffusers repeats only noise that it is given
            size = (1, channels, self.context_length, height, width)
            first = randn_tensor(size, generator, device, torch.float32)
        return _NoisePreparation(self)._prepare_latents_free_noise(
            1, channels, num_frames, height, width, torch.float32, device, generator, first
        )

    def embed_over_time(
        self,
        encode: Callable[[Sequence[str]], Tensor],
        num_frames: int,
        prompts: Sequence[ChangingPrompt],
        embeds: Tensor | None = None,
    ) -> Tensor:
        """One embedding per frame; between the frames of two texts they are interpolated.

        Args:
            encode: Turns N texts into ``(N, L, D)``.
            num_frames: F.
            prompts: B prompts, as `one_changing_prompt_each` gives them.
            embeds: ``(B, L, D)`` instead of ``prompts``, the same for all frames.

        Returns:
            ``(B, F, L, D)``. The last text of a video holds from its frame to the end.
        """
        if embeds is not None:
            return embeds[:, None].expand(-1, num_frames, -1, -1)
        return torch.stack([self._embed_one(encode, each, num_frames) for each in prompts])

    def _embed_one(
        self, encode: Callable[[Sequence[str]], Tensor], prompt: ChangingPrompt, num_frames: int
    ) -> Tensor:
        starts = sorted(prompt)
        embeds = encode([prompt[start] for start in starts])
        frames = embeds[-1:].repeat(num_frames, 1, 1)
        for index, (start, stop) in enumerate(pairwise(starts)):
            between = self.interpolate(start, stop, embeds[[index]], embeds[[index + 1]])
            frames[start : stop + 1] = between
        return frames


class _NoisePreparation(AnimateDiffFreeNoiseMixin):
    """What diffusers' rescheduling of noise reads from a pipeline."""

    vae_scale_factor = 1  # the sizes it is given are those of latents already

    def __init__(self, free_noise: FreeNoise) -> None:
        self._free_noise_context_length = free_noise.context_length
        self._free_noise_context_stride = free_noise.context_stride
        self._free_noise_noise_type = free_noise.noise_type


def interpolate_linearly(first: int, last: int, start: Tensor, end: Tensor) -> Tensor:
    """Embeddings ``(last - first + 1, L, D)`` that go evenly from ``start`` to ``end``."""
    weight = torch.linspace(0, 1, last - first + 1, dtype=start.dtype, device=start.device)
    return torch.lerp(start, end, weight[:, None, None])


class FreeNoiseMixin:
    """The switches of a pipeline that can make long videos this way, named as in diffusers."""

    unet: Any
    config: Any
    _free_noise: FreeNoise | None = None

    @property
    def free_noise_enabled(self) -> bool:
        """Whether `enable_free_noise` holds."""
        return self._free_noise is not None

    def enable_free_noise(
        self,
        context_length: int | None = 16,
        context_stride: int = 4,
        weighting_scheme: WeightingScheme = "pyramid",
        noise_type: NoiseType = "shuffle_context",
        prompt_interpolation_callback: PromptInterpolation | None = None,
    ) -> None:
        """Make videos that are longer than the network was made for, until switched off.

        Temporal attention then sees a long video in overlapping windows, whose frames share their
        noise, and a call may have a prompt for each part: ``prompt={0: "...", 32: "..."}``. Videos
        of up to ``context_length`` frames with one prompt stay exactly what they are. The weights
        are not touched, and a call that has begun keeps the settings it began with.

        Args:
            context_length: Frames of a window, best what the model was made for; None: that.
            context_stride: Frames from one window to the next, 1 to ``context_length``. Fewer are
                smoother and slower.
            weighting_scheme: How windows are merged where they overlap: "flat", "pyramid" or
                "delayed_reverse_sawtooth", see `FrameWindows`.
            noise_type: "shuffle_context" repeats the noise of the first window in another order,
                "repeat_context" in the same order, "random" not at all.
            prompt_interpolation_callback: Called with the frames of two neighbouring prompts and
                their embeddings, see `PromptInterpolation`; None: evenly from one to the other.

        Raises:
            InputError: A value breaks its rule, or the network goes on from given frames.

        Source: FreeNoise (arXiv:2310.15169). Samplers that draw noise in their steps, as "ddpm",
            draw it anew for every frame; the others keep more of a long video the same.
        """
        if self.unet.takes_given_frames:
            raise InputError(
                "This model goes on from given frames, window after window, and needs no "
                "FreeNoise. Use it with the text-to-video model."
            )
        usual = self.config.default_num_frames
        length = limits.check_whole_number(
            usual if context_length is None else context_length, "context_length", 1, 2**16
        )
        stride = limits.check_whole_number(context_stride, "context_stride", 1, length)
        limits.check_choice(weighting_scheme, get_args(WeightingScheme), "weighting_scheme")
        limits.check_choice(noise_type, get_args(NoiseType), "noise_type")
        if length > usual:
            logger.warning(
                "A context_length of %d is more than the %d frames this model was made for.",
                length,
                usual,
            )
        interpolate = prompt_interpolation_callback or interpolate_linearly
        self._free_noise = FreeNoise(length, stride, weighting_scheme, noise_type, interpolate)

    def disable_free_noise(self) -> None:
        """Make videos as the network was made for again."""
        self._free_noise = None

    @contextmanager
    def free_noise(self, **settings) -> Iterator[None]:
        """`enable_free_noise` for as long as the block lasts; then it is as it was before.

        Args:
            **settings: As for `enable_free_noise`.

        Raises:
            InputError: A value breaks its rule, or the network goes on from given frames.
        """
        before = self._free_noise
        self.enable_free_noise(**settings)
        try:
            yield
        finally:
            self._free_noise = before


def one_changing_prompt_each(
    prompt: Any,  # noqa: ANN401
    field: str,
    num_frames: int,
    batch_size: int | None = None,
) -> list[ChangingPrompt]:
    """Give a checked prompt per video, as `one_prompt_each` does for plain texts.

    Args:
        prompt: One prompt or several; each a text, or texts by the frame from which they hold.
        field: ``prompt`` or ``negative_prompt``.
        num_frames: F.
        batch_size: How many videos there are; None: as many as there are prompts.

    Raises:
        InputError: A prompt breaks its rule, or there are too few or too many.
    """
    listed = prompt if isinstance(prompt, list | tuple) else [prompt]
    prompts: list[ChangingPrompt] = [
        dict(each) if isinstance(each, Mapping) else {0: each} for each in listed
    ]
    for each in prompts:
        _check_frames(each, field, num_frames)
        for text in each.values():
            limits.check_prompt(text, field)
    one_prompt_each([each[0] for each in prompts], field, batch_size)  # are they enough?
    return prompts * (batch_size or 1) if len(prompts) == 1 else prompts


def check_changes(prompts: Sequence[ChangingPrompt], free_noise: FreeNoise | None) -> bool:
    """Whether a prompt changes within its video, which only FreeNoise allows.

    Raises:
        InputError: One does, without FreeNoise.
    """
    changes = any(len(texts) > 1 for texts in prompts)
    if changes and free_noise is None:
        raise InputError(
            "A prompt that changes within the video needs FreeNoise. Call enable_free_noise() "
            "first, or give a single text.",
            "prompt",
        )
    return changes


def _check_frames(prompt: Mapping[Any, Any], field: str, num_frames: int) -> None:
    name = field.replace("_", " ")
    if 0 not in prompt:
        raise InputError(f"The {name} has no text for frame 0. Begin with {{0: '...'}}.", field)
    for frame in prompt:
        is_whole = isinstance(frame, int) and not isinstance(frame, bool)
        if not is_whole or not 0 <= frame < num_frames:
            raise InputError(
                f"The {name} has a text for frame {frame!r}, but the video has the frames 0 to "
                f"{num_frames - 1}.",
                field,
            )
