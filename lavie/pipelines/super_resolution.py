"""The super-resolution stage: four times the size, by guided diffusion on the small video."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from diffusers import AutoencoderKL, DDPMScheduler
from diffusers.utils import BaseOutput
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from lavie.media import pixels_to_frames
from lavie.models import SuperResolutionUNet
from lavie.models.latents import decode_in_slices
from lavie.pipelines import limits
from lavie.pipelines.batch import one_generator_each, one_prompt_each
from lavie.pipelines.colours import keep_colours_of
from lavie.pipelines.enlarging import Carried, WindowNetwork, WindowNoise
from lavie.pipelines.given_video import check_video, pixels_of, size_of
from lavie.pipelines.schedulers import Scheduler
from lavie.pipelines.video_pipeline import (
    DenoisingSettings,
    StepCallback,
    VideoPipeline,
    default_to,
)
from lavie.pipelines.windows import Window, count_tiles, plan_windows
from lavie.pipelines.work import OnProgress, Work
from lavie.runtime.memory import free_memory
from lavie.runtime.tiling import choose_tile_size, frames_at_once
from lavie.types import CancelToken, Frames, FrameSequence, SchedulerName

FACTOR = 4
"""Pixels of the result, along each side, per pixel given."""

OutputType = Literal["frames", "latent"]
TileSize = int | Literal["auto"] | None

_ACTIVATIONS_PER_CHANNEL = 24
"""Values that the published network holds at most per cell and channel of its finest level: 16
counted (there is a test), and half as many again for what the libraries work with."""


@dataclass
class SuperResolutionOutput(BaseOutput):
    """The enlarged video.

    Args:
        frames: uint8 array ``(1, F, 4H, 4W, 3)``; latents ``(1, C, F, H, W)`` for output type
            ``latent``; None if they went to ``on_frames``.
    """

    frames: np.ndarray | Tensor | None


@dataclass(frozen=True, kw_only=True)
class SuperResolutionSettings(DenoisingSettings):
    """What a call was asked to do, checked, with the model's own values filled in."""

    noise_level: int
    window_overlap: int
    tile_size: int | None
    tile_overlap: int
    keep_colours: bool
    share_noise: bool


