"""The base stage: from a sentence to a short video, by guided diffusion in the VAE's latents."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal, get_args

import numpy as np
import torch
from diffusers import AutoencoderKL
from diffusers.loaders import StableDiffusionLoraLoaderMixin, TextualInversionLoaderMixin
from diffusers.utils import BaseOutput
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from lavie.errors import InputError
from lavie.media import pixels_to_frames
from lavie.models import BaseUNet
from lavie.models.latents import decode_latents
from lavie.pipelines import limits
from lavie.pipelines.batch import one_generator_each
from lavie.pipelines.free_noise import FreeNoiseMixin, check_changes, one_changing_prompt_each
from lavie.pipelines.schedulers import Scheduler
from lavie.pipelines.video_pipeline import (
    DenoisingSettings,
    Network,
    StepCallback,
    VideoPipeline,
    default_to,
)
from lavie.types import CancelToken, SchedulerName

OutputType = Literal["frames", "pt", "latent"]


@dataclass
class TextToVideoOutput(BaseOutput):
    """Videos of one call.

    Args:
        frames: uint8 array ``(B, F, H, W, 3)``; pixels ``(B, 3, F, H, W)`` in [-1, 1] for output
            type ``pt``; latents ``(B, C, F, h, w)`` for ``latent``.
    """

    frames: np.ndarray | Tensor


@dataclass(frozen=True, kw_only=True)
class TextToVideoSettings(DenoisingSettings):
    """What a call was asked to do, checked, with the model's own values filled in."""

    height: int
    width: int
    num_frames: int


class TextToVideoPipeline(
    VideoPipeline, FreeNoiseMixin, StableDiffusionLoraLoaderMixin, TextualInversionLoaderMixin
):
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
    unet: BaseUNet

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
        """Encode texts as `VideoPipeline` does; a textual inversion may take several tokens."""
        return super().encode_prompt(self.maybe_convert_prompt(list(prompts), self.tokenizer))

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | Mapping[int, str] | Sequence[str | Mapping[int, str]] | None = None,
        negative_prompt: str | Mapping[int, str] | Sequence[str | Mapping[int, str]] | None = None,
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
        network: Network | None = None,
        return_dict: bool = True,
    ) -> TextToVideoOutput | tuple[np.ndarray | Tensor]:
        """Make one video per prompt.

        Args:
            prompt: One text or B texts, each of 1 to 1,000 characters. After `enable_free_noise`
                it may change, with texts by the frame they begin at: ``{0: "...", 32: "..."}``.
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
            network: Called in place of the U-Net, see `VideoPipeline.denoise`.
            return_dict: False gives a plain tuple.

        Raises:
            InputError: An argument breaks its rule.
            Cancelled: ``cancel`` was set.
        """
        # The door: nothing slow before all arguments are known to be good
        free_noise = self._free_noise  # another user may switch it while we work
        settings = self.check_settings(
            height, width, num_frames, num_inference_steps, guidance_scale, scheduler
        )
        shape = self.latent_shape(settings)
        limits.check_choice(output_type, get_args(OutputType), "output_type")
        self.check_callback_tensors(callback_on_step_end_tensor_inputs)
        limits.check_slice_size(decode_slice_size, "decode_slice_size")
        num_frames, prompts = settings.num_frames, []
        if prompt_embeds is None:
            prompts = one_changing_prompt_each(prompt, "prompt", num_frames)
        batch_size = len(prompts) if prompt_embeds is None else len(prompt_embeds)
        self.check_embeds(prompt_embeds, batch_size, "prompt_embeds")
        self.check_embeds(negative_prompt_embeds, batch_size, "negative_prompt_embeds")
        negative_prompts = one_changing_prompt_each(
            negative_prompt or "", "negative_prompt", num_frames, batch_size
        )
        generators = one_generator_each(generator, batch_size)
        changes = check_changes((*prompts, *negative_prompts), free_noise)
        if free_noise is not None:
            free_noise.check_call(num_frames, generators, network)
        if latents is not None and latents.shape != (batch_size, *shape):
            raise InputError(
                f"Latents {tuple(latents.shape)} should be {(batch_size, *shape)}.", "latents"
            )
        if cancel is not None:
            cancel.raise_if_cancelled()

        # The work
        negative_prompts = negative_prompts if settings.guidance_scale > 1 else []
        if free_noise is not None and changes:
            embed = partial(free_noise.embed_over_time, self.encode_prompt, num_frames)
            prompt_embeds = embed(prompts, prompt_embeds)
            if negative_prompts:
                negative_prompt_embeds = embed(negative_prompts, negative_prompt_embeds)
        prompt_embeds = self.embed_prompts(
            [texts[0] for texts in prompts],
            [texts[0] for texts in negative_prompts],
            prompt_embeds,
            negative_prompt_embeds,
        )
        if latents is None and free_noise is not None:
            latents = free_noise.draw_noise(shape, generators, self._execution_device)
        elif latents is None:
            latents = randn_tensor(
                (batch_size, *shape), generators, self._execution_device, torch.float32
            )
        if free_noise is not None and network is None:
            network = partial(self.unet, frame_windows=free_noise.windows)
        video: Tensor = self.denoise(
            latents,
            prompt_embeds,
            self.make_sampler(settings),
            settings.guidance_scale,
            network or self.unet,
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
            default_to(height, own.default_height),
            default_to(width, own.default_width),
            default_to(num_frames, own.default_num_frames),
            factor,
            usual_size,
        )
        return TextToVideoSettings(
            height=size[0],
            width=size[1],
            num_frames=size[2],
            **asdict(self.check_denoising(num_inference_steps, guidance_scale, scheduler)),
        )

    def latent_shape(self, settings: TextToVideoSettings) -> tuple[int, int, int, int]:
        """Shape of one sample's latents, ``(C, F, h, w)``."""
        height, width = (
            side // self.vae_scale_factor for side in (settings.height, settings.width)
        )
        return self.unet.config["out_channels"], settings.num_frames, height, width
