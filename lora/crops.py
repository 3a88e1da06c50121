"""Where the subject of a picture is, and crops around it in the model's own shape."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
# (the libraries say little of their types)

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from lavie.data.world.clips import Pose
from lora.cutouts import is_cutout

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels; may reach beyond the picture."""

_MAP_SIDE = 48
_ROOM_AROUND = 1.25
_CUTOUT_HEIGHT = 0.5  # of the frame, as a rule: the miniature's subjects take half of it
_CUTOUT_SPREAD = 0.15  # the most that it is off


@dataclass(frozen=True)
class Crops:
    """Pieces of a picture.

    Args:
        frames: uint8 ``(V, H, W, 3)``, or ``(V, F, H, W, 3)`` of clips.
        focus: float32 ``(V, H, W)`` or ``(V, F, H, W)`` in [0, 1], 1 where the subject is.
        grounds: Which of the grounds that were given each stands before; -1 where it is none.
    """

    frames: np.ndarray
    focus: np.ndarray
    grounds: tuple[int, ...]


def find_subject(picture: np.ndarray) -> np.ndarray:
    """How likely each place shows the subject: its opacity, or how unlike the border it looks.

    Args:
        picture: uint8 ``(H, W, 4)``.

    Returns:
        float32 ``(H, W)`` in [0, 1].
    """
    if is_cutout(picture):
        return picture[..., 3].astype(np.float32) / 255
    height, width = picture.shape[:2]
    scale = min(1.0, _MAP_SIDE / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = Image.fromarray(picture[..., :3]).resize(size, Image.Resampling.BOX)
    found = _unlike_the_border(np.asarray(small, np.float32))
    back = Image.fromarray((found * 255).astype(np.uint8)).resize(
        (width, height), Image.Resampling.BILINEAR
    )
    return np.asarray(back, np.float32) / 255


def make_crops(
    picture: np.ndarray,
    height: int,
    width: int,
    count: int,
    generator: torch.Generator,
    shift: float = 0.0,
    zoom: float = 0.0,
    mirror: bool = False,
    grounds: Sequence[np.ndarray] = (),
) -> Crops:
    """Cut a picture to the model's shape, around its subject, in several ways.

    The first crop is the plain one. A subject that fits stays whole. A cut-out stands anywhere in
    the frame, before each of the grounds in turn or, without any, a smooth one of other colours
    each time; where a crop reaches beyond a picture, its ground goes on.

    Args:
        picture: uint8 ``(H, W, 4)``.
        height: Of the crops, in pixels.
        width: Of the crops, in pixels.
        count: How many.
        generator: Draws all but the first.
        shift: The most that one is moved, as a share of its sides.
        zoom: The most that one is wider or narrower, as a share.
        mirror: Whether half of them are mirrored.
        grounds: float32 ``(height, width, 3)`` in [0, 255].
    """
    subject = find_subject(picture)
    cut_out, bounds = is_cutout(picture), _bounds(subject)
    frames: list[np.ndarray] = []
    focus: list[np.ndarray] = []
    for index in range(count):
        draws = torch.rand(18, generator=generator).tolist()
        if index == 0:
            draws[:4] = [0.5] * 4
        box = (_cutout_box if cut_out else _cover_box)(subject, width / height, draws[0])
        reach = 0.5 if cut_out else shift
        place = _moved(box, bounds, reach, zoom, draws)
        ground = None
        if cut_out and grounds:
            ground = grounds[index % len(grounds)]
        elif cut_out:
            ground = _smooth_ground(draws[6:], height, width)
        frame, mask = _cut(picture, subject, place, (width, height), ground)
        if mirror and index // max(1, len(grounds)) % 2:
            frame, mask = frame[:, ::-1], mask[:, ::-1]
        frames.append(frame)
        focus.append(mask)
    stands_before = [i % len(grounds) if cut_out and grounds else -1 for i in range(count)]
    return Crops(np.stack(frames), np.stack(focus), tuple(stands_before))


def make_clips(
    picture: np.ndarray,
    height: int,
    width: int,
    paths: Sequence[Sequence[Pose]],
    grounds: Sequence[np.ndarray],
    mirror: bool = False,
) -> Crops:
    """Show a cut-out on its way through a frame, in several clips of F frames.

    Args:
        picture: uint8 ``(H, W, 4)``, a cut-out.
        height: Of the clips, in pixels.
        width: Of the clips, in pixels.
        paths: V times F poses, where it is in each frame, in pixels of the clips.
        grounds: As for `make_crops`, at least one.
        mirror: Whether the thing looks the other way in half of the clips.

    Returns:
        Frames ``(V, F, H, W, 3)`` and focus ``(V, F, H, W)``.
    """
    frames: list[np.ndarray] = []
    focus: list[np.ndarray] = []
    sides = [picture, picture[:, ::-1]] if mirror else [picture]
    found = [(side, find_subject(side)) for side in sides]
    for index, path in enumerate(paths):
        shown, subject = found[index // len(grounds) % len(found)]
        left, top, right, bottom = _bounds(subject)
        middle = (left + right) / 2, (top + bottom) / 2
        for pose in path:
            least = (right - left) / (0.9 * width)
            zoom = max((bottom - top) / pose.height, least)  # pixels of the picture for one
            box = (
                middle[0] - pose.x * zoom,
                middle[1] - pose.y * zoom,
                middle[0] + (width - pose.x) * zoom,
                middle[1] + (height - pose.y) * zoom,
            )
            ground = grounds[index % len(grounds)]
            frame, mask = _cut(shown, subject, box, (width, height), ground)
            frames.append(frame)
            focus.append(mask)
    shape = len(paths), len(paths[0]), height, width
    stands_before = tuple(index % len(grounds) for index in range(len(paths)))
    return Crops(np.stack(frames).reshape(*shape, 3), np.stack(focus).reshape(shape), stands_before)


def _moved(box: Box, subject: Box, shift: float, zoom: float, draws: list[float]) -> Box:
    """A box scaled and moved at random, with the subject as whole in it as before."""
    wide, high = box[2] - box[0], box[3] - box[1]
    factor = 1 + zoom * (2 * draws[1] - 1)
    sides = wide * factor, high * factor
    centres: list[float] = []
    for axis in (0, 1):
        middle = (box[axis] + box[axis + 2]) / 2
        moved = middle + (wide, high)[axis] * shift * (2 * draws[2 + axis] - 1)
        lowest = subject[axis + 2] - sides[axis] / 2  # the subject's end still inside
        highest = subject[axis] + sides[axis] / 2
        centres.append(min(max(moved, lowest), highest) if lowest <= highest else middle)
    return (
        centres[0] - sides[0] / 2,
        centres[1] - sides[1] / 2,
        centres[0] + sides[0] / 2,
        centres[1] + sides[1] / 2,
    )


def _smooth_ground(draws: list[float], height: int, width: int) -> np.ndarray:
    """A ground between four corners of any colour, float32 ``(H, W, 3)``."""
    corners = 255 * np.array(draws[:12], np.float32).reshape(2, 2, 3)
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    across = np.linspace(0, 1, width, dtype=np.float32)[None, :, None]
    left, right = ((1 - down) * corners[0, i] + down * corners[1, i] for i in range(2))
    return (1 - across) * left + across * right


def _unlike_the_border(pixels: np.ndarray) -> np.ndarray:
    """How far each pixel is from the colours of the border, smoothed, ``(h, w)`` in [0, 1]."""
    depth = max(1, min(pixels.shape[:2]) // 12)
    edge = np.ones(pixels.shape[:2], bool)
    edge[depth:-depth, depth:-depth] = False
    border = pixels[edge]
    border = border[:: max(1, len(border) // 256)]
    distances = np.linalg.norm(pixels[:, :, None] - border[None, None], axis=-1)
    nearest = np.sort(distances, axis=-1)[..., : max(1, len(border) // 16)].mean(axis=-1)
    smooth = np.asarray(
        Image.fromarray(nearest.astype(np.float32))
        .resize((max(1, pixels.shape[1] // 2), max(1, pixels.shape[0] // 2)), Image.Resampling.BOX)
        .resize((pixels.shape[1], pixels.shape[0]), Image.Resampling.BILINEAR)
    )
    low, high = np.quantile(smooth, [0.3, 0.98])
    if high - low < 8:  # all alike: everything may be the subject
        return np.ones(pixels.shape[:2], np.float32)
    return np.clip((smooth - low) / (high - low) * 2 - 0.5, 0, 1).astype(np.float32)


def _bounds(subject: np.ndarray) -> Box:
    rows, columns = (np.flatnonzero((subject > 0.5).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return 0.0, 0.0, float(subject.shape[1]), float(subject.shape[0])
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _cutout_box(subject: np.ndarray, aspect: float, draw: float) -> Box:
    """A frame in which a cut-out stands as high as subjects usually do, and whole."""
    left, top, right, bottom = _bounds(subject)
    off = 2 * draw - 1
    share = _CUTOUT_HEIGHT + _CUTOUT_SPREAD * off**3  # mostly the usual one
    tall = max((bottom - top) / share, (right - left) / aspect / 0.9)
    x, y = (left + right) / 2, (top + bottom) / 2
    return x - tall * aspect / 2, y - tall / 2, x + tall * aspect / 2, y + tall / 2


def _cover_box(subject: np.ndarray, aspect: float, draw: float) -> Box:
    """The largest piece of a picture that has the shape, around its subject.

    A subject that does not fit gets a larger piece, beyond the picture's border.
    """
    height, width = subject.shape
    left, top, right, bottom = _bounds(subject)
    tall = min(height, width / aspect)
    needed = max(bottom - top, (right - left) / aspect)
    fills_it = (bottom - top) > 0.95 * height and (right - left) > 0.95 * width
    if needed > tall and not fills_it:
        tall = min(needed * _ROOM_AROUND, max(height, width / aspect))
    wide = tall * aspect
    x = _within((left + right) / 2, wide, width)
    y = _within((top + bottom) / 2, tall, height)
    return x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2


def _with_ground(size: int, room: tuple[int, int], first: int, last: int) -> np.ndarray:
    """Which rows or columns to show where there is to be room before and behind all of them.

    The ground is mirrored there, back and forth between the border and the subject, which is not
    seen twice; where nothing but subject is known, all is mirrored.

    Args:
        size: How many there are.
        room: How many more are wanted before and behind.
        first: Where the subject begins.
        last: Where it ends, not included.
    """
    depths = (size, size) if first <= 0 and last >= size else (max(first, 1), max(size - last, 1))
    before, behind = (
        _back_and_forth(count, depth) for count, depth in zip(room, depths, strict=True)
    )
    return np.concatenate([before[::-1], np.arange(size), size - 1 - behind])


def _back_and_forth(count: int, depth: int) -> np.ndarray:
    """Steps away from a border, 1, 2, ... depth - 1 and back again; of depth 1 always 0."""
    period = max(2 * (depth - 1), 1)
    steps = np.arange(1, count + 1) % period
    return np.minimum(steps, period - steps)


def _within(centre: float, size: float, total: float) -> float:
    """A centre moved so that the piece lies inside, if it fits."""
    if size >= total:
        return total / 2
    return min(max(centre, size / 2), total - size / 2)


def _cut(
    picture: np.ndarray,
    subject: np.ndarray,
    box: Box,
    size: tuple[int, int],
    ground: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """One piece, antialiased, uint8 ``(H, W, 3)``, and where its subject is, ``(H, W)``.

    Args:
        picture: uint8 ``(H, W, 4)``.
        subject: ``(H, W)``.
        box: Which piece.
        size: Width and height of the result.
        ground: What stands behind a cut-out, of the result's size; None: it is none.
    """
    height, width = subject.shape
    before = [max(0, math.ceil(-box[1])), max(0, math.ceil(-box[0]))]
    after = [max(0, math.ceil(box[3] - height)), max(0, math.ceil(box[2] - width))]
    room = list(zip(before, after, strict=True))
    moved = (
        max(box[0] + before[1], 0),
        max(box[1] + before[0], 0),
        min(box[2] + before[1], width + before[1] + after[1]),
        min(box[3] + before[0], height + before[0] + after[0]),
    )
    mask = Image.fromarray(np.pad(subject, room))
    focus = np.asarray(mask.resize(size, Image.Resampling.BOX, moved), np.float32)
    if ground is None:
        left, top, right, bottom = _bounds(subject > 0.1)  # and what may belong to it
        rows = _with_ground(height, room[0], round(top), round(bottom))
        columns = _with_ground(width, room[1], round(left), round(right))
        pixels = picture[rows[:, None], columns, :3]
        frame = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS, moved))
        return frame, focus
    padded = Image.fromarray(np.pad(picture, [*room, (0, 0)])).convert("RGBa")
    small = np.asarray(padded.resize(size, Image.Resampling.LANCZOS, moved), np.float32)
    share = small[..., 3:] / 255  # colours come multiplied with it
    frame = np.clip(small[..., :3] + ground * (1 - share), 0, 255)
    return frame.round().astype(np.uint8), focus
