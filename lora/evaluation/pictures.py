"""Pictures of a thing as somebody would have them: on any ground, of any shape, a little turned."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from lavie.data.world import PLACES, SUBJECTS, compose_caption, render_thing
from lavie.data.world.clips import Draw
from lavie.data.world.drawing import sprite
from lavie.evaluation.likeness import Look

SIZES = ((320, 320), (400, 300), (300, 400), (360, 288))
"""Width and height of the pictures, in turn."""
GROUNDS = ("plain", "transparent", "gradient")
"""What is behind the thing, in turn."""
IN_PLACES = "places"
"""A ground, too: the world's places."""

_STANDS_OUT = 90  # levels between a ground and the thing before it, in one colour at least
_LARGEST = 128  # pixels; the emoji font holds no larger pictures
_SCALE = 6  # of the world's pictures


@dataclass(frozen=True)
class Picture:
    """A file with a picture.

    Args:
        path: The file.
        caption: What somebody may say of it; empty: nothing.
    """

    path: Path
    caption: str = ""


def draw_pictures(
    draw: Draw, folder: Path, count: int, seed: int = 0, grounds: Sequence[str] = GROUNDS
) -> list[Picture]:
    """Draw a thing some times and write PNG files.

    Args:
        draw: The thing.
        folder: Where ``0.png``, ``1.png`` ... are written; made if it is not there.
        count: How many pictures.
        seed: Decides sizes, turns and colours.
        grounds: Some of `GROUNDS` and `IN_PLACES`, in turn.
    """
    rng = np.random.default_rng(seed)
    image = as_image(draw(_LARGEST))
    places = list(PLACES)
    pictures: list[Picture] = []
    for index in range(count):
        ground, caption = grounds[index % len(grounds)], ""
        if ground == IN_PLACES:
            place = places[(seed + index) % len(places)]
            frames = render_thing(seed + index, draw, place, None, scale=_SCALE)
            picture, caption = Image.fromarray(frames[0]), PLACES[place][0]
        else:
            picture = place_on_ground(image, SIZES[index % len(SIZES)], ground, rng)
        pictures.append(_write(picture, folder, index, caption))
    return pictures


def draw_scenes(look: Look, folder: Path, count: int, seed: int = 0) -> list[Picture]:
    """Draw scenes of the world in a look, with captions of what they show.

    Args:
        look: How they are coloured.
        folder: As for `draw_pictures`.
        count: How many pictures.
        seed: Decides what they show.
    """
    pictures: list[Picture] = []
    subjects, places = list(SUBJECTS), list(PLACES)
    for index in range(count):
        subject = subjects[(seed + index) % len(subjects)]
        place = places[(seed + index) % len(places)]
        draw = partial(sprite, subject)
        frames = render_thing(seed + index, draw, place, None, scale=_SCALE)
        coloured = look(frames[0].astype(np.float32)).round().clip(0, 255).astype(np.uint8)
        caption = compose_caption(subject, place)
        pictures.append(_write(Image.fromarray(coloured), folder, index, caption))
    return pictures


def place_on_ground(
    image: Image.Image, size: tuple[int, int], ground: str, rng: np.random.Generator
) -> Image.Image:
    """A picture of a thing, nearly as large as fits, a little turned and off the middle.

    Args:
        image: RGBA, the thing alone.
        size: Width and height of the picture.
        ground: One of `GROUNDS`.
        rng: Decides the rest.

    Returns:
        RGBA on a transparent ground, else RGB.
    """
    share = float(rng.uniform(0.62, 0.85))
    zoom = share * min(size[0] / image.width, size[1] / image.height)
    drawn = image.resize(
        (round(image.width * zoom), round(image.height * zoom)), Image.Resampling.LANCZOS
    ).rotate(float(rng.uniform(-8, 8)), Image.Resampling.BICUBIC, expand=True)
    middle = [(size[axis] - drawn.size[axis]) / 2 for axis in range(2)]
    left, top = (max(0, round(m * (1 + float(rng.uniform(-0.6, 0.6))))) for m in middle)
    picture = Image.new("RGBA", size)
    if ground != "transparent":
        picture = _gradient(_choose_colours(image, ground, rng), size)
    picture.alpha_composite(drawn, (left, top))
    return picture if ground == "transparent" else picture.convert("RGB")


def as_image(array: np.ndarray) -> Image.Image:
    """A sprite float32 ``(h, w, 4)`` of the world as an RGBA picture."""
    colours = array * np.array([1, 1, 1, 255], np.float32)
    return Image.fromarray(colours.round().clip(0, 255).astype(np.uint8))


def _write(picture: Image.Image, folder: Path, index: int, caption: str) -> Picture:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{index}.png"
    picture.save(path)
    return Picture(path, caption)


def _choose_colours(image: Image.Image, ground: str, rng: np.random.Generator) -> np.ndarray:
    """Two colours uint8 ``(2, 3)``, the same for a plain ground, that the thing stands out from."""
    pixels = np.asarray(image, np.float32).reshape(-1, 4)
    usual = np.average(pixels[:, :3], axis=0, weights=pixels[:, 3])
    while True:
        colours = rng.integers(60, 245, (2, 3))
        if ground == "plain":
            colours[1] = colours[0]
        if np.abs(colours - usual).max(axis=1).min() > _STANDS_OUT:
            return colours.astype(np.uint8)


def _gradient(colours: np.ndarray, size: tuple[int, int]) -> Image.Image:
    column = Image.fromarray(colours[:, None])
    return column.resize(size, Image.Resampling.BILINEAR).convert("RGBA")
