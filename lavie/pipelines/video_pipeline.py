"""What LaVie's pipelines share: model folders, prompts, previews and the denoising loop."""

import copy
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import torch
from diffusers import AutoencoderKL, DiffusionPipeline
from einops import rearrange
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from lavie.errors import CheckpointError, InputError, first_line
from lavie.media import pixels_to_frames
from lavie.models.latents import attend_nearby_when_large, vae_scale_factor
from lavie.pipelines import limits
from lavie.pipelines.model_folder import (
    check_weights,
    find_borrowed_parts,
    get_model_folder,
    load_component,
    read_model_index,
)
from lavie.pipelines.schedulers import (
    Scheduler,
    make_scheduler,
    predict_clean_latents,
    scheduler_name,
)
from lavie.types import CancelToken, SchedulerName

logger = logging.getLogger(__name__)

T = TypeVar("T")

Network = Callable[[Tensor, Tensor, Tensor], Any]
StepCallback = Callable[["VideoPipeline", int, Tensor, dict[str, Tensor]], dict[str, Tensor]]

_DOWNLOAD_OPTIONS = ("revision", "cache_dir", "token", "local_files_only")
_SHARED_KINDS = {"vae": AutoencoderKL, "text_encoder": CLIPTextModel, "tokenizer": CLIPTokenizer}


@dataclass(frozen=True, kw_only=True)
class DenoisingSettings:
    """How to walk from noise to latents, checked, with the model's own values filled in."""

    num_inference_steps: int
    guidance_scale: float
    scheduler: SchedulerName