class SuperResolutionPipeline(VideoPipeline):
    """LaVie's video super-resolution model.

    Long videos are enlarged window by window in time. A window takes over from the one before what
    the network said, step by step, of the frames they share, and fades from it to its own: no seam,
    and memory that does not grow with the length of the video.

    Args:
        vae: Image autoencoder of the large video, used frame by frame; in float32.
        text_encoder: CLIP; its last hidden state conditions the network.
        tokenizer: Pads and cuts to its ``model_max_length``.
        unet: The super-resolution network.
        scheduler: Holds the noise schedule and is the sampler used when a call names none.
        low_res_scheduler: The noise schedule of the small video.
        default_num_frames: Frames of one window; 8 in the published code.
        default_num_inference_steps: Steps of the folder's own sampler.
        default_guidance_scale: 5.0 in the published code.
        default_noise_level: Noise added to the small video; 50 in the published code.
        default_negative_prompt: What to stay away from.
        default_keep_colours: See the call; off in the published code.
        default_share_noise: See the call; off in the published code.

    Source: LaVie (arXiv:2309.15103), section 3.3.
    """

    model_cpu_offload_seq = "text_encoder->unet->vae"

    unet: SuperResolutionUNet
    low_res_scheduler: DDPMScheduler

    def __init__(
        self,
        vae: AutoencoderKL,
        text_encoder: CLIPTextModel,
        tokenizer: CLIPTokenizer,
        unet: SuperResolutionUNet,
        scheduler: Scheduler,
        low_res_scheduler: DDPMScheduler,
        default_num_frames: int = 8,
        default_num_inference_steps: int = 25,
        default_guidance_scale: float = 5.0,
        default_noise_level: int = 50,
        default_negative_prompt: str = "blur, worst quality",
        default_keep_colours: bool = False,
        default_share_noise: bool = False,
    ) -> None:
        super().__init__()
        self.register_modules(
            vae=vae,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            unet=unet,
            scheduler=scheduler,
            low_res_scheduler=low_res_scheduler,
        )
        self.register_to_config(
            default_num_frames=default_num_frames,
            default_num_inference_steps=default_num_inference_steps,
            default_guidance_scale=default_guidance_scale,
            default_noise_level=default_noise_level,
            default_negative_prompt=default_negative_prompt,
            default_keep_colours=default_keep_colours,
            default_share_noise=default_share_noise,
        )

    @torch.no_grad()
    def __call__(
        self,
        video: FrameSequence | Tensor | None,
        prompt: str | None = None,
        negative_prompt: str | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        scheduler: SchedulerName | None = None,
        noise_level: int | None = None,
        generator: torch.Generator | None = None,
        prompt_embeds: Tensor | None = None,
        negative_prompt_embeds: Tensor | None = None,
        window_overlap: int | None = None,
        tile_size: TileSize = None,
        tile_overlap: int = 16,
        keep_colours: bool | None = None,
        share_noise: bool | None = None,
        output_type: OutputType = "frames",
        slice_size: int | None = None,
        on_frames: Callable[[Frames], None] | None = None,
        on_progress: OnProgress | None = None,
        callback_on_step_end: StepCallback | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
        cancel: CancelToken | None = None,
        return_dict: bool = True,
    ) -> SuperResolutionOutput | tuple[np.ndarray | Tensor | None]:
        """Enlarge one video.

        Args:
            video: uint8 frames ``(F, H, W, 3)``, in memory or read window by window, or pixels
                ``(1, 3, F, H, W)`` in [-1, 1]; H and W 8 to 4,096, any length.
            prompt: What the video shows, up to 1,000 characters; None: nothing is said.
            negative_prompt: What to stay away from; None: the model's own.
            num_inference_steps: 1 to 1000; None: the model's own.
            guidance_scale: 0 to 50; up to 1 means no guidance; None: the model's own.
            scheduler: Sampler by name; ``ddim`` with 50 steps is the published one. None: the
                folder's own.
            noise_level: 0 to the highest the network knows (350): more invents more. None: the
                model's own.
            generator: A CPU generator gives the same video on every device. None: different each
                time.
            prompt_embeds: ``(1, L, D)`` instead of ``prompt``.
            negative_prompt_embeds: ``(1, L, D)`` instead of ``negative_prompt``.
            window_overlap: Frames that two windows in time share; 0: none, as published; None: half
                a window.
            tile_size: Side of the square tiles, in pixels of the small video, that the network
                sees at once where a frame is larger; None: whole frames; "auto": whole frames if
                they fit the device's free memory, else the largest tiles that do.
            tile_overlap: Pixels that two tiles share.
            keep_colours: Give the result the colours of the small video, see
                `lavie.pipelines.colours`. None: the model's own.
            share_noise: Begin all frames from the same noise, which flickers less. None: the
                model's own.
            output_type: ``frames`` or ``latent``, see `SuperResolutionOutput`.
            slice_size: Frames decoded at once; memory grows with it. None: fewer the larger they
                are, one of 1280x2048.
            on_frames: Gets uint8 frames ``(f, 4H, 4W, 3)`` in order, as soon as they are final,
                instead of the caller: memory does then not grow with the length of the video.
            on_progress: Hears of every layer of every tile, step and window, and of every decoded
                slice; see `lavie.pipelines.work`.
            callback_on_step_end: See `TextToVideoPipeline`; steps begin anew in every window.
            callback_on_step_end_tensor_inputs: Names of tensors.
            cancel: Looked at after every such part.
            return_dict: False gives a plain tuple.

        Raises:
            InputError: An argument breaks its rule.
            Cancelled: ``cancel`` was set.
        """
        # The door: nothing slow before all arguments are known to be good
        video = self.check_video(video)
        _, height, width = size_of(video)
        settings = self.check_settings(
            num_inference_steps,
            guidance_scale,
            scheduler,
            noise_level,
            window_overlap,
            tile_size,
            tile_overlap,
            (height, width),
            keep_colours,
            share_noise,
        )
        limits.check_choice(output_type, get_args(OutputType), "output_type")
        slice_size = default_to(slice_size, frames_at_once(FACTOR * height, FACTOR * width))
        limits.check_slice_size(slice_size, "slice_size")
        self.check_embeds(prompt_embeds, 1, "prompt_embeds")
        self.check_embeds(negative_prompt_embeds, 1, "negative_prompt_embeds")
        self.check_callback_tensors(callback_on_step_end_tensor_inputs)
        prompt = limits.check_optional_prompt(prompt)
        negative_prompt = default_to(negative_prompt, self.config.default_negative_prompt)
        negative_prompts = one_prompt_each(negative_prompt, "negative_prompt", 1)
        (generator,) = one_generator_each(generator, 1)
        if cancel is not None:
            cancel.raise_if_cancelled()

        # The work
        prompt_embeds = self.embed_prompts(
            [prompt],
            negative_prompts if settings.guidance_scale > 1 else [],
            prompt_embeds,
            negative_prompt_embeds,
        )
        parts: list[Any] = []
        parts_of_work = self._plan_work(
            size_of(video), settings, None if output_type == "latent" else slice_size
        )
        work = Work(on_progress, cancel, **parts_of_work)
        leave = default_to(on_frames, parts.append)
        for latents, small in self._enlarge(
            video,
            prompt_embeds,
            settings,
            generator,
            callback_on_step_end,
            callback_on_step_end_tensor_inputs,
            work,
            cancel,
        ):
            if output_type == "latent":
                parts.append(latents)
                continue
            small = small if settings.keep_colours else None
            for frames in self._decode(latents, small, slice_size, work):
                leave(frames)
        self.maybe_free_model_hooks()
        result = None
        if output_type == "latent":
            result = torch.cat(parts, dim=2)
        elif on_frames is None:
            result = np.concatenate(parts)[None]
        return SuperResolutionOutput(frames=result) if return_dict else (result,)

    def check_settings(
        self,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        scheduler: SchedulerName | None = None,
        noise_level: int | None = None,
        window_overlap: int | None = None,
        tile_size: TileSize = None,
        tile_overlap: int = 16,
        frame_size: tuple[int, int] | None = None,
        keep_colours: bool | None = None,
        share_noise: bool | None = None,
    ) -> SuperResolutionSettings:
        """Fill in the model's own values where None is given, and check the whole.

        Args:
            num_inference_steps: As in a call; likewise the others.
            guidance_scale: 0 to 50.
            scheduler: Sampler by name.
            noise_level: 0 to the highest the network knows.
            window_overlap: Frames that two windows share.
            tile_size: "auto" becomes what fits the memory that is free now.
            tile_overlap: Pixels that two tiles share.
            frame_size: Height and width of the small video, which "auto" depends on.
            keep_colours: Whether the result gets the small video's colours.
            share_noise: Whether all frames begin from the same noise.

        Raises:
            InputError: A value breaks its rule.
        """
        size = self.config.default_num_frames
        highest = self.unet.config["max_noise_level"]
        level = default_to(noise_level, self.config.default_noise_level)
        overlap = default_to(window_overlap, size // 2)
        keep_colours = default_to(keep_colours, self.config.default_keep_colours)
        share_noise = default_to(share_noise, self.config.default_share_noise)
        denoising = self.check_denoising(num_inference_steps, guidance_scale, scheduler)
        tile_overlap = limits.check_whole_number(tile_overlap, "tile_overlap", 0, 1 << 16)
        if tile_size == "auto":
            tile_size = self._tile_that_fits(frame_size, tile_overlap, denoising.guidance_scale)
        elif tile_size is not None:
            tile_size = limits.check_whole_number(tile_size, "tile_size", tile_overlap + 1, 1 << 16)
        return SuperResolutionSettings(
            noise_level=limits.check_whole_number(level, "noise_level", 0, highest),
            window_overlap=limits.check_whole_number(overlap, "window_overlap", 0, size - 1),
            tile_size=tile_size,
            tile_overlap=tile_overlap,
            keep_colours=limits.check_yes_or_no(keep_colours, "keep_colours"),
            share_noise=limits.check_yes_or_no(share_noise, "share_noise"),
            **asdict(denoising),
        )

    def check_video(self, video: FrameSequence | Tensor | None) -> FrameSequence | Tensor:
        """Give the video if it can be enlarged.

        Raises:
            InputError: It is none, or too small or too large.
        """
        return check_video(video)

    def _tile_that_fits(
        self, frame_size: tuple[int, int] | None, overlap: int, guidance_scale: float
    ) -> int | None:
        """None where whole frames fit, or their size is not known."""
        if frame_size is None:
            return None
        copies = 2 if guidance_scale > 1 else 1
        channels = self.unet.config["block_out_channels"][0]
        per_cell = copies * channels * _ACTIVATIONS_PER_CHANNEL * self.unet.dtype.itemsize
        free = free_memory(self._execution_device)
        frames = self.config.default_num_frames
        return choose_tile_size(*frame_size, frames, per_cell, free, overlap)

    def _windows(self, num_frames: int, settings: SuperResolutionSettings) -> list[Window]:
        return plan_windows(num_frames, self.config.default_num_frames, settings.window_overlap)

    def _plan_work(
        self,
        size: tuple[int, int, int],
        settings: SuperResolutionSettings,
        slice_size: int | None,
    ) -> dict[str, int]:
        """Parts of the work on a video ``(F, H, W)``; none is decoded without slices."""
        windows = self._windows(size[0], settings)
        num_steps = len(self.make_sampler(settings).timesteps)
        num_tiles = count_tiles(*size[1:], settings.tile_size, settings.tile_overlap)
        finals = [_num_final(windows, index) for index in range(len(windows))]
        return {
            "network": len(windows) * num_steps * num_tiles * self.unet.num_layers,
            "decoding": sum(-(-final // slice_size) for final in finals) if slice_size else 0,
        }

    def _enlarge(
        self,
        video: FrameSequence | Tensor,
        prompt_embeds: Tensor,
        settings: SuperResolutionSettings,
        generator: torch.Generator,
        callback: StepCallback | None,
        callback_tensors: Sequence[str],
        work: Work,
        cancel: CancelToken | None,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield latents ``(1, C, f, H, W)`` in order, as soon as they are final.

        Each with the small video's pixels ``(1, 3, f, H, W)`` of these frames.
        """
        windows = self._windows(size_of(video)[0], settings)
        carried = Carried()
        draw = WindowNoise(
            self.low_res_scheduler,
            settings.noise_level,
            self.unet.config["out_channels"],
            settings.share_noise,
            generator,
        )
        for index, window in enumerate(windows):
            num_final = _num_final(windows, index)
            num_known = 0 if carried.noise is None else carried.noise.shape[2]
            new_pixels = pixels_of(video, window.start + num_known, window.stop)
            drawn = draw(new_pixels.to(self._execution_device))
            pixels, low_res, noise = carried.before(new_pixels, *drawn)
            sampler = self.make_sampler(settings)
            network = WindowNetwork(
                self.unet,
                low_res,
                settings.noise_level,
                settings.tile_size,
                settings.tile_overlap,
                carried.outputs,
                num_final,
                work,
            )
            latents = self.denoise(
                noise,
                prompt_embeds,
                sampler,
                settings.guidance_scale,
                network,
                [generator],
                callback,
                callback_tensors,
                cancel,
            )
            pixels_left, low_res_left, noise_left = (
                part[:, :, num_final:] for part in (pixels, low_res, noise)
            )
            carried = Carried(pixels_left, low_res_left, noise_left, network.kept)
            yield latents[:, :, :num_final], pixels[:, :, :num_final]

    def _decode(
        self, latents: Tensor, small: Tensor | None, slice_size: int, work: Work
    ) -> Iterator[Frames]:
        """Frames slice by slice; with the colours of the small video's pixels if they are given."""
        if self.vae.dtype == torch.float16:  # it overflows there, so it was published in float32
            self.vae.to(dtype=torch.float32)
        start = 0
        for pixels in decode_in_slices(self.vae, latents, slice_size):
            stop = start + pixels.shape[2]
            if small is not None:
                pixels = keep_colours_of(small[:, :, start:stop].to(pixels), pixels)
            yield pixels_to_frames(pixels, is_rounded=False)[0]
            work.finish("decoding")
            start = stop


def _num_final(windows: Sequence[Window], index: int) -> int:
    """Frames of a window that no later one sees."""
    is_last = index == len(windows) - 1
    return (windows[index].stop if is_last else windows[index + 1].start) - windows[index].start
