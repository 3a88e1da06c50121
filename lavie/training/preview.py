"""What a network makes of the same captions and the same noise, step after step."""

from pathlib import Path
from typing import Any

import torch

from lavie.data.joint import JointBatch
from lavie.data.world import contact_sheet
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.types import Frames


def take_captions(batch: JointBatch, count: int) -> list[str]:
    """The first captions of a batch, those of clips if there are any, each of them once."""
    firsts = [row[0] for row in batch.captions]
    return list(dict.fromkeys(firsts))[:count]


def preview_sheet(
    pipeline: TextToVideoPipeline, captions: list[str], num_frames: int, path: Path
) -> None:
    """Sample a video per caption into a PNG sheet.

    Args:
        pipeline: The model, sampling as its defaults say.
        captions: What to show.
        num_frames: Frames of each video; 1 for stills.
        path: The file to write.
    """
    rows: list[tuple[str, Frames]] = []
    for seed, caption in enumerate(captions):  # one by one, for the memory of large models
        generator = torch.Generator().manual_seed(seed)
        output: Any = pipeline(caption, num_frames=num_frames, generator=generator)
        rows.append((caption, output.frames[0]))
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = 2 if num_frames > 1 else 4
    contact_sheet(rows, 8, columns, zoom=2).save(path)
