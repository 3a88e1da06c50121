"""The stages of LaVie behind one call: a sentence in, a finished video and its recipe out."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from lavie import __version__
from lavie.convert.resolve import load_pipeline
from lavie.errors import InputError, MemoryBudgetError
from lavie.models.fingerprint import hash_weights
from lavie.pipelines import limits
from lavie.pipelines.text_to_video import TextToVideoPipeline, TextToVideoSettings
from lavie.pipelines.video_pipeline import StepCallback, VideoPipeline
from lavie.types import (
    CancelToken,
    Frames,
    OnEvent,
    Preview,
    Progress,
    SchedulerName,
    StageName,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Generation:
    """A finished video.

    Args:
        frames: uint8 ``(F, H, W, 3)``.
        fps: Frames per second.
        seed: The one seed of all stages.
        metadata: The recipe: everything needed to make the video again, JSON-serialisable.
        seconds: Wall-clock seconds per stage.
    """

    frames: Frames
    fps: float
    seed: int
    metadata: dict[str, Any]
    seconds: dict[str, float] = field(default_factory=dict)


class Cascade:
    """The stages that a model folder has, ready to run one after the other.

    Args:
        base: The text-to-video stage.
        model: What the recipe calls the model: the name or folder it was loaded from.
    """

    def __init__(self, base: TextToVideoPipeline, model: str) -> None:
        self.base = base
        self.model = model
        self.model_hash = hash_weights(base.unet, base.vae, base.text_encoder)
        self.base.set_progress_bar_config(disable=True)  # progress goes to on_event

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> Self:
        """Load any model.

        Args:
            model: A model folder; ``"miniature"``; a folder in the original's
                ``pretrained_models/`` layout; the hub id of a model folder or of the published
                checkpoint.
            device: None: the GPU if there is one, else the CPU.
            dtype: None: float16 on a GPU, as the published code, else float32.

        Raises:
            CheckpointError: There is no such model, or it is broken or unsafe.
        """
        device = choose_device(device)
        dtype = choose_dtype(device) if dtype is None else dtype
        return cls(load_pipeline(model, dtype).to(device), str(model))

    @property
    def stages(self) -> tuple[StageName, ...]:
        """The stages this model has, in their order."""
        return ("base",)

    def generate(
        self,
        prompt: str,
        stages: Sequence[str] | None = None,
        seed: int = 0,
        negative_prompt: str = "",
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        scheduler: SchedulerName | None = None,
        height: int | None = None,
        width: int | None = None,
        num_frames: int | None = None,
        fps: int | None = None,
        on_event: OnEvent | None = None,
        cancel: CancelToken | None = None,
    ) -> Generation:
        """Make a video.

        Args:
            prompt: What to show, 1 to 1,000 characters.
            stages: None: all the model has.
            seed: Whole number in ``[0, 2**63)``; the same seed gives the same video.
            negative_prompt: What to stay away from.
            num_inference_steps: Steps of the base stage; None: the model's own. Likewise the
                other settings, which `TextToVideoPipeline` explains.
            guidance_scale: 0 to 50.
            scheduler: Sampler by name.
            height: Pixels.
            width: Pixels.
            num_frames: Frames of the base stage.
            fps: 1 to 120; the speed at which the video plays, not what is in it.
            on_event: Hears of every step and, if the model can show them, of previews.
            cancel: Looked at once per step.

        Raises:
            InputError: An argument breaks its rule.
            MemoryBudgetError: The video does not fit the device's memory.
            Cancelled: ``cancel`` was set.
        """
        stages = self._check_stages(stages)
        seed = limits.check_seed(seed)
        settings = self.base.check_settings(
            height, width, num_frames, num_inference_steps, guidance_scale, scheduler
        )
        fps = limits.check_fps(self.base.config.default_fps if fps is None else fps)
        started = time.perf_counter()
        with _memory_errors(settings, self.base.device):
            output: Any = self.base(
                prompt,
                negative_prompt=negative_prompt,
                generator=torch.Generator().manual_seed(seed),
                callback_on_step_end=on_event
                and _report_steps(on_event, settings.num_inference_steps),
                callback_on_step_end_tensor_inputs=("predicted_clean_latents",),
                cancel=cancel,
                **asdict(settings),
            )
        recipe = {
            "version": __version__,
            "model": self.model,
            "model_hash": self.model_hash,
            "stages": list(stages),
            "prompt": prompt,
            "negative_prompt": negative_prompt,
            "seed": seed,
            "fps": fps,
            "settings": {"base": asdict(settings)},
            "dtype": str(self.base.unet.dtype).removeprefix("torch."),
            "device": self.base.device.type,
        }
        seconds = {"base": time.perf_counter() - started}
        logger.info("Made %d frames in %.1f s.", len(output.frames[0]), seconds["base"])
        return Generation(output.frames[0], fps, seed, recipe, seconds)

    def _check_stages(self, stages: Sequence[str] | None) -> tuple[str, ...]:
        if stages is None:
            return self.stages
        for stage in stages:
            if stage not in self.stages:
                raise InputError(
                    f"Model '{self.model}' has no stage '{stage}'. "
                    f"It has {', '.join(self.stages)}.",
                    "stages",
                )
        if "base" not in stages:
            raise InputError("A video from a prompt needs the stage 'base'.", "stages")
        return tuple(stage for stage in self.stages if stage in stages)


def choose_device(asked: torch.device | str | None = None) -> torch.device:
    """Give the device asked for, or the best one of this machine.

    Raises:
        InputError: The machine has no such device.
    """
    available = [
        name
        for name, exists in (
            ("cuda", torch.cuda.is_available()),
            ("mps", torch.backends.mps.is_available()),
            ("cpu", True),
        )
        if exists
    ]
    device = torch.device(asked or available[0])
    if device.type not in available:
        raise InputError(
            f"Device '{device}' is not on this machine. It has {', '.join(available)}.", "device"
        )
    return device


def choose_dtype(device: torch.device) -> torch.dtype:
    """float16 on a GPU, as the published code; float32 elsewhere."""
    return torch.float16 if device.type == "cuda" else torch.float32


@contextmanager
def _memory_errors(settings: TextToVideoSettings, device: torch.device) -> Iterator[None]:
    """Say what does not fit the device's memory, and the way out."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MemoryBudgetError(
            f"{settings.num_frames} frames of {settings.width}x{settings.height} do not fit the "
            f"memory of {device.type}. Ask for a smaller size or fewer frames."
        ) from error


def _report_steps(on_event: OnEvent, total: int) -> StepCallback:
    """Turn the pipeline's callback into events of the base stage."""
    started = time.perf_counter()

    def report(
        pipeline: VideoPipeline, step: int, timestep: Tensor, tensors: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        done = step + 1
        left = (time.perf_counter() - started) / done * (total - done)
        on_event(Progress("base", done, total, left))
        if pipeline.config.latent_rgb_factors is not None:
            frames = pipeline.preview(tensors["predicted_clean_latents"])[0]
            on_event(Preview("base", done, frames))
        return {}

    return report
