"""Does interpolation find the frames in between? Held-out clips that are known in full."""

from typing import Any

import numpy as np
import torch

from lavie.data.world import NUM_FRAMES, Clip, render_clip
from lavie.evaluation.baselines import cross_fade, repeat_frames
from lavie.evaluation.judge import Judge, judge_clips
from lavie.evaluation.measured import MeasuredClip, for_each
from lavie.evaluation.measures import mean_difference, psnr, roughness
from lavie.media import frames_to_pixels, pixels_to_frames
from lavie.models.latents import decode_latents, encode_pixels
from lavie.pipelines.between import FACTOR, num_result_frames
from lavie.pipelines.exact import EXACT_SAMPLING
from lavie.pipelines.interpolation import InterpolationPipeline
from lavie.types import CancelToken, Frames, OnEvent


def measure_interpolation(
    pipeline: InterpolationPipeline,
    judge: Judge,
    num_clips: int,
    seed: int = 0,
    num_inference_steps: int | None = None,
    num_exact: int = 2,
    on_event: OnEvent | None = None,
    cancel: CancelToken | None = None,
) -> list[MeasuredClip]:
    """Give every fourth frame of clips and compare what is made with the rest.

    Args:
        pipeline: A model of the world.
        judge: Reads where the subject is.
        num_clips: Clips of the test split, from ``seed`` on.
        seed: Of the first clip and of its noise.
        num_inference_steps: None: the model's own.
        num_exact: Clips that are made by the published sampling too.
        on_event: Told after every clip.
        cancel: Looked at before every denoising step.

    Returns:
        Clips with ``psnr`` of the new frames and ``roughness`` of the subject's path, the same of
        a cross-fade, of repeated frames, of the truth (``vae``: once through the autoencoder), and
        how near the given frames stay (``key_psnr``, ``key_difference``).

    Raises:
        Cancelled: ``cancel`` was set.
    """

    def measure(index: int, seed: int) -> MeasuredClip:
        clip = render_clip(seed, "test", num_result_frames(NUM_FRAMES))
        settings = {"num_inference_steps": num_inference_steps, "cancel": cancel}
        ours = _interpolate(pipeline, clip, seed, settings)
        numbers, pictures = _compare(clip.frames, ours, pipeline, judge)
        if index < num_exact:
            exact = _interpolate(pipeline, clip, seed, settings | EXACT_SAMPLING)
            numbers["psnr_exact"] = psnr(_new(exact), _new(clip.frames))
            numbers["fast_vs_exact"] = psnr(ours, exact)
        return MeasuredClip(clip.caption, numbers, pictures)

    return for_each(range(seed, seed + num_clips), measure, "interpolation", on_event)


def through_vae(pipeline: Any, frames: Frames) -> Frames:  # noqa: ANN401 - of any stage
    """Encode and decode: the best that a stage's autoencoder allows."""
    pixels = frames_to_pixels(frames[None]).to(pipeline.device)
    return pixels_to_frames(decode_latents(pipeline.vae, encode_pixels(pipeline.vae, pixels)))[0]


def _interpolate(
    pipeline: InterpolationPipeline, clip: Clip, seed: int, settings: dict[str, Any]
) -> Frames:
    output: Any = pipeline(
        clip.frames[::FACTOR],
        clip.caption,
        generator=torch.Generator().manual_seed(seed),
        **settings,
    )
    return output.frames[0]


def _compare(
    truth: Frames, ours: Frames, pipeline: InterpolationPipeline, judge: Judge
) -> tuple[dict[str, float], dict[str, Frames]]:
    given = truth[::FACTOR]
    videos = {
        "": ours,
        "_cross_fade": cross_fade(given, FACTOR),
        "_repetition": repeat_frames(given, FACTOR),
        "_vae": through_vae(pipeline, truth),
    }
    numbers = {f"psnr{name}": psnr(_new(video), _new(truth)) for name, video in videos.items()}
    numbers["key_psnr"] = psnr(ours[::FACTOR], given)
    numbers["key_psnr_vae"] = psnr(videos["_vae"][::FACTOR], given)
    numbers["key_difference"] = mean_difference(ours[::FACTOR], given)
    videos["_truth"] = truth
    for name, verdict in zip(videos, judge_clips(judge, list(videos.values())), strict=True):
        numbers[f"roughness{name}"] = roughness(verdict.path[:, :2])
    pictures = {
        "given": videos["_repetition"],
        "cross-fade": videos["_cross_fade"],
        "interpolated": ours,
        "truth": truth,
    }
    return numbers, pictures


def _new(frames: Frames) -> Frames:
    """The frames that were not given."""
    return frames[np.arange(len(frames)) % FACTOR != 0]
