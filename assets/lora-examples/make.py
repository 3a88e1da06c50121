"""Draw the example picture sets: ``python assets/lora-examples/make.py``."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parents[1]))

from lora.evaluation.pictures import GROUNDS, place_on_ground  # noqa: E402 - found beside it

NUM_PICTURES = 6
_CANVAS = 480  # things are drawn large and made smaller: smooth edges
_SIZE = (240, 240)


def draw_robot(pose: int) -> Image.Image:
    """A tin robot, red with a grey head; its arms differ from pose to pose."""
    image = Image.new("RGBA", (_CANVAS, _CANVAS))
    draw = ImageDraw.Draw(image)
    red, dark, grey = (214, 38, 44), (120, 14, 26), (176, 186, 196)
    yellow, black = (255, 222, 70), (38, 40, 48)
    for side in (-1, 1):
        lift = (80, 0, -90)[(pose + (side > 0)) % 3]  # where the hand is, below the shoulder
        hand = (240 + side * 190, 270 + lift)
        draw.line([(240 + side * 110, 260), hand], fill=grey, width=42)
        draw.ellipse([hand[0] - 34, hand[1] - 34, hand[0] + 34, hand[1] + 34], fill=dark)
        foot = 240 + side * 65
        draw.rectangle([foot - 26, 380, foot + 26, 430], fill=grey)
        draw.rounded_rectangle([foot - 50, 420, foot + 50, 466], 18, fill=dark)
    draw.rounded_rectangle([110, 212, 370, 396], 28, fill=red)
    draw.rounded_rectangle([176, 262, 304, 352], 16, fill=yellow)
    draw.line([(240, 70), (240, 24)], fill=black, width=16)
    draw.ellipse([216, 4, 264, 52], fill=red)
    draw.rounded_rectangle([126, 64, 354, 204], 30, fill=grey)
    for x in (190, 290):
        draw.ellipse([x - 34, 94, x + 34, 162], fill=black)
        draw.ellipse([x - 14, 108, x + 14, 136], fill=yellow)
    return image.crop(image.getbbox())


def draw_boat(pose: int) -> Image.Image:
    """A toy boat with a yellow sail and a purple hull; the sail swings from pose to pose."""
    image = Image.new("RGBA", (_CANVAS, _CANVAS))
    draw = ImageDraw.Draw(image)
    purple, shade, yellow = (130, 40, 170), (86, 22, 122), (255, 210, 50)
    orange, brown = (240, 130, 30), (90, 56, 30)
    swing = (0, 24, -20)[pose % 3]
    draw.rectangle([222, 24, 244, 330], fill=brown)
    draw.polygon([(232, 30), (232, 300), (430 + swing, 300)], fill=yellow)
    draw.polygon([(232, 165), (232, 225), (378 + swing, 232)], fill=orange)
    draw.polygon([(212, 70), (212, 300), (86 - swing, 300)], fill=orange)
    draw.polygon([(20, 320), (460, 320), (372, 452), (108, 452)], fill=purple)
    draw.polygon([(240, 320), (460, 320), (372, 452), (240, 452)], fill=shade)
    draw.rectangle([16, 316, 464, 336], fill=(250, 246, 240))
    return image.crop(image.getbbox())


_Set = tuple[Callable[[int], Image.Image], dict[str, str]]
SETS: dict[str, _Set] = {
    "robot": (
        draw_robot,
        {"name": "Tin robot", "token": "tinbot", "class_word": "robot", "kind": "thing"},
    ),
    "boat": (
        draw_boat,
        {"name": "Toy boat", "token": "toyboat", "class_word": "boat", "kind": "thing"},
    ),
}


def main() -> None:
    """Write every set into its folder."""
    for name, (draw, about) in SETS.items():
        folder = FOLDER / name
        folder.mkdir(exist_ok=True)
        rng = np.random.default_rng(len(name))
        for pose in range(NUM_PICTURES):
            ground = GROUNDS[pose % len(GROUNDS)]
            picture = place_on_ground(draw(pose), _SIZE, ground, rng)
            picture.save(folder / f"{pose}.png", optimize=True)
        text = json.dumps(about, indent=1)
        (folder / "set.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
