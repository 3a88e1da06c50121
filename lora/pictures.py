"""Whether pictures can teach a model anything: a sentence for each that can't, or hardly."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
# (the libraries say little of their types)

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from lora.limits import MAX_PICTURES
from lora.opening import BadPicture, open_picture, size_of_picture

MIN_SIDE = 32
"""Of a picture that any model can learn from."""

FEW = 3

_SHARP_SIDE = 256
_BLURRED = 0.0045
_TWIN_BITS = 5
_FLAT = 2.0


@dataclass(frozen=True)
class PictureCheck:
    """What was found about a picture.

    Args:
        path: Its file.
        name: Of the file, to be shown.
        width: Pixels, upright; 0 if unknown.
        height: Pixels, upright; 0 if unknown.
        problem: Why it can't be used, one sentence; None: it can.
        warning: Why it may teach little, one sentence; None: nothing is known.
        twin_of: Number of an earlier picture that looks the same; None: there is none.
    """

    path: Path
    name: str
    width: int
    height: int
    problem: str | None = None
    warning: str | None = None
    twin_of: int | None = None


def check_pictures(paths: Sequence[Path], height: int = 0) -> list[PictureCheck]:
    """Look at pictures, and never fail for a bad one.

    What was seen lately is remembered, for as long as its file is the same.

    Args:
        paths: Files.
        height: Of the model's own videos in pixels; a picture that is smaller gets a warning.
    """
    checks: list[PictureCheck] = []
    prints: list[np.ndarray | None] = []
    for path in paths:
        check, seen = _seen(path)
        if check.problem is None and seen is not None:
            check = _compare(_measure(check, height), seen, checks, prints)
        checks.append(check)
        prints.append(seen if check.problem is None else None)
    return checks


def check_set(checks: Sequence[PictureCheck]) -> str | None:
    """What is wrong with pictures as a whole, one sentence; None: nothing that forbids training."""
    usable = [check for check in checks if check.problem is None]
    if not checks:
        return "There are no pictures. Give 4 to 8 of the same thing."
    if not usable:
        return "None of the pictures can be used. Give 4 to 8 JPEG or PNG files of the same thing."
    if len(checks) > MAX_PICTURES:
        return f"{len(checks)} pictures are too many. Choose the best {MAX_PICTURES} or fewer."
    return None


def advise_set(checks: Sequence[PictureCheck]) -> str | None:
    """What would make pictures teach more, one sentence; None: they are as they should be."""
    different = [check for check in checks if check.problem is None and check.twin_of is None]
    if 0 < len(different) < FEW:
        return (
            f"There {'is' if len(different) == 1 else 'are'} only {len(different)} different "
            f"picture{'s' if len(different) > 1 else ''}. More, from other sides and in other "
            "places, would teach more: 4 to 8 are best."
        )
    return None


def thumbnail(path: Path, size: int = 96) -> Image.Image:
    """A small picture, upright, on white, whose longer side has ``size`` pixels.

    Raises:
        BadPicture: It can't be read.
    """
    rgba = Image.fromarray(open_picture(path, max(4 * size, 64)))
    white = Image.new("RGBA", rgba.size, "white")
    small = Image.alpha_composite(white, rgba).convert("RGB")
    small.thumbnail((size, size), Image.Resampling.LANCZOS)
    return small


def _seen(path: Path) -> tuple[PictureCheck, np.ndarray | None]:
    """See `_look_at`."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return _look_at(path)
    return _look_once(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=1024)
def _look_once(
    path: Path, _changed: int, _num_bytes: int
) -> tuple[PictureCheck, np.ndarray | None]:
    return _look_at(path)


def _look_at(path: Path) -> tuple[PictureCheck, np.ndarray | None]:
    """What is found about a picture alone, and its print; none of one that can't be used."""
    name = path.name
    try:
        picture = open_picture(path)
    except BadPicture as error:
        return PictureCheck(path, name, *size_of_picture(path), problem=str(error)), None
    width, height = size_of_picture(path)
    check = PictureCheck(path, name, width, height)
    if min(width, height) < MIN_SIDE:
        way_out = f"Use one of at least {MIN_SIDE}x{MIN_SIDE}."
        return replace(check, problem=f"'{name}' has only {width}x{height} pixels. {way_out}"), None
    opaque = picture[..., 3] > 0
    if not opaque.any():
        return replace(check, problem=f"'{name}' is all transparent. Choose another."), None
    grey = _grey(picture)
    if float(grey.std()) < _FLAT:
        return replace(check, problem=f"'{name}' is one plain colour. Choose another."), None
    is_large = min(width, height) >= _SHARP_SIDE // 2  # one blown up has no details to go by
    if is_large and _sharpness(grey) < _BLURRED:
        text = f"'{name}' is blurred. A sharper picture would teach more."
        return replace(check, warning=text), _print(grey)
    return check, _print(grey)


def _measure(check: PictureCheck, height: int) -> PictureCheck:
    """With a warning if a picture has to be blown up to be learnt from, which blurs it anyway."""
    if min(check.width, check.height) >= height:
        return check
    text = (
        f"'{check.name}' has only {check.width}x{check.height} pixels, and videos are {height} "
        "high. A larger picture would teach more."
    )
    return replace(check, warning=text)


def _grey(picture: np.ndarray) -> np.ndarray:
    """Brightness on white, float32 ``(H, W)`` in [0, 255]."""
    share = picture[..., 3:].astype(np.float32) / 255
    flat = picture[..., :3] * share + 255 * (1 - share)
    return flat @ np.array([0.299, 0.587, 0.114], np.float32)


def _sharpness(grey: np.ndarray) -> float:
    """How much of a picture's contrast is in its finest details at a size that eyes see."""
    image = Image.fromarray(grey)
    scale = _SHARP_SIDE / min(image.size)
    size = (max(8, round(image.width * scale)), max(8, round(image.height * scale)))
    pixels = np.asarray(image.resize(size, Image.Resampling.BOX), np.float32)
    centre = pixels[1:-1, 1:-1]
    around = pixels[:-2, 1:-1] + pixels[2:, 1:-1] + pixels[1:-1, :-2] + pixels[1:-1, 2:]
    details = around - 4 * centre
    return float(np.quantile(np.abs(details), 0.98) / (pixels.std() + 1e-6)) / 100


def _compare(
    check: PictureCheck,
    own: np.ndarray,
    checks: Sequence[PictureCheck],
    others: Sequence[np.ndarray | None],
) -> PictureCheck:
    for index, other in enumerate(others):
        if other is not None and int((other != own).sum()) <= _TWIN_BITS:
            text = (
                f"'{check.name}' looks like '{checks[index].name}'. Another view would teach more."
            )
            return replace(check, warning=check.warning or text, twin_of=index)
    return check


def _print(grey: np.ndarray) -> np.ndarray:
    """Whether it gets brighter from each of 16x16 places to the next: alike for like pictures."""
    small = Image.fromarray(grey).resize((17, 16), Image.Resampling.BOX)
    pixels = np.asarray(small, np.float32)
    return (np.diff(pixels, axis=1) > 1).ravel()
