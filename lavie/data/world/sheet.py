"""A contact sheet: rows of frames with their captions, for looking at data and at results."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from lavie.data.world.clips import Clip, render_clip, render_still
from lavie.data.world.vocabulary import Split
from lavie.types import Frames

_CAPTION_HEIGHT = 12
_GAP = 4
_MIN_WIDTH = 220  # of a cell, for its caption


def contact_sheet(
    rows: list[tuple[str, Frames]], frames_per_row: int = 8, columns: int = 2, zoom: int = 1
) -> Image.Image:
    """Captioned rows of frames as one picture.

    Args:
        rows: Captions with frames uint8 ``(F, H, W, 3)``, all of one size.
        frames_per_row: Frames shown of each clip, evenly spread from its first to its last.
        columns: Clips side by side, at most.
        zoom: Enlargement of every pixel.
    """
    height, width = rows[0][1].shape[1] * zoom, rows[0][1].shape[2] * zoom
    columns = min(columns, len(rows))
    frames_per_row = min(frames_per_row, max(len(frames) for _, frames in rows))
    cell_w = max(frames_per_row * width, _MIN_WIDTH) + _GAP
    cell_h = height + _CAPTION_HEIGHT + _GAP
    sheet = Image.new("RGB", (cell_w * columns, cell_h * -(-len(rows) // columns)), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (caption, frames) in enumerate(rows):
        x, y = (i % columns) * cell_w, (i // columns) * cell_h
        draw.text((x + 2, y), caption, fill="black")
        picks = (
            np.linspace(0, len(frames) - 1, min(frames_per_row, len(frames))).round().astype(int)
        )
        for k, frame in enumerate(frames[picks]):
            image = Image.fromarray(frame).resize((width, height), Image.Resampling.NEAREST)
            sheet.paste(image, (x + k * width, y + _CAPTION_HEIGHT))
    return sheet


def world_sheet(path: Path, split: Split = "train", num_clips: int = 24, seed: int = 0) -> None:
    """Draw clips and stills of the world with their captions into a PNG file.

    Args:
        path: The file to write.
        split: Which split to show.
        num_clips: Rows of clips; as many stills follow, eight to a row.
        seed: Seed of the first clip.
    """
    clips = [render_clip(seed + i, split) for i in range(num_clips)]
    rows = [(clip.caption, clip.frames) for clip in clips]
    stills = [render_still(seed + i, split) for i in range(num_clips)]
    for i in range(0, num_clips, 8):
        group = stills[i : i + 8]
        rows.append((_still_captions(group), np.concatenate([s.frames for s in group])))
    contact_sheet(rows).save(path)


def _still_captions(stills: list[Clip]) -> str:
    return " | ".join(still.caption for still in stills)[:100]
