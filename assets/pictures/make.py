"""Make the animated picture of the README: ``python assets/pictures/make.py``."""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from lavie import TextToVideoPipeline  # noqa: E402 - found beside this file's folder

ZOOM, COLUMNS, CAPTION_HEIGHT = 4, 3, 22
PROMPTS = (  # chosen before looking; the last row's subjects never moved in training
    "a panda moving left over the ocean",
    "a fox bouncing in the snow",
    "a car moving right in the desert",
    "a frog growing on the grass",
    "a chick moving up at night",
    "a bear moving down at sunset",
    "a pumpkin moving left in the snow",
    "a mushroom moving right on the grass",
    "an alien bouncing in the desert",
)


def main() -> None:
    """Generate the clips with seeds 0, 1, 2, ... and tile them, captions below."""
    pipeline = TextToVideoPipeline.from_pretrained("miniature")
    generators = [torch.Generator().manual_seed(seed) for seed in range(len(PROMPTS))]
    videos = pipeline(PROMPTS, generator=generators).frames  # (B, F, H, W, 3)
    num_frames, height, width = videos.shape[1:4]
    cell = (width * ZOOM, height * ZOOM + CAPTION_HEIGHT)
    font = ImageFont.load_default(13)
    pages = []
    for frame in range(num_frames):
        page = Image.new("RGB", (cell[0] * COLUMNS, cell[1] * -(-len(PROMPTS) // COLUMNS)), "white")
        draw = ImageDraw.Draw(page)
        for i, (prompt, video) in enumerate(zip(PROMPTS, videos, strict=True)):
            x, y = i % COLUMNS * cell[0], i // COLUMNS * cell[1]
            image = Image.fromarray(np.asarray(video[frame]))
            page.paste(image.resize((cell[0], height * ZOOM), Image.Resampling.BICUBIC), (x, y))
            draw.text((x + 4, y + height * ZOOM + 3), prompt, fill="black", font=font)
        pages.append(page)
    target = ROOT / "assets" / "pictures" / "miniature.gif"
    pages[0].save(target, save_all=True, append_images=pages[1:], duration=125, loop=0)


if __name__ == "__main__":
    main()
