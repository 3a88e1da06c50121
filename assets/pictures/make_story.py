"""Make the story of the README: ``python assets/pictures/make_story.py``."""

import sys
from itertools import groupby
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from lavie import Cascade  # noqa: E402 - found beside this file's folder
from lavie.data.world.sheet import contact_sheet  # noqa: E402

SEED = 0  # chosen before looking, as the lines are
STORY = """
a panda moving left over the ocean | 3
a panda moving up over the ocean | 3
a panda moving right in the snow | 3
a panda bouncing in the snow | 3
a panda moving down at sunset | 3
"""


def main() -> None:
    """Film the story; a row for each line, every second frame of it."""
    segments = Cascade.from_pretrained("miniature").film(STORY, seed=SEED).segments()
    rows = []
    for _, parts in groupby(segments, lambda segment: segment.part.line):
        parts = list(parts)
        frames = np.concatenate([segment.frames for segment in parts])
        rows.append((parts[0].part.prompt, frames[::2]))
    sheet = contact_sheet(rows, frames_per_row=12, columns=1, zoom=2)
    sheet.save(ROOT / "assets" / "pictures" / "story.png")


if __name__ == "__main__":
    main()