class VideoPipeline(DiffusionPipeline):
    """A pipeline with a VAE whose model folder is complete, harmless and made for it."""

    _callback_tensor_inputs = ("latents", "prompt_embeds", "predicted_clean_latents")

    vae: Any
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    unet: Any
    scheduler: Scheduler

    def register_modules(self, **kwargs) -> None:
        """Register components; our networks under their public module, so that files may move."""
        super().register_modules(**kwargs)
        if kwargs.get("vae") is not None:
            attend_nearby_when_large(kwargs["vae"])
        for name in kwargs:
            library, class_name = self.config[name]
            if library is not None and library.startswith("lavie.models."):
                self.register_to_config(**{name: ("lavie.models", class_name)})

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **kwargs) -> Self:
        """Load a model folder, or the stage in a model folder that this pipeline is for.

        Args:
            pretrained_model_name_or_path: A folder, ``"miniature"``, or a hub id, which is
                downloaded on first use. What a stage's sub-folder leaves out is taken from the
                base model's folder above.
            **kwargs: As in diffusers: ``dtype`` (float32 unless said, whatever the files hold),
                ``revision``, ``cache_dir``, components, ...

        Raises:
            CheckpointError: The folder is missing, broken, or for another pipeline.
        """
        model = pretrained_model_name_or_path
        if not {"dtype", "torch_dtype"} & kwargs.keys():
            kwargs["dtype"] = torch.float32  # else the text encoder alone would follow the files
        options = {name: kwargs[name] for name in _DOWNLOAD_OPTIONS if name in kwargs}
        folder = get_model_folder(model, cls.__name__, **options)
        usual_dtype = torch.get_default_dtype()
        try:
            index = read_model_index(folder, cls.__name__, passed=kwargs)
            for name, part in find_borrowed_parts(folder, index).items():
                if name not in kwargs:
                    kwargs[name] = _load_borrowed(name, part, kwargs)
            pipeline = super().from_pretrained(str(folder), use_safetensors=True, **kwargs)
        except CheckpointError:
            raise
        except Exception as error:  # every library below has its own exceptions for a bad file
            torch.set_default_dtype(usual_dtype)  # diffusers leaves the one it was building in
            raise CheckpointError(
                f"Model '{model}' cannot be loaded: {first_line(error)}"
            ) from error
        if "quantization_config" not in kwargs:  # a quantised module has other tensors
            for name, module in pipeline.components.items():
                if isinstance(module, nn.Module) and name not in kwargs:
                    check_weights(folder, name, module)
        return pipeline

    @property
    def vae_scale_factor(self) -> int:
        """How many pixels one latent cell is wide."""
        return vae_scale_factor(self.vae)

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

    def check_denoising(
        self,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        scheduler: SchedulerName | None = None,
    ) -> DenoisingSettings:
        """Fill in the model's own values where None is given, and check them.

        Raises:
            InputError: A value breaks its rule.
        """
        own = self.config
        steps = default_to(num_inference_steps, own.default_num_inference_steps)
        guidance_scale = default_to(guidance_scale, own.default_guidance_scale)
        scheduler = default_to(scheduler, scheduler_name(self.scheduler))
        return DenoisingSettings(
            num_inference_steps=limits.check_steps(steps),
            guidance_scale=limits.check_guidance_scale(guidance_scale),
            scheduler=limits.check_scheduler(scheduler),
        )

    def check_callback_tensors(self, names: Sequence[str]) -> None:
        """Raise unless a callback can have every tensor it asks for.

        Raises:
            InputError: It cannot.
        """
        for name in names:
            limits.check_choice(
                name, self._callback_tensor_inputs, "callback_on_step_end_tensor_inputs"
            )

    def check_embeds(self, embeds: Tensor | None, batch_size: int, field: str) -> None:
        """Raise unless embedded prompts are ``(B, L, D)`` as the network reads them.

        Raises:
            InputError: They are not.
        """
        width = self.unet.config["cross_attention_dim"]
        if embeds is not None and (embeds.ndim != 3 or embeds.shape[::2] != (batch_size, width)):
            raise InputError(
                f"{field} {tuple(embeds.shape)} should be ({batch_size}, L, {width}).", field
            )

    def make_sampler(self, settings: DenoisingSettings) -> Scheduler:
        """A sampler of this call's own: samplers keep state, and two users may call at once."""
        if settings.scheduler == scheduler_name(self.scheduler):
            sampler = copy.deepcopy(self.scheduler)
        else:
            sampler = make_scheduler(settings.scheduler, self.scheduler.config)
        sampler.set_timesteps(settings.num_inference_steps, device=self._execution_device)
        return sampler

    def embed_prompts(
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

    def denoise(
        self,
        noise: Tensor,
        prompt_embeds: Tensor,
        sampler: Scheduler,
        guidance_scale: float,
        network: Network,
        generators: list[torch.Generator],
        callback: StepCallback | None,
        callback_tensors: Sequence[str],
        cancel: CancelToken | None,
    ) -> Tensor:
        """Walk from noise to clean latents, in float32 around the network.

        Args:
            noise: ``(B, C, F, h, w)`` of unit variance.
            prompt_embeds: What `embed_prompts` gave.
            sampler: What `make_sampler` gave.
            guidance_scale: Weight of the prompt against the negative one.
            network: Called with latents (twice in a row under guidance), the timestep and the
                embedded prompts; gives what the noise schedule asks for.
            generators: One per sample, for samplers that draw noise.
            callback: As in diffusers.
            callback_tensors: What it asks for.
            cancel: Looked at before every step.

        Raises:
            Cancelled: ``cancel`` was set.
        """
        latents = noise.to(self._execution_device, torch.float32) * sampler.init_noise_sigma
        with self.progress_bar(total=len(sampler.timesteps)) as progress_bar:
            for step, timestep in enumerate(sampler.timesteps):
                if cancel is not None:
                    cancel.raise_if_cancelled()
                sample = sampler.scale_model_input(latents, timestep)
                output = self._predict(network, sample, timestep, prompt_embeds, guidance_scale)
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
        self,
        network: Network,
        sample: Tensor,
        timestep: Tensor,
        prompt_embeds: Tensor,
        guidance_scale: float,
    ) -> Tensor:
        """The network's output under classifier-free guidance, float32."""
        copies = len(prompt_embeds) // len(sample)  # 2 under guidance
        sample = torch.cat([sample] * copies).to(self.unet.dtype)
        output = network(sample, timestep, prompt_embeds).sample.float()
        if copies == 1:
            return output
        unconditional, conditional = output.chunk(2)
        return unconditional + guidance_scale * (conditional - unconditional)


def _load_borrowed(name: str, folder: Path, options: dict[str, Any]) -> Any:  # noqa: ANN401
    """Load a part that a stage has in common with the base, in the type the others get."""
    dtype = options.get("dtype", options.get("torch_dtype"))
    if isinstance(dtype, dict):
        dtype = dtype.get(name, dtype.get("default", torch.float32))
    return load_component(_SHARED_KINDS[name], folder, dtype, use_safetensors=True)


def default_to(value: T | None, default: T) -> T:
    """The value, or the default where it is None."""
    return default if value is None else value
