"""One stage at work: from checked settings to frames, telling of it as it goes."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from torch import Tensor

from lavie.models.latents import in_tiles
from lavie.pipelines.chunks import smooth_in_chunks
from lavie.pipelines.given_video import size_of
from lavie.pipelines.interpolation import InterpolationPipeline, InterpolationSettings
from lavie.pipelines.stages import stage_generator
from lavie.pipelines.super_resolution import (
    FACTOR,
    SuperResolutionPipeline,
    SuperResolutionSettings,
)
from lavie.pipelines.text_to_video import TextToVideoPipeline, TextToVideoSettings
from lavie.pipelines.video_pipeline import StepCallback, VideoPipeline, default_to
from lavie.pipelines.work import Work
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
        callback_on_step_end=on_event
        and report_steps("base", on_event, settings.num_inference_steps),
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
    guidance_takes_turns: bool,
    on_frames: Callable[[Frames], None] | None,
    on_event: OnEvent | None,
    cancel: CancelToken | None,
) -> Frames:
    """Smooth a video; no frames if they went to ``on_frames``."""
    report = on_event and _Report("interpolation", on_event)
    parts: list[Frames] = []
    leave = default_to(on_frames, parts.append)
    for frames in smooth_in_chunks(
        pipeline,
        video,
        settings,
        stage_generator("interpolation", seed),
        report and report.progress,
        prompt=prompt,
        guidance_takes_turns=guidance_takes_turns,
        callback_on_step_end=report and report.preview,
        callback_on_step_end_tensor_inputs=_PREVIEWED,
        cancel=cancel,
    ):
        leave(frames)
    return np.concatenate(parts) if on_frames is None else no_frames(*size_of(video)[1:])


def run_super_resolution(
    pipeline: SuperResolutionPipeline,
    settings: SuperResolutionSettings,
    video: FrameSequence,
    prompt: str,
    negative_prompt: str,
    seed: int,
    vae_tile_size: int | None,
    on_frames: Callable[[Frames], None] | None,
    on_event: OnEvent | None,
    cancel: CancelToken | None,
) -> Frames:
    """Enlarge a video; no frames of the large size if they went to ``on_frames``."""
    with in_tiles(pipeline.vae, vae_tile_size):
        output: Any = pipeline(
            video,
            prompt,
            negative_prompt=negative_prompt,
            generator=stage_generator("super_resolution", seed),
            on_frames=on_frames,
            on_progress=on_event and _Report("super_resolution", on_event).progress,
            cancel=cancel,
            **asdict(settings),
        )
    if output.frames is not None:
        return output.frames[0]
    _, height, width = size_of(video)
    return no_frames(FACTOR * height, FACTOR * width)


def no_frames(height: int, width: int) -> Frames:
    """A video ``(0, H, W, 3)`` of which there is nothing, yet or any more."""
    return np.empty((0, height, width, 3), np.uint8)


class _Report:
    """Tells of a stage's progress, and shows what the video looks like so far.

    Args:
        stage: Which.
        on_event: Whom to tell.
    """

    def __init__(self, stage: StageName, on_event: OnEvent) -> None:
        self.stage: StageName = stage
        self.on_event = on_event
        self.done = 0

    def progress(self, done: int, total: int, seconds_left: float) -> None:
        """Tell how much is done, and how long the rest takes."""
        self.done = done
        self.on_event(Progress(self.stage, done, total, seconds_left))

    def preview(
        self, pipeline: VideoPipeline, step: int, timestep: Tensor, tensors: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Show the video after a step, where the model folder says how."""
        if pipeline.config.latent_rgb_factors is not None:
            frames = pipeline.preview(tensors["predicted_clean_latents"])[0]
            self.on_event(Preview(self.stage, self.done, frames))
        return {}


def report_steps(stage: StageName, on_event: OnEvent, total: int) -> StepCallback:
    """Tell of progress and previews of a stage whose parts are ``total`` steps."""
    report = _Report(stage, on_event)
    work = Work(report.progress, None, steps=total)

    def tell(
        pipeline: VideoPipeline, step: int, timestep: Tensor, tensors: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        work.finish("steps")
        return report.preview(pipeline, step, timestep, tensors)

    return tell
