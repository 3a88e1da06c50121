"""One stage at work: from checked settings to frames, telling of it as it goes."""

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from torch import Tensor

from lavie.pipelines.given_video import size_of
from lavie.pipelines.interpolation import InterpolationPipeline, InterpolationSettings
from lavie.pipelines.stages import stage_generator
from lavie.pipelines.super_resolution import (
    FACTOR,
    SuperResolutionPipeline,
    SuperResolutionSettings,
)
from lavie.pipelines.text_to_video import TextToVideoPipeline, TextToVideoSettings
from lavie.pipelines.video_pipeline import OnProgress, StepCallback, VideoPipeline
from lavie.types import (
    CancelToken,
    Frames,
    FrameSequence,
    OnEvent,
    Preview,
    Progress,
    StageName,
)

_PREVIEWED = ("predicted_clean_latents",)


def run_base(
    pipeline: TextToVideoPipeline,
    settings: TextToVideoSettings,
    prompt: str,
    negative_prompt: str,
    seed: int,
    on_event: OnEvent | None,
    cancel: CancelToken | None,
) -> Frames:
    """Make a video of a sentence."""
    output: Any = pipeline(
        prompt,
        negative_prompt=negative_prompt,
        generator=stage_generator("base", seed),
        callback_on_step_end=on_event and _report_steps(on_event, settings.num_inference_steps),
        callback_on_step_end_tensor_inputs=_PREVIEWED,
        cancel=cancel,
        **asdict(settings),
    )
    return output.frames[0]


def run_interpolation(
    pipeline: InterpolationPipeline,
    settings: InterpolationSettings,
    video: FrameSequence,
    prompt: str,
    seed: int,
    on_event: OnEvent | None,
    cancel: CancelToken | None,
) -> Frames:
    """Smooth a video."""
    num_windows = len(pipeline.windows(size_of(video)[0], settings.window_overlap))
    output: Any = pipeline(
        video,
        prompt,
        generator=stage_generator("interpolation", seed),
        on_progress=on_event and _report_progress("interpolation", on_event),
        callback_on_step_end=on_event and _report_previews("interpolation", on_event, num_windows),
        callback_on_step_end_tensor_inputs=_PREVIEWED,
        cancel=cancel,
        **asdict(settings),
    )
    return output.frames[0]


def run_super_resolution(
    pipeline: SuperResolutionPipeline,
    settings: SuperResolutionSettings,
    video: FrameSequence,
    prompt: str,
    negative_prompt: str,
    seed: int,
    on_frames: Callable[[Frames], None] | None,
    on_event: OnEvent | None,
    cancel: CancelToken | None,
) -> Frames:
    """Enlarge a video; no frames of the large size if they went to ``on_frames``."""
    output: Any = pipeline(
        video,
        prompt,
        negative_prompt=negative_prompt,
        generator=stage_generator("super_resolution", seed),
        on_frames=on_frames,
        on_progress=on_event and _report_progress("super_resolution", on_event),
        cancel=cancel,
        **asdict(settings),
    )
    if output.frames is not None:
        return output.frames[0]
    _, height, width = size_of(video)
    return np.empty((0, FACTOR * height, FACTOR * width, 3), np.uint8)


def _report_progress(stage: StageName, on_event: OnEvent) -> OnProgress:
    """Tell how much of a stage is done, and how long the rest takes at the pace so far."""
    started = time.perf_counter()

    def report(done: int, total: int) -> None:
        left = (time.perf_counter() - started) / done * (total - done)
        on_event(Progress(stage, done, total, left))

    return report


def _report_previews(stage: StageName, on_event: OnEvent, parts_per_step: int = 1) -> StepCallback:
    """Show after every step what the video looks like, where the model folder says how."""

    def report(
        pipeline: VideoPipeline, step: int, timestep: Tensor, tensors: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        if pipeline.config.latent_rgb_factors is not None:
            frames = pipeline.preview(tensors["predicted_clean_latents"])[0]
            on_event(Preview(stage, (step + 1) * parts_per_step, frames))
        return {}

    return report


def _report_steps(on_event: OnEvent, total: int) -> StepCallback:
    """Tell of progress and previews of the base stage, whose parts are its steps."""
    progress, previews = _report_progress("base", on_event), _report_previews("base", on_event)

    def report(
        pipeline: VideoPipeline, step: int, timestep: Tensor, tensors: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        progress(step + 1, total)
        return previews(pipeline, step, timestep, tensors)

    return report
