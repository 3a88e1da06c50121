"""Sprites and places, drawn once and kept."""

import os
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lavie.data.world.vocabulary import NEWCOMERS, SUBJECTS
from lavie.errors import MissingDependencyError

HEIGHT, WIDTH = 40, 64
HORIZON = 24
_FONT_SIZE = 109  # the one bitmap size that Noto Color Emoji holds
_FONT_NAME = "NotoColorEmoji.ttf"
_FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")

Colour = tuple[int, int, int]


@cache
def _font() -> ImageFont.FreeTypeFont:
    """The emoji font: LAVIE_EMOJI_FONT names its file, else the usual folders are searched."""
    named = os.environ.get("LAVIE_EMOJI_FONT")
    candidates = (
        [Path(named)]
        if named
        else [p for f in _FONT_FOLDERS for p in sorted(Path(f).expanduser().rglob(_FONT_NAME))]
    )
    for path in candidates:
        try:
            return ImageFont.truetype(path, _FONT_SIZE)
        except OSError:
            continue
    raise MissingDependencyError(
        "The world is drawn with the font Noto Color Emoji, which was not found. Install it "
        "(Debian: apt-get install fonts-noto-color-emoji) or set LAVIE_EMOJI_FONT to its .ttf file."
    )


def sprite(subject: str, height: int) -> np.ndarray:
    """A subject on a transparent ground; see `draw_emoji`.

    Args:
        subject: A key of `SUBJECTS` or of `NEWCOMERS`.
        height: Wanted height in pixels, at least 1.
    """
    known = SUBJECTS.get(subject)
    return draw_emoji(known.emoji if known else NEWCOMERS[subject], height)


@cache
def draw_emoji(emoji: str, height: int) -> np.ndarray:
    """A character of the emoji font on a transparent ground; do not write to it.

    Args:
        emoji: The character.
        height: Wanted height in pixels, at least 1. The width follows; what is wide is made
            smaller until it is at most 1.2 times as wide as this.

    Returns:
        float32 ``(h, w, 4)``, colours in [0, 255] and opacity in [0, 1].

    Raises:
        MissingDependencyError: The emoji font is not installed.
    """
    image = Image.new("RGBA", (160, 160))
    draw = ImageDraw.Draw(image)
    draw.text((8, 8), emoji, font=_font(), embedded_color=True)
    image = image.crop(image.getbbox())
    zoom = min(height / image.height, 1.2 * height / image.width)
    width, height = max(1, round(image.width * zoom)), max(1, round(image.height * zoom))
    # Premultiplied ("RGBa") while resizing, so that no dark rim appears around the sprite.
    image = image.convert("RGBa").resize((width, height), Image.Resampling.BOX).convert("RGBA")
    array = np.asarray(image, np.float32).copy()
    array[..., 3] /= 255
    return array


def paste(canvas: np.ndarray, image: np.ndarray, x: int, y: int) -> None:
    """Draw a sprite onto a canvas in place; what lies outside the canvas is cut off.

    Args:
        canvas: float32 ``(H, W, C)``.
        image: float32 ``(h, w, C + 1)``, the last channel its opacity in [0, 1].
        x: Column of the sprite's left edge, may be negative.
        y: Row of its top edge, may be negative.
    """
    top, left = max(y, 0), max(x, 0)
    bottom, right = min(y + len(image), len(canvas)), min(x + image.shape[1], canvas.shape[1])
    if bottom <= top or right <= left:
        return
    part = image[top - y : bottom - y, left - x : right - x]
    target = canvas[top:bottom, left:right]
    target += part[..., -1:] * (part[..., :-1] - target)


@cache
def place_background(place: str, scale: int = 1, horizon_shift: int = 0) -> np.ndarray:
    """A place without its subject.

    Args:
        place: A key of ``PLACES``.
        scale: 1 draws `HEIGHT` x `WIDTH`, k draws k times that.
        horizon_shift: Rows (at scale 1) that the horizon is moved down.

    Returns:
        float32 ``(HEIGHT * scale, WIDTH * scale, 3)`` in [0, 255]; do not write to it.
    """
    sky, ground, details = _PLACES[place]
    horizon = (HORIZON + horizon_shift) * scale
    canvas = np.empty((HEIGHT * scale, WIDTH * scale, 3), np.float32)
    canvas[:horizon] = _gradient(*sky, horizon)
    canvas[horizon:] = _gradient(*ground, HEIGHT * scale - horizon)
    # Details are drawn four times too large and averaged down: smooth edges at every scale.
    image = Image.fromarray(canvas.astype(np.uint8)).resize(
        (WIDTH * scale * 4, HEIGHT * scale * 4), Image.Resampling.NEAREST
    )
    draw = ImageDraw.Draw(image)
    for shape, box, colour in details:
        getattr(draw, shape)([value * scale * 4 for value in box], fill=colour)
    return np.asarray(image.reduce(4), np.float32)


def _gradient(top: Colour, bottom: Colour, rows: int) -> np.ndarray:
    t = np.linspace(0, 1, rows, dtype=np.float32)[:, None, None]
    return (1 - t) * np.array(top, np.float32) + t * np.array(bottom, np.float32)


_WHITE, _TREE = (250, 250, 250), (40, 105, 75)
_Details = list[tuple[str, tuple[float, ...], Colour]]
# place: (sky from top to horizon, ground from horizon to bottom, details)
_PLACES: dict[str, tuple[tuple[Colour, Colour], tuple[Colour, Colour], _Details]] = {
    "ocean": (
        ((120, 190, 240), (200, 230, 250)),
        ((40, 110, 190), (15, 70, 150)),
        [
            ("ellipse", (x, y, x + 6, y + 1.5), (110, 170, 225))
            for x, y in ((5, 29), (27, 32), (48, 28))
        ],
    ),
    "snow": (
        ((165, 185, 205), (215, 225, 235)),
        ((238, 242, 248), (250, 252, 255)),
        [("polygon", (x, 26, x + 4, 16, x + 8, 26), _TREE) for x in (2, 53)],
    ),
    "desert": (
        ((150, 205, 235), (235, 220, 180)),
        ((225, 180, 100), (200, 145, 70)),
        [("ellipse", (4, 3, 12, 11), (255, 225, 80))],
    ),
    "grass": (
        ((110, 185, 245), (190, 225, 250)),
        ((100, 180, 70), (50, 130, 45)),
        [("ellipse", box, _WHITE) for box in ((6, 4, 18, 9), (44, 6, 58, 11))],
    ),
    "sunset": (
        ((95, 45, 110), (250, 150, 70)),
        ((110, 50, 75), (50, 20, 50)),
        [("ellipse", (50, 15, 60, 25), (255, 215, 120))],
    ),
    "night": (
        ((12, 14, 45), (35, 35, 85)),
        ((25, 45, 50), (12, 22, 28)),
        [
            ("ellipse", (51, 3, 59, 11), (245, 240, 205)),
            *(
                ("ellipse", (x, y, x + 1.5, y + 1.5), _WHITE)
                for x, y in ((6, 5), (18, 12), (30, 4), (42, 13))
            ),
        ],
    ),
}
