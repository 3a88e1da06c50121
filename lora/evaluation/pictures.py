"""Pictures of a thing as somebody would have them: on any ground, of any shape, a little turned."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from lavie.data.world.clips import Draw

SIZES = ((320, 320), (400, 300), (300, 400), (360, 288))
"""Width and height of the pictures, in turn."""
GROUNDS = ("plain", "transparent", "gradient")
"""What is behind the thing, in turn."""

_STANDS_OUT = 90  # levels between a ground and the thing before it, in one colour at least
_LARGEST = 128  # pixels; the emoji font holds no larger pictures


def draw_pictures(
    draw: Draw,
    folder: Path,
    count: int,
    seed: int = 0,
    recolour: Callable[[Image.Image], Image.Image] | None = None,
) -> list[Path]:
    """Draw a thing some times and write PNG files.

    Args:
        draw: The thing.
        folder: Where ``0.png``, ``1.png`` ... are written; made if it is not there.
        count: How many pictures.
        seed: Decides sizes, turns and grounds.
        recolour: Changes every picture, such as into a style.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    image = as_image(draw(_LARGEST))
    paths: list[Path] = []
    for index in range(count):
        picture = place_on_ground(image, SIZES[index % 4], GROUNDS[index % 3], rng)
        if recolour is not None:
            picture = recolour(picture)
        path = folder / f"{index}.png"
        picture.save(path)
        paths.append(path)
    return paths


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
