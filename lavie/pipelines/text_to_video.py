"""The base stage: from a sentence to a short video, by guided diffusion in the VAE's latents."""

import copy
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import numpy as np
import torch
from diffusers import AutoencoderKL
from diffusers.loaders import StableDiffusionLoraLoaderMixin
from diffusers.utils import BaseOutput
from einops import rearrange
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from lavie.errors import InputError
from lavie.media import pixels_to_frames
from lavie.models import BaseUNet
from lavie.models.latents import decode_latents
from lavie.pipelines import limits
from lavie.pipelines.batch import one_generator_each, one_prompt_each
from lavie.pipelines.schedulers import (
    Scheduler,
    draw_noise,
    make_scheduler,
    predict_clean_latents,
    scheduler_name,
)
from lavie.pipelines.video_pipeline import VideoPipeline
from lavie.types import CancelToken, SchedulerName

logger = logging.getLogger(__name__)

T = TypeVar("T")

MAX_SLICE_SIZE = 2**16

OutputType = Literal["frames", "pt", "latent"]
StepCallback = Callable[["TextToVideoPipeline", int, Tensor, dict[str, Tensor]], dict[str, Tensor]]


@dataclass
class TextToVideoOutput(BaseOutput):
    """Videos of one call.

    Args:
        frames: uint8 array ``(B, F, H, W, 3)``; pixels ``(B, 3, F, H, W)`` in [-1, 1] for output
            type ``pt``; latents ``(B, C, F, h, w)`` for ``latent``.
    """

    frames: np.ndarray | Tensor


@dataclass(frozen=True)
class TextToVideoSettings:
    """What a call was asked to do, checked, with the model's own values filled in."""

    height: int
    width: int
    num_frames: int
    num_inference_steps: int
    guidance_scale: float
    scheduler: SchedulerName


