"""Does super-resolution find the detail, and keep it steady? Held-out clips drawn finer."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from lavie.data.world import NUM_FRAMES, Clip, render_clip
from lavie.evaluation.baselines import shrink_frames
from lavie.evaluation.interpolation_quality import through_vae
from lavie.evaluation.measured import MeasuredClip, for_each
from lavie.evaluation.measures import flicker, psnr, seam_strength, sharpness
from lavie.media import enlarge_frames
from lavie.pipelines.exact import EXACT_SAMPLING
from lavie.pipelines.super_resolution import FACTOR, SuperResolutionPipeline
from lavie.pipelines.windows import plan_windows
from lavie.types import CancelToken, Frames, OnEvent

_TILE = {"tile_size": 32, "tile_overlap": 16}


def measure_super_resolution(
    pipeline: SuperResolutionPipeline,
    num_clips: int,
    seed: int = 0,
    num_inference_steps: int | None = None,
    num_detailed: int = 1,
    num_frames: int = NUM_FRAMES,
    on_event: OnEvent | None = None,
    cancel: CancelToken | None = None,
) -> list[MeasuredClip]:
    """Shrink clips by averaging, enlarge them again and compare with what they were.

    Args:
        pipeline: A model of the world.
        num_clips: Clips of the test split, from ``seed`` on.
        seed: Of the first clip and of its noise.
        num_inference_steps: None: the model's own.
        num_detailed: Clips that are also made in the published setting, in one window, and in
            tiles.
        num_frames: Of each clip, in which its whole motion happens; at least 3.
        on_event: Told after every clip.
        cancel: Looked at before every denoising step.

    Returns:
        Clips with ``psnr``, ``sharpness`` (of the truth's) and ``flicker``, the same of Lanczos,
        of the truth through the autoencoder (``vae``) and of the same model run frame by frame,
        each with noise of its own (``frame_by_frame``) or all with the same (``same_noise``); and
        ``seam_strength`` at the borders of windows.

    Raises:
        Cancelled: ``cancel`` was set.
    """

    def measure(index: int, seed: int) -> MeasuredClip:
        clip = render_clip(seed, "test", num_frames, scale=FACTOR)
        settings = {"num_inference_steps": num_inference_steps, "cancel": cancel}
        low = shrink_frames(clip.frames, FACTOR)
        ours = _enlarge(pipeline, low, clip, seed, settings)
        lanczos = enlarge_frames(low, FACTOR)
        own_noise = range(seed, seed + len(low))
        others = {
            "_lanczos": lanczos,
            "_frame_by_frame": _one_by_one(pipeline, low, clip, own_noise, settings),
            "_same_noise": _one_by_one(pipeline, low, clip, [seed] * len(low), settings),
        }
        numbers = _compare(clip.frames, ours, others, pipeline)
        if index < num_detailed:
            numbers |= _vary(pipeline, low, clip, seed, settings, ours)
        pictures = {
            "small": enlarge_frames(low, FACTOR, "nearest"),
            "Lanczos": lanczos,
            "enlarged": ours,
            "truth": clip.frames,
        }
        return MeasuredClip(clip.caption, numbers, pictures)

    return for_each(range(seed, seed + num_clips), measure, "super_resolution", on_event)


def _enlarge(
    pipeline: SuperResolutionPipeline,
    low: Frames,
    clip: Clip,
    seed: int,
    settings: dict[str, Any],
) -> Frames:
    generator = torch.Generator().manual_seed(seed)
    output: Any = pipeline(low, clip.caption, generator=generator, **settings)
    return output.frames[0]


def _one_by_one(
    pipeline: SuperResolutionPipeline,
    low: Frames,
    clip: Clip,
    seeds: Iterable[int],
    settings: dict[str, Any],
) -> Frames:
    """Every frame enlarged as a clip of its own."""
    frames = [
        _enlarge(pipeline, frame[None], clip, seed, settings)
        for frame, seed in zip(low, seeds, strict=True)
    ]
    return np.concatenate(frames)


def _compare(
    truth: Frames, ours: Frames, others: Mapping[str, Frames], pipeline: SuperResolutionPipeline
) -> dict[str, float]:
    videos = {"": ours, **others, "_vae": through_vae(pipeline, truth)}
    numbers = {f"psnr{name}": psnr(video, truth) for name, video in videos.items()}
    true_sharpness = sharpness(truth)
    for name, video in videos.items():
        numbers[f"sharpness{name}"] = sharpness(video) / true_sharpness
        numbers[f"flicker{name}"] = flicker(video, truth)
    borders = _borders(pipeline, len(truth))
    if borders:
        numbers["seam_strength"] = seam_strength(ours, borders)
        numbers["seam_strength_truth"] = seam_strength(truth, borders)
    return numbers


def _vary(
    pipeline: SuperResolutionPipeline,
    low: Frames,
    clip: Clip,
    seed: int,
    settings: dict[str, Any],
    ours: Frames,
) -> dict[str, float]:
    """How far other ways to the same video lead."""
    exact = _enlarge(pipeline, low, clip, seed, settings | EXACT_SAMPLING)
    tiled = _enlarge(pipeline, low, clip, seed, settings | _TILE)
    with _one_window(pipeline, len(low)):
        whole = _enlarge(pipeline, low, clip, seed, settings)
        other_noise = _enlarge(pipeline, low, clip, seed + 1, settings)
    return {
        "psnr_exact": psnr(exact, clip.frames),
        "fast_vs_exact": psnr(ours, exact),
        "psnr_whole": psnr(whole, clip.frames),
        "windowed_vs_whole": psnr(ours, whole),
        "other_noise_vs_whole": psnr(other_noise, whole),
        "psnr_tiled": psnr(tiled, clip.frames),
        "tiled_vs_whole_frames": psnr(tiled, ours),
    }


@contextmanager
def _one_window(pipeline: SuperResolutionPipeline, num_frames: int) -> Iterator[None]:
    usual = pipeline.config.default_num_frames
    pipeline.register_to_config(default_num_frames=num_frames)
    try:
        yield
    finally:
        pipeline.register_to_config(default_num_frames=usual)


def _borders(pipeline: SuperResolutionPipeline, num_frames: int) -> list[int]:
    """Frames with which a window begins or behind which one ends, except the video's own ends."""
    size = pipeline.config.default_num_frames
    windows = plan_windows(num_frames, size, pipeline.check_settings().window_overlap)
    ends = {border for window in windows for border in window}
    return sorted(ends - {0, num_frames})
