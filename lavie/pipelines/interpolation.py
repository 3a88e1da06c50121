"""The interpolation stage: three new frames between every two, by guided diffusion."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import numpy as np
import torch
from diffusers import AutoencoderKL
from diffusers.utils import BaseOutput
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from lavie.errors import InputError
from lavie.models import InterpolationUNet
from lavie.pipelines import limits
from lavie.pipelines.batch import one_generator_each, one_prompt_each
from lavie.pipelines.between import FACTOR, cross_fade, num_result_frames
from lavie.pipelines.coding import decode_video, encode_video, latent_shape
from lavie.pipelines.given_video import check_given_latents, check_video, size_of
from lavie.pipelines.schedulers import Scheduler, make_respaced
from lavie.pipelines.smoothing import WindowedNetwork, lay_under
from lavie.pipelines.video_pipeline import (
    DenoisingSettings,
    StepCallback,
    VideoPipeline,
    default_to,
)
from lavie.pipelines.windows import Window, plan_windows
from lavie.pipelines.work import OnProgress, Work
from lavie.runtime.tiling import frames_at_once
from lavie.types import CancelToken, FrameSequence, SchedulerName

NO_PROMPT = "None"
"""What the network was trained to read instead of a caption."""

OutputType = Literal["frames", "pt", "latent"]


@dataclass
class InterpolationOutput(BaseOutput):
    """The smoothed video.

    Args:
        frames: uint8 array ``(1, 4F - 3, H, W, 3)``; pixels ``(1, 3, 4F - 3, H, W)`` in [-1, 1] for
            output type ``pt``; latents ``(1, C, 4F - 3, h, w)`` for ``latent``, of the video with
            its border repeated up to multiples of the VAE's factor.
    """

    frames: np.ndarray | Tensor


@dataclass(frozen=True, kw_only=True)
class InterpolationSettings(DenoisingSettings):
    """What a call was asked to do, checked, with the model's own values filled in."""

    window_overlap: int
    sample_posterior: bool
    keep_details: bool


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
        default_keep_details: See the call; off in the published code.
        residual_scale: For networks trained from nothing: they make what the latents differ from a
            cross-fade of the given ones, divided by this. None, as published: the latents.
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
        default_keep_details: bool = False,
        residual_scale: float | None = None,
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
            default_keep_details=default_keep_details,
            residual_scale=residual_scale,
            latent_rgb_factors=latent_rgb_factors,
            latent_rgb_bias=latent_rgb_bias,
        )

    @torch.no_grad()
    def __call__(
        self,
        video: FrameSequence | Tensor | None,
        prompt: str | None = None,
        negative_prompt: str = NO_PROMPT,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        scheduler: SchedulerName | None = None,
        generator: torch.Generator | None = None,
        latents: Tensor | None = None,
        given_latents: Tensor | None = None,
        prompt_embeds: Tensor | None = None,
        negative_prompt_embeds: Tensor | None = None,
        sample_posterior: bool = False,
        keep_details: bool | None = None,
        window_overlap: int | None = None,
        output_type: OutputType = "frames",
        slice_size: int | None = None,
        guidance_takes_turns: bool = False,
        on_progress: OnProgress | None = None,
        callback_on_step_end: StepCallback | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
        cancel: CancelToken | None = None,
        return_dict: bool = True,
    ) -> InterpolationOutput | tuple[np.ndarray | Tensor]:
        """Smooth one video.

        Args:
            video: uint8 frames ``(F, H, W, 3)``, in memory or read as they are needed, or pixels
                ``(1, 3, F, H, W)`` in [-1, 1]; F at least 2, H and W 8 to 4,096. None with
                ``given_latents``.
            prompt: What the video shows, up to 1,000 characters. None or empty: the text "None",
                as trained, and no guidance.
            negative_prompt: The literal "None" is what the network was trained with.
            num_inference_steps: 1 to 1000; None: the model's own.
            guidance_scale: 0 to 50; up to 1 means no guidance; None: the model's own.
            scheduler: Sampler by name; ``ddim`` with 50 steps and guidance 4 is the published one.
                None: the folder's own.
            generator: A CPU generator gives the same video on every device. None: different each
                time.
            latents: Initial noise ``(1, C, 4F - 3, h, w)`` of unit variance instead of drawing it.
            given_latents: ``(1, C, F, h, w)`` instead of encoding ``video``; F at least 2.
            prompt_embeds: ``(1, L, D)`` instead of ``prompt``.
            negative_prompt_embeds: ``(1, L, D)`` instead of ``negative_prompt``.
            sample_posterior: Encode to a sample of the VAE's posterior, as the published code does,
                instead of its mode.
            keep_details: Give back to the frames, fading from each given one to the next, what the
                VAE loses of the given ones, which then stay what they are; costs decoding them too.
                Not with ``given_latents``. None: the model's own.
            window_overlap: Given frames that two neighbouring windows share, where the video has
                more than one window's; at least 1, None: a quarter of a window. Their predictions
                are blended at every step.
            output_type: ``frames``, ``pt`` or ``latent``, see `InterpolationOutput`.
            slice_size: Frames encoded and decoded at once; memory grows with it. None: fewer the
                larger they are.
            guidance_takes_turns: Predict with the prompt and without it one after the other: half
                the memory of a step, the same video up to rounding.
            on_progress: Hears of every encoded slice, of every layer of every window and step, and
                of every decoded slice; see `lavie.pipelines.work`.
            callback_on_step_end: See `TextToVideoPipeline`, as for the next.
            callback_on_step_end_tensor_inputs: Names of tensors.
            cancel: Looked at after every such part.
            return_dict: False gives a plain tuple.

        Raises:
            InputError: An argument breaks its rule.
            Cancelled: ``cancel`` was set.
        """
        # The door: nothing slow before all arguments are known to be good
        prompt = limits.check_optional_prompt(prompt)
        settings = self.check_settings(
            num_inference_steps,
            guidance_scale if prompt or prompt_embeds is not None else 1.0,
            scheduler,
            window_overlap,
            sample_posterior,
            keep_details,
        )
        limits.check_choice(output_type, get_args(OutputType), "output_type")
        if slice_size is not None:
            limits.check_slice_size(slice_size, "slice_size")
        self.check_embeds(prompt_embeds, 1, "prompt_embeds")
        self.check_embeds(negative_prompt_embeds, 1, "negative_prompt_embeds")
        self.check_callback_tensors(callback_on_step_end_tensor_inputs)
        text = prompt + self.config.prompt_suffix if prompt else NO_PROMPT
        negative_prompts = one_prompt_each(negative_prompt, "negative_prompt", 1)
        (generator,) = one_generator_each(generator, 1)
        is_encoded = given_latents is not None
        if is_encoded:
            _check_no_video(video, keep_details)
            source = check_given_latents(given_latents, self.unet.config["out_channels"])
        else:
            source = self.check_video(video)
        given_shape = tuple(source.shape) if is_encoded else latent_shape(self.vae, source)
        if latents is not None:
            _check_noise(latents, given_shape)
        if cancel is not None:
            cancel.raise_if_cancelled()

        # The work
        prompt_embeds = self.embed_prompts(
            [text],
            negative_prompts if settings.guidance_scale > 1 else [],
            prompt_embeds,
            negative_prompt_embeds,
        )
        sampler = self.make_sampler(settings)
        windows = self.windows(given_shape[2], settings.window_overlap)
        if slice_size is None:
            factor = self.vae_scale_factor
            slice_size = frames_at_once(factor * given_shape[3], factor * given_shape[4])
        is_decoded = output_type != "latent"
        num_turns = 2 if guidance_takes_turns and settings.guidance_scale > 1 else 1
        num_slices = [-(-n // slice_size) for n in (given_shape[2], windows[-1].stop)]
        work = Work(
            on_progress,
            cancel,
            encoding=0 if is_encoded else num_slices[0],
            network=num_turns * len(windows) * len(sampler.timesteps) * self.unet.num_layers,
            decoding=num_slices[1] if is_decoded else 0,
        )
        given, details = given_latents, None
        if given is None:
            posterior_generator = generator if settings.sample_posterior else None
            keep_details = settings.keep_details and is_decoded
            given, details = encode_video(
                self.vae,
                source,
                posterior_generator,
                keep_details,
                slice_size,
                self._execution_device,
                work,
            )
        given = given.to(self._execution_device, torch.float32)
        condition = lay_under(self.unet, given)
        if latents is None:
            shape = (*given.shape[:2], *condition.shape[2:])
            latents = randn_tensor(shape, [generator], self._execution_device, torch.float32)
        network = WindowedNetwork(self.unet, condition, windows, work, guidance_takes_turns)
        smooth = self.denoise(
            latents,
            prompt_embeds,
            sampler,
            settings.guidance_scale,
            network,
            [generator],
            callback_on_step_end and self._show_latents(callback_on_step_end, given),
            callback_on_step_end_tensor_inputs,
            cancel,
        )
        result = smooth = self._complete(smooth, given)
        if is_decoded:
            size = None if is_encoded else size_of(source)[1:]
            as_frames = output_type == "frames"
            result = decode_video(self.vae, smooth, details, size, slice_size, as_frames, work)
        self.maybe_free_model_hooks()
        return InterpolationOutput(frames=result) if return_dict else (result,)

    def make_sampler(self, settings: DenoisingSettings) -> Scheduler:
        """A sampler of this call's own; ``ddim`` takes the uneven steps of the published code."""
        if settings.scheduler != "ddim":
            return super().make_sampler(settings)
        steps, device = settings.num_inference_steps, self._execution_device
        return make_respaced("ddim", self.scheduler.config, steps, device)

    def check_settings(
        self,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        scheduler: SchedulerName | None = None,
        window_overlap: int | None = None,
        sample_posterior: bool = False,
        keep_details: bool | None = None,
    ) -> InterpolationSettings:
        """Fill in the model's own values where None is given, and check the whole.

        Raises:
            InputError: A value breaks its rule.
        """
        size = self.config.default_num_frames
        overlap = default_to(window_overlap, max(1, size // 4))
        keep_details = default_to(keep_details, self.config.default_keep_details)
        return InterpolationSettings(
            window_overlap=limits.check_whole_number(overlap, "window_overlap", 1, size - 1),
            sample_posterior=limits.check_yes_or_no(sample_posterior, "sample_posterior"),
            keep_details=limits.check_yes_or_no(keep_details, "keep_details"),
            **asdict(self.check_denoising(num_inference_steps, guidance_scale, scheduler)),
        )

    def check_video(self, video: FrameSequence | Tensor | None) -> FrameSequence | Tensor:
        """Give the video if something can be put between its frames.

        Raises:
            InputError: It is none, of one frame, or too small or too large.
        """
        video = check_video(video)
        if size_of(video)[0] < 2:
            raise InputError("A video of one frame has nothing between its frames.", "video")
        return video

    def windows(self, num_given: int, overlap: int) -> list[Window]:
        """Windows over the frames of the result, whose borders are given frames.

        Args:
            num_given: Frames of the given video.
            overlap: Given frames that two windows share.
        """
        return [
            Window(FACTOR * window.start, FACTOR * (window.stop - 1) + 1)
            for window in plan_windows(num_given, self.config.default_num_frames, overlap)
        ]

    def _complete(self, made: Tensor, given: Tensor) -> Tensor:
        """Latents of the whole video from what the network made, both ``(1, C, 4F - 3, h, w)``."""
        scale = self.config.residual_scale
        return made if scale is None else cross_fade(given) + scale * made

    def _show_latents(self, callback: StepCallback, given: Tensor) -> StepCallback:
        """A callback whose predicted clean latents are those of the whole video."""

        def call(
            pipeline: VideoPipeline, step: int, timestep: Tensor, tensors: dict[str, Tensor]
        ) -> dict[str, Tensor]:
            if "predicted_clean_latents" in tensors:
                clean = self._complete(tensors["predicted_clean_latents"], given)
                tensors = tensors | {"predicted_clean_latents": clean}
            return callback(pipeline, step, timestep, tensors)

        return call


def _check_no_video(video: object, keep_details: bool | None) -> None:
    if video is not None:
        raise InputError("There are a video and given_latents. Give one of them.", "given_latents")
    if keep_details:
        raise InputError(
            "Details can be kept of frames only, not of given_latents. Give the video.",
            "keep_details",
        )


def _check_noise(noise: Tensor, given_shape: tuple[int, ...]) -> None:
    expected = (*given_shape[:2], num_result_frames(given_shape[2]), *given_shape[3:])
    if noise.shape != expected:
        raise InputError(f"Latents {tuple(noise.shape)} should be {expected}.", "latents")