class TextToVideoPipeline(VideoPipeline, StableDiffusionLoraLoaderMixin):
    """LaVie's base text-to-video model.

    Args:
        vae: Image autoencoder, used frame by frame.
        text_encoder: CLIP; its last hidden state conditions the network.
        tokenizer: Pads and cuts to its ``model_max_length``.
        unet: The spatio-temporal network.
        scheduler: Holds the noise schedule and is the sampler used when a call names none.
        default_height: Pixels, as trained; likewise the following.
        default_width: Pixels.
        default_num_frames: Frames of one video.
        default_num_inference_steps: Steps of the folder's own sampler.
        default_guidance_scale: 7.5 in the published code.
        default_fps: Frames per second the model was trained at.
        latent_rgb_factors: ``C x 3``, with ``latent_rgb_bias`` the linear map from latents to
            colours in [-1, 1] for previews; None: no previews.
        latent_rgb_bias: 3 numbers.
    """

    model_cpu_offload_seq = "text_encoder->unet->vae"
    _callback_tensor_inputs = ("latents", "prompt_embeds", "predicted_clean_latents")

    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    unet: BaseUNet
    scheduler: Scheduler

    def __init__(
        self,
        vae: AutoencoderKL,
        text_encoder: CLIPTextModel,
        tokenizer: CLIPTokenizer,
        unet: BaseUNet,
        scheduler: Scheduler,
        default_height: int = 320,
        default_width: int = 512,
        default_num_frames: int = 16,
        default_num_inference_steps: int = 25,
        default_guidance_scale: float = 7.5,
        default_fps: int = 8,
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
            default_height=default_height,
            default_width=default_width,
            default_num_frames=default_num_frames,
            default_num_inference_steps=default_num_inference_steps,
            default_guidance_scale=default_guidance_scale,
            default_fps=default_fps,
            latent_rgb_factors=latent_rgb_factors,
            latent_rgb_bias=latent_rgb_bias,
        )

    def encode_prompt(self, prompts: Sequence[str]) -> Tensor:
        """Encode texts, each different one once.

        Args:
            prompts: B texts. What exceeds the tokenizer's length is cut, with a warning.

        Returns:
            ``(B, L, D)`` last hidden states; no attention mask, as in the published code.
        """
        unique = list(dict.fromkeys(prompts))
        length = min(
            self.tokenizer.model_max_length, self.text_encoder.config.max_position_embeddings
        )
        tokens = self.tokenizer(
            unique, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        )
        self._warn_of_cut_words(unique, length)
        embeds = self.text_encoder(tokens.input_ids.to(self._execution_device))[0]
        return embeds[[unique.index(prompt) for prompt in prompts]]

    def _warn_of_cut_words(self, prompts: list[str], length: int) -> None:
        for ids in self.tokenizer(prompts, verbose=False).input_ids:
            if len(ids) > length:
                cut = self.tokenizer.decode(ids[length - 1 : -1])
                logger.warning(
                    "The model reads %d tokens; the end of the prompt was cut off: '%s'",
                    length,
                    cut,
                )

    def preview(self, latents: Tensor) -> np.ndarray:
        """Show latents as small pictures, by a linear map instead of the VAE.

        Args:
            latents: ``(B, C, F, h, w)``, best the predicted clean ones.

        Returns:
            uint8 frames ``(B, F, h, w, 3)``.

        Raises:
            InputError: The model folder has no ``latent_rgb_factors``.
        """
        if self.config.latent_rgb_factors is None:
            raise InputError("This model has no latent_rgb_factors, so it cannot show previews.")
        factors = torch.tensor(self.config.latent_rgb_factors)
        bias = torch.tensor(self.config.latent_rgb_bias or [0.0, 0.0, 0.0])
        colours = rearrange(latents.float().cpu(), "B C F h w -> B F h w C") @ factors + bias
        return pixels_to_frames(rearrange(colours, "B F h w C -> B C F h w"))

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | Sequence[str] | None = None,
        negative_prompt: str | Sequence[str] | None = None,
        height: int | None = None,
        width: int | None = None,
        num_frames: int | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        scheduler: SchedulerName | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        latents: Tensor | None = None,
        prompt_embeds: Tensor | None = None,
        negative_prompt_embeds: Tensor | None = None,
        output_type: OutputType = "frames",
        decode_slice_size: int = 8,
        callback_on_step_end: StepCallback | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
        cancel: CancelToken | None = None,
        return_dict: bool = True,
    ) -> TextToVideoOutput | tuple[np.ndarray | Tensor]:
        """Make one video per prompt.

        Args:
            prompt: One text or B texts, each of 1 to 1,000 characters.
            negative_prompt: What to stay away from; one for all or one per prompt. None: nothing.
            height: Pixels, a multiple of the VAE's factor; None: the model's own. A video may hold
                16 times the pixels of the model's own.
            width: As ``height``.
            num_frames: At least 1; None: the model's own.
            num_inference_steps: 1 to 1000; None: the model's own.
            guidance_scale: 0 to 50; up to 1 means no guidance; None: the model's own.
            scheduler: Sampler by name, on the folder's noise schedule; None: the folder's own.
            generator: One per prompt. CPU generators give the same video on every device, alone
                or in a batch. None: different each time.
            latents: Initial noise ``(B, C, F, h, w)`` of unit variance instead of drawing it.
            prompt_embeds: ``(B, L, D)`` instead of ``prompt``.
            negative_prompt_embeds: ``(B, L, D)`` instead of ``negative_prompt``.
            output_type: ``frames``, ``pt`` or ``latent``, see `TextToVideoOutput`.
            decode_slice_size: Frames decoded at once; memory grows with it.
            callback_on_step_end: Called as in diffusers with this pipeline, the step's index, the
                timestep and the tensors asked for; tensors it returns replace ours.
            callback_on_step_end_tensor_inputs: Any of ``latents``, ``prompt_embeds`` (under
                guidance the unconditional half comes first) and ``predicted_clean_latents``, which
                `preview` turns into pictures.
            cancel: Looked at before every step and every slice of decoding.
            return_dict: False gives a plain tuple.

        Raises:
            InputError: An argument breaks its rule.
            Cancelled: ``cancel`` was set.
        """
        # The door: nothing slow before all arguments are known to be good
        settings = self.check_settings(
            height, width, num_frames, num_inference_steps, guidance_scale, scheduler
        )
        shape = self.latent_shape(settings)
        limits.check_choice(output_type, get_args(OutputType), "output_type")
        limits.check_whole_number(decode_slice_size, "decode_slice_size", 1, MAX_SLICE_SIZE)
        for name in callback_on_step_end_tensor_inputs:
            limits.check_choice(
                name, self._callback_tensor_inputs, "callback_on_step_end_tensor_inputs"
            )
        prompts = one_prompt_each(prompt, "prompt") if prompt_embeds is None else []
        batch_size = len(prompts) if prompt_embeds is None else len(prompt_embeds)
        self._check_embeds(prompt_embeds, batch_size, "prompt_embeds")
        self._check_embeds(negative_prompt_embeds, batch_size, "negative_prompt_embeds")
        negative_prompts = one_prompt_each(negative_prompt or "", "negative_prompt", batch_size)
        generators = one_generator_each(generator, batch_size)
        if latents is not None and latents.shape != (batch_size, *shape):
            raise InputError(
                f"Latents {tuple(latents.shape)} should be {(batch_size, *shape)}.", "latents"
            )
        if cancel is not None:
            cancel.raise_if_cancelled()

        # The work
        prompt_embeds = self._embed(
            prompts,
            negative_prompts if settings.guidance_scale > 1 else [],
            prompt_embeds,
            negative_prompt_embeds,
        )
        if latents is None:
            latents = draw_noise(shape, generators, self._execution_device)
        video: Tensor = self._denoise(
            latents,
            prompt_embeds,
            settings,
            generators,
            callback_on_step_end,
            callback_on_step_end_tensor_inputs,
            cancel,
        )
        if output_type != "latent":
            video = decode_latents(self.vae, video, decode_slice_size, cancel)
        self.maybe_free_model_hooks()
        result = pixels_to_frames(video) if output_type == "frames" else video
        return TextToVideoOutput(frames=result) if return_dict else (result,)

    def check_settings(
        self,
        height: int | None = None,
        width: int | None = None,
        num_frames: int | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        scheduler: SchedulerName | None = None,
    ) -> TextToVideoSettings:
        """Fill in the model's own values where None is given, and check the whole.

        Args:
            height: As in a call; likewise the others.
            width: Pixels.
            num_frames: At least 1.
            num_inference_steps: 1 to 1000.
            guidance_scale: 0 to 50.
            scheduler: Sampler by name.

        Raises:
            InputError: A value breaks its rule.
        """
        own, factor = self.config, self.vae_scale_factor
        usual_size = (own.default_height, own.default_width, own.default_num_frames)
        size = limits.check_size(
            _default(height, own.default_height),
            _default(width, own.default_width),
            _default(num_frames, own.default_num_frames),
            factor,
            usual_size,
        )
        steps = _default(num_inference_steps, own.default_num_inference_steps)
        guidance_scale = _default(guidance_scale, own.default_guidance_scale)
        scheduler = _default(scheduler, scheduler_name(self.scheduler))
        return TextToVideoSettings(
            height=size[0],
            width=size[1],
            num_frames=size[2],
            num_inference_steps=limits.check_steps(steps),
            guidance_scale=limits.check_guidance_scale(guidance_scale),
            scheduler=limits.check_scheduler(scheduler),
        )

    def _check_embeds(self, embeds: Tensor | None, batch_size: int, field: str) -> None:
        width = self.unet.config["cross_attention_dim"]
        if embeds is not None and (embeds.ndim != 3 or embeds.shape[::2] != (batch_size, width)):
            raise InputError(
                f"{field} {tuple(embeds.shape)} should be ({batch_size}, L, {width}).", field
            )

    def latent_shape(self, settings: TextToVideoSettings) -> tuple[int, int, int, int]:
        """Shape of one sample's latents, ``(C, F, h, w)``."""
        height, width = (
            side // self.vae_scale_factor for side in (settings.height, settings.width)
        )
        return self.unet.config["in_channels"], settings.num_frames, height, width

    def _make_sampler(self, settings: TextToVideoSettings) -> Scheduler:
        """A sampler of this call's own: samplers keep state, and two users may call at once."""
        if settings.scheduler == scheduler_name(self.scheduler):
            sampler = copy.deepcopy(self.scheduler)
        else:
            sampler = make_scheduler(settings.scheduler, self.scheduler.config)
        sampler.set_timesteps(settings.num_inference_steps, device=self._execution_device)
        return sampler

    def _embed(
        self,
        prompts: list[str],
        negative_prompts: list[str],
        prompt_embeds: Tensor | None,
        negative_prompt_embeds: Tensor | None,
    ) -> Tensor:
        """What the network reads: [unconditional, conditional] under guidance, as published."""
        if prompt_embeds is None:
            prompt_embeds = self.encode_prompt(prompts)
        if negative_prompts:
            if negative_prompt_embeds is None:
                negative_prompt_embeds = self.encode_prompt(negative_prompts)
            if negative_prompt_embeds.shape != prompt_embeds.shape:
                raise InputError(
                    f"negative_prompt_embeds {tuple(negative_prompt_embeds.shape)} should be "
                    f"{tuple(prompt_embeds.shape)}, as those of the prompt.",
                    "negative_prompt_embeds",
                )
            prompt_embeds = torch.cat([negative_prompt_embeds, prompt_embeds])
        return prompt_embeds.to(self._execution_device, self.unet.dtype)

    def _denoise(
        self,
        noise: Tensor,
        prompt_embeds: Tensor,
        settings: TextToVideoSettings,
        generators: list[torch.Generator],
        callback: StepCallback | None,
        callback_tensors: Sequence[str],
        cancel: CancelToken | None,
    ) -> Tensor:
        """Walk from noise to clean latents, in float32 around the network."""
        sampler = self._make_sampler(settings)
        latents = noise.to(self._execution_device, torch.float32) * sampler.init_noise_sigma
        with self.progress_bar(total=settings.num_inference_steps) as progress_bar:
            for step, timestep in enumerate(sampler.timesteps):
                if cancel is not None:
                    cancel.raise_if_cancelled()
                sample = sampler.scale_model_input(latents, timestep)
                output = self._predict(sample, timestep, prompt_embeds, settings.guidance_scale)
                latents = sampler.step(output, timestep, latents, generator=generators).prev_sample
                if callback is not None:
                    tensors = {"latents": latents, "prompt_embeds": prompt_embeds}
                    if "predicted_clean_latents" in callback_tensors:
                        clean = predict_clean_latents(sampler, output, step, sample)
                        tensors["predicted_clean_latents"] = clean
                    asked = {name: tensors[name] for name in callback_tensors}
                    tensors |= callback(self, step, timestep, asked) or {}
                    latents, prompt_embeds = tensors["latents"], tensors["prompt_embeds"]
                progress_bar.update()
        return latents

    def _predict(
        self, sample: Tensor, timestep: Tensor, prompt_embeds: Tensor, guidance_scale: float
    ) -> Tensor:
        """The network's output under classifier-free guidance, float32."""
        copies = len(prompt_embeds) // len(sample)  # 2 under guidance
        sample = torch.cat([sample] * copies).to(self.unet.dtype)
        output = self.unet(sample, timestep, encoder_hidden_states=prompt_embeds).sample.float()
        if copies == 1:
            return output
        unconditional, conditional = output.chunk(2)
        return unconditional + guidance_scale * (conditional - unconditional)


def _default(value: T | None, default: T) -> T:
    return default if value is None else value
