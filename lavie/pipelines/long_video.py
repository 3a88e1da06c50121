"""Videos that go on from given frames: from a picture, between two shots, window after window."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast, get_args

import torch
from diffusers import AutoencoderKL
from diffusers.models.unets.unet_3d_condition import UNet3DConditionOutput
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from lavie.errors import CheckpointError, InputError
from lavie.media import pixels_to_frames
from lavie.models import BaseUNet
from lavie.models.given_frames import beside_given_frames, encode_nothing
from lavie.models.latents import decode_latents
from lavie.pipelines import limits
from lavie.pipelines.easing import ease_in
from lavie.pipelines.given_latents import GivenLatents
from lavie.pipelines.schedulers import Scheduler, make_respaced, true_output
from lavie.pipelines.story import Part
from lavie.pipelines.text_to_video import (
    OutputType,
    TextToVideoOutput,
    TextToVideoPipeline,
    TextToVideoSettings,
)
from lavie.pipelines.video_pipeline import DenoisingSettings, Network, default_to
from lavie.types import Frames


@dataclass(frozen=True)
class Segment:
    """What one part of a story has added to a film.

    Args:
        part: Which part, with its prompt and its seed.
        frames: uint8 ``(F, H, W, 3)``, those that no segment before it has shown.
        latents: ``(1, C, k, h, w)`` of the last frames of the film so far, to go on from.
    """

    part: Part
    frames: Frames
    latents: Tensor


class LongVideoPipeline(TextToVideoPipeline):
    """LaVie's long-video model: the base network, which here also sees the frames that are given.

    Args:
        vae: As for `TextToVideoPipeline`; likewise the others.
        text_encoder: CLIP.
        tokenizer: Its tokenizer.
        unet: Takes noisy latents, a mask and the masked video.
        scheduler: Noise schedule and usual sampler.
        default_height: Pixels.
        default_width: Pixels.
        default_num_frames: Frames of one window, those that are given too.
        default_num_inference_steps: 250 in the published code, with its slower sampler.
        default_guidance_scale: 8 in the published code.
        default_fps: Frames per second.
        default_num_given: K, how many of the last frames the next window is given.
        holds_given: Whether given frames are also kept on their way from the noise to what they
            are, so that at every step the others stand beside them. The published code leaves them
            to the network, which sees the mask but makes them again.
        guidance_hides_given: Whether guidance leads away from a prediction that has seen neither
            the prompt nor what is given, and so on from what is given as well. In the published
            code that prediction has seen it too.
        num_eased: Frames of a film over which what stands still goes from the look of the given
            frames to that of the new ones, see `ease_in`; 0, as in the published code: none.
        prompt_suffix: Put behind every prompt, as in the training of the network.
        transition_suffix: The same where the last frame of a window is given too.
        latent_rgb_factors: For previews.
        latent_rgb_bias: For previews.

    Raises:
        CheckpointError: The network takes no given frames.

    Source: LaVie (arXiv:2309.15103), section 5.6, and the release of SEINE.
    """

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
        default_guidance_scale: float = 8.0,
        default_fps: int = 8,
        default_num_given: int = 1,
        holds_given: bool = False,
        guidance_hides_given: bool = False,
        num_eased: int = 0,
        prompt_suffix: str = "",
        transition_suffix: str = "",
        latent_rgb_factors: list[list[float]] | None = None,
        latent_rgb_bias: list[float] | None = None,
    ) -> None:
        if not unet.takes_given_frames:
            raise CheckpointError(
                f"This network takes {unet.config['in_channels']} channels: noise alone, no given "
                "frames. Use TextToVideoPipeline."
            )
        super().__init__(
            vae,
            text_encoder,
            tokenizer,
            unet,
            scheduler,
            default_height,
            default_width,
            default_num_frames,
            default_num_inference_steps,
            default_guidance_scale,
            default_fps,
            latent_rgb_factors,
            latent_rgb_bias,
        )
        self.register_to_config(
            default_num_given=default_num_given,
            holds_given=holds_given,
            guidance_hides_given=guidance_hides_given,
            num_eased=num_eased,
            prompt_suffix=prompt_suffix,
            transition_suffix=transition_suffix,
        )

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | Sequence[str] | None = None,
        *args: Any,  # noqa: ANN401 - as for TextToVideoPipeline
        first_latents: Tensor | None = None,
        last_latents: Tensor | None = None,
        output_type: OutputType = "frames",
        decode_slice_size: int = 8,
        return_dict: bool = True,
        **options: Any,  # noqa: ANN401
    ) -> TextToVideoOutput | tuple[Any]:
        """Make one window for each prompt, of which some frames are given.

        Args:
            prompt: As for `TextToVideoPipeline`, like everything that is not named here.
            *args: Further arguments of `TextToVideoPipeline`.
            first_latents: Latents ``(B or 1, C, K, h, w)`` of the first K frames: a picture, or the
                end of what came before. None: nothing is given.
            last_latents: Likewise of the last frames, for a transition.
            output_type: As for `TextToVideoPipeline`; given frames come back as they are.
            decode_slice_size: Frames decoded at once.
            return_dict: False gives a plain tuple.
            **options: Further arguments of `TextToVideoPipeline`.

        Raises:
            InputError: An argument breaks its rule.
            Cancelled: ``cancel`` was set.
        """
        limits.check_choice(output_type, get_args(OutputType), "output_type")
        limits.check_slice_size(decode_slice_size, "decode_slice_size")
        call = inspect.signature(TextToVideoPipeline.__call__).bind(self, prompt, *args, **options)
        size = (call.arguments.get(name) for name in ("height", "width", "num_frames"))
        shape = self.latent_shape(self.check_settings(*size))
        prompts = default_to(call.arguments.get("prompt_embeds"), prompt)
        batch_size = len(prompts) if isinstance(prompts, list | tuple | Tensor) else 1
        given = GivenLatents((batch_size, *shape), first_latents, last_latents)
        nothing = encode_nothing(self.vae, *shape[2:]).to(self._execution_device)
        (latents,) = super().__call__(
            prompt,
            *args,
            output_type="latent",
            network=self._seeing(given, nothing),
            return_dict=False,
            **options,
        )
        latents = given.put_into(cast(Tensor, latents))
        result: Any = latents
        if output_type != "latent":
            result = decode_latents(self.vae, latents, decode_slice_size, options.get("cancel"))
            result = pixels_to_frames(result) if output_type == "frames" else result
        return TextToVideoOutput(frames=result) if return_dict else (result,)

    def segments(
        self,
        parts: Sequence[Part],
        settings: TextToVideoSettings,
        *,
        num_given: int | None = None,
        first_latents: Tensor | None = None,
        last_latents: Tensor | None = None,
        shows_first: bool = False,
        opening: Callable[[Part], Tensor] | None = None,
        make_generator: Callable[[int], torch.Generator] | None = None,
        decode_slice_size: int = 8,
        **options: Any,  # noqa: ANN401 - of a window's call, which checks them
    ) -> Iterator[Segment]:
        """Make a film window after window, each given the last latents of the one before.

        Nothing of what was made is kept but the few latents that the next window is given, so
        memory does not grow with the film.

        Args:
            parts: Of a story, see `plan_parts`.
            settings: What `check_settings` gave.
            num_given: K, the most frames that a window is given; None: the model's own.
            first_latents: ``(1, C, k, h, w)`` of what the film goes on from, k up to K. None: it
                begins from nothing.
            last_latents: Likewise of what it ends with.
            shows_first: Whether what it goes on from is to be seen in it, as a picture is.
            opening: Gives the latents ``(1, C, F, h, w)`` of the first window where nothing is
                given to it; None: this pipeline makes them.
            make_generator: The noise of a part's seed; None: PyTorch's, on the CPU.
            decode_slice_size: Frames decoded at once.
            **options: Of every window's call, such as ``negative_prompt`` or a callback.

        Yields:
            What each part adds, as soon as it is done.

        Raises:
            InputError: What is given does not fit the window.
            Cancelled: The token ``cancel`` among the options was set.

        Source: LaVie (arXiv:2309.15103), section 5.6. That a window may be given more than one
        frame, and that its words may be new ones, is ours.
        """
        num_last = 0 if last_latents is None else last_latents.shape[2]
        num_given = self.check_num_given(num_given, settings.num_frames - num_last)
        if first_latents is not None and first_latents.shape[2] > num_given:
            raise InputError(
                f"{first_latents.shape[2]} frames are given, more than {num_given}. Leave the first"
                " of them out.",
                "first_latents",
            )
        make_generator = make_generator or (lambda seed: torch.Generator().manual_seed(seed))
        there = first_latents
        for part in parts:
            ends_with = last_latents if part is parts[-1] else None
            if there is None and ends_with is None and opening is not None:
                window = opening(part)
            else:
                suffix = "prompt_suffix" if ends_with is None else "transition_suffix"
                output: Any = self(
                    self._with_suffix(part.prompt, suffix),
                    first_latents=there,
                    last_latents=ends_with,
                    generator=make_generator(part.seed),
                    output_type="latent",
                    **asdict(settings),
                    **options,
                )
                window = output.frames
            num_there = 0 if there is None else there.shape[2]
            num_free = window.shape[2] - num_there - (0 if ends_with is None else num_last)
            window = ease_in(window, num_there, min(self.config["num_eased"], num_free))
            start = 0 if shows_first and part is parts[0] else num_there
            stop = num_there + part.num_new
            pixels = decode_latents(
                self.vae, window[:, :, start:stop], decode_slice_size, options.get("cancel")
            )
            there = window[:, :, :stop][:, :, -num_given:].clone()  # not a view of all the window
            yield Segment(part, pixels_to_frames(pixels)[0], there)

    def _with_suffix(self, prompt: str, name: str) -> str:
        """A prompt and the words that the model wants behind it, where there is room for them.

        Text encoders read no further than the longest prompt, so that nothing is lost behind it.
        """
        words = prompt + self.config[name]
        return words if len(words) <= limits.MAX_PROMPT_LENGTH else prompt

    def make_sampler(self, settings: DenoisingSettings) -> Scheduler:
        """A sampler of this call's own; ``ddpm`` and ``ddim`` as in the published code."""
        if settings.scheduler not in ("ddpm", "ddim"):
            return super().make_sampler(settings)
        steps, device = settings.num_inference_steps, self._execution_device
        return make_respaced(settings.scheduler, self.scheduler.config, steps, device)

    def check_num_given(self, num_given: int | None, num_frames: int) -> int:
        """Give K, how many of its last frames a film's next window is given.

        Args:
            num_given: None: the model's own, as far as the window has room for it.
            num_frames: F, of a window, without those that are given at its end.

        Raises:
            InputError: It is not at least 1 and below F.
        """
        most = num_frames - 1
        if most < 1:
            raise InputError(
                "A window of fewer than 2 frames has no room for given ones. Make it longer.",
                "num_frames",
            )
        num_given = default_to(num_given, min(self.config["default_num_given"], most))
        return limits.check_whole_number(num_given, "num_given", 1, most)

    def _seeing(self, given: GivenLatents, nothing: Tensor) -> Network:
        """The network with mask and given frames beside the noisy latents."""

        def network(sample: Tensor, timestep: Tensor, text: Tensor) -> UNet3DConditionOutput:
            known = given.put_into(torch.zeros_like(sample))
            is_shown = given.is_given.repeat(len(sample), 1)
            if self.config["guidance_hides_given"]:
                is_shown[: len(sample) - given.batch_size] = False  # the unconditional half
            seen = beside_given_frames(sample, known, is_shown, nothing)
            output = self.unet(seen, timestep, text)
            if self.config["holds_given"]:
                told = true_output(self.scheduler, known, sample, timestep)
                is_given = given.is_given[:, None, :, None, None].to(sample.device)
                output.sample = torch.where(is_given, told, output.sample)
            return output

        return network
