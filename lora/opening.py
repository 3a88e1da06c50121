"""Pictures from files that nobody vouches for: decoded within limits, turned upright."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
# (the libraries say little of their types)

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import Image, ImageOps

from lavie.data.decode import in_8_bits
from lavie.errors import InputError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
MAX_PIXELS = 100_000_000
MAX_BYTES = 64 << 20
WORKING_SIDE = 1536
_ONE_AT_A_TIME = Lock()  # each takes up to eleven bytes a pixel until it is scaled


class BadPicture(InputError):  # noqa: N818 - a finding about one file
    """A picture that can't be used; the text says why, in one sentence."""


def open_picture(path: Path, side: int = WORKING_SIDE) -> np.ndarray:
    """A picture, upright, with its transparency.

    Args:
        path: The file; what it is, its bytes say.
        side: Larger pictures are scaled so that the longer side has this many pixels.

    Returns:
        uint8 ``(H, W, 4)``; the last channel is 255 where nothing is transparent.

    Raises:
        BadPicture: It is none, is too large, or moves.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise BadPicture(
                f"'{path.name}' has {size >> 20} MiB. Use at most {MAX_BYTES >> 20} MiB.",
                "images",
            )
        with _ONE_AT_A_TIME, _no_warnings(), Image.open(path, formats=FORMATS) as image:
            return _decode(image, path.name, side)
    except BadPicture:
        raise
    except Image.DecompressionBombError as error:
        raise BadPicture(_too_large(path.name), "images") from error
    except FileNotFoundError as error:
        raise BadPicture(f"'{path.name}' does not exist.", "images") from error
    except Exception as error:  # damaged bytes make Pillow fail in any way
        raise BadPicture(_unreadable(path), "images") from error


def size_of_picture(path: Path) -> tuple[int, int]:
    """Width and height of a picture as it stands upright; (0, 0) if it can't be read."""
    try:
        with _no_warnings(), Image.open(path, formats=FORMATS) as image:
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
            return (image.height, image.width) if turned else image.size
    except Exception:  # as above
        return 0, 0


@contextmanager
def _no_warnings() -> Generator[None]:
    """Pillow warns of pictures that are large, and of damaged ones; here either is refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _decode(image: Image.Image, name: str, side: int) -> np.ndarray:
    if image.width * image.height > MAX_PIXELS:
        raise BadPicture(_too_large(name, f"{image.width}x{image.height}"), "images")
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:  # phones add a preview
        raise BadPicture(
            f"'{name}' moves. Use a still picture, such as one of its frames.", "images"
        )
    image.draft("RGB", (side, side))  # a JPEG is decoded no larger than is needed
    ImageOps.exif_transpose(image, in_place=True)  # a copy of a large one takes much memory
    image = in_8_bits(image)
    if image.mode not in ("RGB", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
    if max(image.size) > side:
        image = _scaled(image, side / max(image.size))
    return np.array(image.convert("RGBA"))


def _scaled(image: Image.Image, scale: float) -> Image.Image:
    """Smaller; Pillow sees to it that colours of transparent pixels of RGBA do not bleed in."""
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def _too_large(name: str, size: str = "") -> str:
    has = f" has {size} pixels" if size else " is too large"
    return f"'{name}'{has}. Use a picture of at most {MAX_PIXELS // 1_000_000} million pixels."


def _unreadable(path: Path) -> str:
    """What a file is instead, without the words of a library, which hold paths of the machine."""
    try:
        with path.open("rb") as file:
            head = file.read(512).lstrip().lower()
    except OSError:
        head = b""
    what = next((what for start, what in _OTHERS if head.startswith(start)), None)
    if b"ftypheic" in head or b"ftypmif1" in head or b"ftypheix" in head:
        what = "a HEIC of a phone"
    if what is not None:
        return f"'{path.name}' is {what}, no picture that is read here. Save it as JPEG or PNG."
    return f"'{path.name}' can't be read as a picture. Save it as JPEG or PNG."


_OTHERS = (
    (b"<svg", "an SVG"),
    (b"<?xml", "an XML file"),
    (b"<!doctype", "a web page"),
    (b"<html", "a web page"),
    (b"%pdf", "a PDF"),
    (b"pk\x03\x04", "an archive"),
)
