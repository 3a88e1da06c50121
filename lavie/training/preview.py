"""What a network makes of the same captions and the same noise, step after step."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from lavie.data.joint import JointBatch
from lavie.data.world import contact_sheet
from lavie.media import write_video
from lavie.pipelines.video_pipeline import VideoPipeline
from lavie.types import Frames


def take_captions(batch: JointBatch, count: int) -> list[str]:
    """The first captions of a batch, those of clips if there are any, each of them once."""
    firsts = [row[0] for row in batch.captions]
    return list(dict.fromkeys(firsts))[:count]


def write_preview(
    pipeline: VideoPipeline, captions: list[str], num_frames: int, path: Path
) -> None:
    """Sample a video per caption into a PNG sheet and, if they move, an MP4 of the same name.

    Args:
        pipeline: The model, sampling as its defaults say.
        captions: What to show.
        num_frames: Frames of each video; 1 for stills.
        path: The sheet, ending in ``.png``.
    """
    rows: list[tuple[str, Frames]] = []
    for seed, caption in enumerate(captions):  # one by one, for the memory of large models
        generator = torch.Generator().manual_seed(seed)
        output: Any = pipeline(caption, num_frames=num_frames, generator=generator)  # pyright: ignore[reportCallIssue]
        rows.append((caption, output.frames[0]))
    path.parent.mkdir(parents=True, exist_ok=True)
    zoom = max(1, 96 // rows[0][1].shape[1])
    if num_frames == 1:
        contact_sheet(rows, 1, columns=4, zoom=zoom).save(path)
        return
    contact_sheet(rows, 8, columns=2, zoom=zoom).save(path)
    _write_moving_sheet(rows, 4, zoom, path.with_suffix(".mp4"), pipeline.config.default_fps)


def write_comparison(rows: list[tuple[str, Frames]], path: Path, fps: float) -> None:
    """Write videos that belong together, three to a clip, as a PNG sheet and an MP4 beside it.

    Args:
        rows: Titles and videos of one size and length.
        path: The sheet, ending in ``.png``.
        fps: Frames per second of the MP4.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    zoom = max(1, 96 // rows[0][1].shape[1])
    contact_sheet(rows, 9, columns=1, zoom=zoom).save(path)
    _write_moving_sheet(rows, 3, zoom, path.with_suffix(".mp4"), fps)


def _write_moving_sheet(
    rows: list[tuple[str, Frames]], columns: int, zoom: int, path: Path, fps: float
) -> None:
    moments = ([(title, video[[k]]) for title, video in rows] for k in range(len(rows[0][1])))
    sheets = (np.asarray(contact_sheet(moment, 1, columns, zoom)) for moment in moments)
    write_video(path, sheets, fps)
