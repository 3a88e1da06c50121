"""The interpolation stage: three new frames between every two, by guided diffusion."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from diffusers import AutoencoderKL, DPMSolverMultistepScheduler
from diffusers.models.unets.unet_3d_condition import UNet3DConditionOutput
from diffusers.utils import BaseOutput
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from lavie.errors import InputError
from lavie.media import pixels_to_frames
from lavie.models import InterpolationUNet
from lavie.models.latents import decode_latents, encode_pixels
from lavie.pipelines import limits
from lavie.pipelines.batch import one_generator_each, one_prompt_each
from lavie.pipelines.given_video import check_video, pixels_of
from lavie.pipelines.schedulers import Scheduler
from lavie.pipelines.video_pipeline import (
    DenoisingSettings,
    StepCallback,
    VideoPipeline,
    default_to,
)
from lavie.pipelines.windows import Window, blend_windows, plan_windows
from lavie.types import CancelToken, Frames, SchedulerName

FACTOR = 4
"""Frames of the result per given frame."""

OutputType = Literal["frames", "pt", "latent"]


@dataclass
class InterpolationOutput(BaseOutput):
    """The smoothed video.

    Args:
        frames: uint8 array ``(1, 4F - 3, H, W, 3)``; pixels ``(1, 3, 4F - 3, H, W)`` in [-1, 1] for
            output type ``pt``; latents ``(1, C, 4F - 3, h, w)`` for ``latent``.
    """

    frames: np.ndarray | Tensor


class InterpolationPipeline(VideoPipeline):
    """LaVie's temporal interpolation model: F frames in, 4F - 3 out.

    All frames are made anew, the given ones too, which come out close to what they were.

    Args:
        vae: Image autoencoder, used frame by frame.
        text_encoder: CLIP; its last hidden state conditions the network.
        tokenizer: Pads and cuts to its ``model_max_length``.
        unet: The interpolation network.
        scheduler: Holds the noise schedule and is the sampler used when a call names none.
        default_num_frames: Given frames of one window, as trained; 16 give 61.
        default_num_inference_steps: Steps of the folder's own sampler.
        default_guidance_scale: 4.0 in the published code.
        prompt_suffix: Put behind every prompt; ``", 4k."`` in the published code.
        latent_rgb_factors: See `TextToVideoPipeline`.
        latent_rgb_bias: See `TextToVideoPipeline`.

    Source: LaVie (arXiv:2309.15103), section 3.2.
    """

    model_cpu_offload_seq = "text_encoder->unet->vae"

    unet: InterpolationUNet

    def __init__(
        self,
        vae: AutoencoderKL,
        text_encoder: CLIPTextModel,
        tokenizer: CLIPTokenizer,
        unet: InterpolationUNet,
        scheduler: Scheduler,
        default_num_frames: int = 16,
        default_num_inference_steps: int = 25,
        default_guidance_scale: float = 4.0,
        prompt_suffix: str = ", 4k.",
        latent_rgb_factors: list[list[float]] | None = None,
        latent_rgb_bias: list[float] | None = None,
    ) -> None:
        super().__init__()
        self.register_modules(
            vae=vae,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            unet=unet,
            scheduler=scheduler,
        )
        self.register_to_config(
            default_num_frames=default_num_frames,
            default_num_inference_steps=default_num_inference_steps,
            default_guidance_scale=default_guidance_scale,
            prompt_suffix=prompt_suffix,
            latent_rgb_factors=latent_rgb_factors,
            latent_rgb_bias=latent_rgb_bias,
        )

    @torch.no_grad()
    def __call__(
        self,
        video: Frames | Tensor | None,
        prompt: str | None = None,
        negative_prompt: str = "None",
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        scheduler: SchedulerName | None = None,
        generator: torch.Generator | None = None,
        latents: Tensor | None = None,
        given_latents: Tensor | None = None,
        prompt_embeds: Tensor | None = None,
        negative_prompt_embeds: Tensor | None = None,
        sample_posterior: bool = False,
        window_overlap: int | None = None,
        output_type: OutputType = "frames",
        slice_size: int = 8,
        callback_on_step_end: StepCallback | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
        cancel: CancelToken | None = None,
        return_dict: bool = True,
    ) -> InterpolationOutput | tuple[np.ndarray | Tensor]:
        """Smooth one video.

        Args:
            video: uint8 frames ``(F, H, W, 3)`` or pixels ``(1, 3, F, H, W)`` in [-1, 1]; F at
                least 2, H and W multiples of the VAE's factor. None with ``given_latents``.
            prompt: What the video shows, 1 to 1,000 characters.
            negative_prompt: The literal "None" is what the network was trained with.
            num_inference_steps: 1 to 1000; None: the model's own.
            guidance_scale: 0 to 50; up to 1 means no guidance; None: the model's own.
            scheduler: Sampler by name; ``ddim`` with 50 steps and guidance 4 is the published one.
                None: the folder's own.
            generator: A CPU generator gives the same video on every device. None: different each
                time.
            latents: Initial noise ``(1, C, 4F - 3, h, w)`` of unit variance instead of drawing it.
            given_latents: ``(1, C, F, h, w)`` instead of encoding ``video``.
            prompt_embeds: ``(1, L, D)`` instead of ``prompt``.
            negative_prompt_embeds: ``(1, L, D)`` instead of ``negative_prompt``.
            sample_posterior: Encode to a sample of the VAE's posterior, as the published code does,
                instead of its mode.
            window_overlap: Given frames that two neighbouring windows share, where the video has
                more than one window's; at least 1, None: a quarter of a window. Their predictions
                are blended at every step.
            output_type: ``frames``, ``pt`` or ``latent``, see `InterpolationOutput`.
            slice_size: Frames encoded and decoded at once; memory grows with it.
            callback_on_step_end: See `TextToVideoPipeline`, as for the next.
            callback_on_step_end_tensor_inputs: Names of tensors.
            cancel: Looked at before every step, window and slice.
            return_dict: False gives a plain tuple.

        Raises:
            InputError: An argument breaks its rule.
            Cancelled: ``cancel`` was set.
        """
        # The door: nothing slow before all arguments are known to be good
        settings = self.check_denoising(num_inference_steps, guidance_scale, scheduler)
        limits.check_choice(output_type, get_args(OutputType), "output_type")
        limits.check_slice_size(slice_size, "slice_size")
        self.check_embeds(prompt_embeds, 1, "prompt_embeds")
        self.check_embeds(negative_prompt_embeds, 1, "negative_prompt_embeds")
        self.check_callback_tensors(callback_on_step_end_tensor_inputs)
        prompts = one_prompt_each(prompt, "prompt") if prompt_embeds is None else []
        negative_prompts = one_prompt_each(negative_prompt, "negative_prompt", 1)
        (generator,) = one_generator_each(generator, 1)
        source = self._check_video(video) if given_latents is None else given_latents
        num_given = source.shape[2]
        windows = self._windows(num_given, window_overlap)
        if cancel is not None:
            cancel.raise_if_cancelled()

        # The work
        prompt_embeds = self.embed_prompts(
            [text + self.config.prompt_suffix for text in prompts],
            negative_prompts if settings.guidance_scale > 1 else [],
            prompt_embeds,
            negative_prompt_embeds,
        )
        given = source.to(self._execution_device)
        if given_latents is None:
            posterior_generator = generator if sample_posterior else None
            given = encode_pixels(self.vae, given, posterior_generator, slice_size)
        condition = repeat_given_latents(given)
        if latents is None:
            latents = randn_tensor(
                tuple(condition.shape), [generator], self._execution_device, torch.float32
            )
        if latents.shape != condition.shape:
            raise InputError(
                f"Latents {tuple(latents.shape)} should be {tuple(condition.shape)}.", "latents"
            )

        def network(sample: Tensor, timestep: Tensor, text: Tensor) -> UNet3DConditionOutput:
            clean = condition.to(sample.dtype).expand(len(sample), -1, -1, -1, -1)
            sample = torch.cat([sample, clean], dim=1)
            if cancel is not None:
                cancel.raise_if_cancelled()
            return UNet3DConditionOutput(
                blend_windows(lambda part: self.unet(part, timestep, text).sample, sample, windows)
            )

        smooth = self.denoise(
            latents,
            prompt_embeds,
            self.make_sampler(settings),
            settings.guidance_scale,
            network,
            [generator],
            callback_on_step_end,
            callback_on_step_end_tensor_inputs,
            cancel,
        )
        if output_type != "latent":
            smooth = decode_latents(self.vae, smooth, slice_size, cancel)
        self.maybe_free_model_hooks()
        result = pixels_to_frames(smooth) if output_type == "frames" else smooth
        return InterpolationOutput(frames=result) if return_dict else (result,)

    def make_sampler(self, settings: DenoisingSettings) -> Scheduler:
        """A sampler of this call's own; ``ddim`` takes the uneven steps of the published code."""
        if settings.scheduler != "ddim":
            return super().make_sampler(settings)
        # DDIM is DPM-Solver++ of the first order, which allows steps of any length
        sampler: Any = DPMSolverMultistepScheduler.from_config(
            self.scheduler.config,
            algorithm_type="dpmsolver++",
            solver_order=1,
            final_sigmas_type="zero",
        )
        steps = respaced_timesteps(settings.num_inference_steps, len(sampler.alphas_cumprod))
        sampler.set_timesteps(timesteps=steps, device=self._execution_device)
        return sampler

    def _check_video(self, video: Frames | Tensor | None) -> Tensor:
        pixels = pixels_of(check_video(video))
        frames, height, width = pixels.shape[2:]
        if frames < 2:
            raise InputError("A video of one frame has nothing between its frames.", "video")
        factor = self.vae_scale_factor
        if height % factor or width % factor:
            raise InputError(
                f"The video is {width}x{height}; both must be multiples of {factor}. Resize it to "
                f"{max(1, width // factor) * factor}x{max(1, height // factor) * factor}.",
                "video",
            )
        return pixels

    def _windows(self, num_given: int, overlap: int | None) -> list[Window]:
        """Windows over the frames of the result, whose borders are given frames."""
        size = self.config.default_num_frames
        overlap = default_to(overlap, max(1, size // 4))
        overlap = limits.check_whole_number(overlap, "window_overlap", 1, size - 1)
        return [
            Window(FACTOR * window.start, FACTOR * (window.stop - 1) + 1)
            for window in plan_windows(num_given, size, overlap)
        ]


def repeat_given_latents(given: Tensor) -> Tensor:
    """Lay the given latents under the frames to be made.

    Given frame k lies under frames 4k - 1 to 4k + 2 of the result, whose frame 4k it is.

    Args:
        given: ``(B, C, F, h, w)``.

    Returns:
        ``(B, C, 4F - 3, h, w)``.
    """
    return given.repeat_interleave(FACTOR, dim=2)[:, :, 1:-2]


def respaced_timesteps(num_inference_steps: int, num_train_timesteps: int = 1000) -> list[int]:
    """Timesteps evenly from the last to 0, rounded, as in the published interpolation code.

    50 of 1000 are 999, 979, 958, ..., 20, 0. A single step is the last timestep.
    """
    if num_inference_steps == 1:
        return [num_train_timesteps - 1]
    return np.linspace(num_train_timesteps - 1, 0, num_inference_steps).round().astype(int).tolist()
