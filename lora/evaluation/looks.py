"""Ways to colour pictures: two that the world has never had, and others not to take them for."""

from functools import partial

import numpy as np

from lavie.data.world.clips import apply_style
from lavie.evaluation.likeness import Look, find_place
from lavie.types import Frames

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def _in_few_colours(colours: tuple[tuple[int, int, int], ...], picture: np.ndarray) -> np.ndarray:
    """A print of a few inks, each for one range of brightness."""
    steps = (picture @ _LUMA / 256 * len(colours)).astype(int).clip(0, len(colours) - 1)
    return np.array(colours, np.float32)[steps]


def _tinted(tint: tuple[float, float, float], picture: np.ndarray) -> np.ndarray:
    return (picture @ _LUMA)[..., None] * np.array(tint, np.float32)


def _negative(picture: np.ndarray) -> np.ndarray:
    return 255 - picture


NEW_LOOKS: dict[str, Look] = {
    "print": partial(
        _in_few_colours, ((40, 16, 88), (168, 32, 120), (240, 120, 72), (255, 232, 150))
    ),
    "phosphor": partial(_tinted, (0.3, 1.05, 0.4)),
}
"""What a style LoRA is tried on: four inks, and a green screen."""

LOOKS: dict[str, Look | None] = {
    "colour": None,
    "black and white": partial(apply_style, style="black and white"),
    "sepia": partial(apply_style, style="sepia"),
    **NEW_LOOKS,
    "blueprint": partial(_tinted, (0.35, 0.6, 1.1)),
    "rose": partial(_tinted, (1.1, 0.55, 0.75)),
    "night print": partial(
        _in_few_colours, ((10, 20, 40), (24, 88, 104), (88, 176, 136), (232, 248, 208))
    ),
    "negative": _negative,
}
"""All that a clip may be taken for; None is the world's own."""


def read_look(frames: Frames) -> str:
    """Name the look of a clip: the one in which a place of the world comes nearest to it.

    Args:
        frames: uint8 ``(F, H, W, 3)`` of the world's size.
    """
    distances = {name: find_place(frames, look).distance for name, look in LOOKS.items()}
    return min(distances, key=distances.__getitem__)
