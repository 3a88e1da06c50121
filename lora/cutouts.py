"""Things taken off a plain ground, so that they can stand anywhere."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
# (the libraries say little of their types)

import numpy as np
from PIL import Image, ImageDraw

_WORKING_SIDE = 160
_PLAIN = 9.0  # levels that a plain ground is off its smooth surface
_GROUND = 0.85  # of a picture's border is ground, as a rule
_DEGREE = 5  # of the surface, along each side: shades may be uneven
_FITS = 4
_BEGINS, _IS_CLEAR = 14.0, 40.0  # levels between a thing and the ground, where it begins to count
_LEAST, _MOST = 0.02, 0.8  # share of a picture that a thing takes
_LONGEST = 1.15  # an oval's longer side, of its shorter one


def is_cutout(picture: np.ndarray) -> bool:
    """Whether a picture ``(H, W, 4)`` shows its subject before nothing."""
    return float((picture[..., 3] < 128).mean()) > _LEAST


def cut_out(picture: np.ndarray) -> np.ndarray:
    """Make a plain ground transparent: a wall, a table, a sheet of paper, also one in shades.

    The ground is what a smooth surface through the picture's border explains and the border leads
    to; what is enclosed by the thing stays. A picture without such a ground comes back as it is.

    Args:
        picture: uint8 ``(H, W, 4)``.
    """
    if is_cutout(picture):
        return picture
    height, width = picture.shape[:2]
    scale = min(1.0, _WORKING_SIDE / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = Image.fromarray(picture[..., :3]).resize(size, Image.Resampling.BOX)
    distance = _distance_from_ground(np.asarray(small, np.float32))
    if distance is None:
        return picture
    opacity = np.clip((distance - _BEGINS) / (_IS_CLEAR - _BEGINS), 0, 1)
    opacity[~_reached_from_border(opacity < 0.5)] = 1
    if not _LEAST < float((opacity > 0.5).mean()) < _MOST:
        return picture
    alpha = Image.fromarray((255 * opacity).astype(np.uint8))
    alpha = alpha.resize((width, height), Image.Resampling.BILINEAR)
    return np.concatenate([picture[..., :3], np.asarray(alpha)[..., None]], axis=-1)


def cut_oval(picture: np.ndarray) -> np.ndarray:
    """Make all but an oval in the middle transparent, where a ground can't be told from a thing.

    Args:
        picture: uint8 ``(H, W, 4)``.
    """
    height, width = picture.shape[:2]
    shorter = min(height, width)
    sides = [min(side, round(_LONGEST * shorter)) for side in (width, height)]
    left, top = (width - sides[0]) / 2, (height - sides[1]) / 2
    alpha = Image.new("L", (width, height))
    ImageDraw.Draw(alpha).ellipse((left, top, left + sides[0] - 1, top + sides[1] - 1), fill=255)
    opacity = np.minimum(picture[..., 3], np.asarray(alpha))
    return np.concatenate([picture[..., :3], opacity[..., None]], axis=-1)


def _distance_from_ground(pixels: np.ndarray) -> np.ndarray | None:
    """Levels between each pixel and the ground, ``(h, w)``; None if there is no plain one."""
    h, w = pixels.shape[:2]
    rows, columns = np.meshgrid(np.linspace(-1, 1, h), np.linspace(-1, 1, w), indexing="ij")
    powers = [axis**power for axis in (rows, columns) for power in range(1, _DEGREE + 1)]
    terms = np.stack([np.ones_like(rows), rows * columns, *powers], axis=-1)
    depth = max(1, min(h, w) // 20)
    is_border = np.ones((h, w), bool)
    is_border[depth:-depth, depth:-depth] = False
    fitted, distance = is_border, np.zeros((h, w))
    for _ in range(_FITS):  # without those pixels of the border that the thing itself reaches
        surface, *_ = np.linalg.lstsq(terms[fitted], pixels[fitted], rcond=None)
        distance = np.linalg.norm(pixels - terms @ surface, axis=-1)
        fitted = is_border & (distance <= np.quantile(distance[is_border], _GROUND))
    return distance if distance[fitted].max() <= _PLAIN else None


def _reached_from_border(is_ground: np.ndarray) -> np.ndarray:
    """Of what looks like ground, that which the border leads to, boolean ``(h, w)``."""
    framed = np.pad(is_ground, 1, constant_values=True).astype(np.uint8)
    mask = Image.fromarray(framed).copy()  # of its own, to draw on
    ImageDraw.floodfill(mask, (0, 0), 2)
    return np.asarray(mask)[1:-1, 1:-1] == 2
