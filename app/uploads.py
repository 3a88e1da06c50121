"""The door for files of anybody: each is what its name says, and small enough, before it is read.

Only names, sizes and headers are looked at here; nothing is decoded or unpacked. What is let in is
never shown as it came: a recipe is read out of it, or its frames are, and files of ours are written
from those. So what else a file may be at the same time does no harm. Of archives only the zip of a
LoRA is let in: it is taken in as two files of ours, of a size that is looked at here.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from app import texts
from app.plain_text import clean_text
from lavie.errors import CheckpointError, InputError
from lora.header import MAX_HEADER_BYTES

MAX_UPLOAD_BYTES = 512 * 2**20
"""On a server of one's own: a long video of a camera."""

MAX_PUBLIC_UPLOAD_BYTES = 64 * 2**20
"""On a public one: the videos made here have a few megabytes, phones make one in a second."""

MAX_SECONDS = 600
MAX_PIXELS = 4096 * 4096
"""Of one frame."""

MAX_PICTURE_PIXELS = 50_000_000
"""Of a picture: what cameras make. To decode one takes up to 550 MB for a moment."""

MAX_PIXELS_IN_ALL = 10**10
"""Of all frames of a video: about three minutes of full HD, or a minute of 4K."""

MAX_STREAMS = 32

_NUM_FIRST_BYTES = 4096
_PICTURES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


class Kind(NamedTuple):
    """What a file may be.

    Args:
        suffixes: How its name ends, in small letters.
        content: What is inside.
    """

    suffixes: tuple[str, ...]
    content: str


VIDEO = Kind((".mp4", ".mkv", ".webm"), "video")
PICTURE = Kind(tuple(_PICTURES), "picture")
RECIPE = Kind((".json",), "text")
LORA = Kind((".safetensors",), "weights")
LORA_ZIP = Kind((".zip",), "weights in a zip")
LIST = Kind((".csv", ".jsonl"), "text")


class BrokenFileError(InputError):
    """A file is broken, or not what its name says."""

    def __init__(self) -> None:
        super().__init__(texts.NOT_AS_NAMED, "file")


def max_upload_bytes(is_public: bool) -> int:
    """How large a file may be that is sent to a server."""
    return MAX_PUBLIC_UPLOAD_BYTES if is_public else MAX_UPLOAD_BYTES


def check_upload(path: Path, kinds: Sequence[Kind], is_public: bool = False) -> None:
    """Let a file in, or not.

    Args:
        path: Where it was put; its name is the one that its owner gave it.
        kinds: What it may be.
        is_public: Whether the server is: a zip unpacks to no more than may be sent to it.

    Raises:
        InputError: Its name, size or content is not that of such a file.
    """
    kind = next((kind for kind in kinds if path.suffix.lower() in kind.suffixes), None)
    if kind is None:
        raise InputError(texts.wrong_kind([s for kind in kinds for s in kind.suffixes]), "file")
    if clean_text(path.name) != path.name:
        raise InputError(texts.WRONG_FILE_NAME, "file")
    first = _first_bytes(path)
    if kind is VIDEO:
        _check_video(path, first)
    elif kind is PICTURE:
        _check_picture(path)
    elif kind is LORA:
        _check_weights(path, first)
    elif kind is LORA_ZIP:
        _check_zip(path, max_upload_bytes(is_public))
    elif b"\0" in first:
        raise BrokenFileError


def _first_bytes(path: Path) -> bytes:
    try:
        if path.is_symlink() or not path.is_file():
            raise InputError(texts.FILE_IS_GONE, "file")
        if path.stat().st_size > MAX_UPLOAD_BYTES:
            raise InputError(texts.upload_too_large(MAX_UPLOAD_BYTES), "file")
        with path.open("rb") as file:
            return file.read(_NUM_FIRST_BYTES)
    except (OSError, ValueError) as error:
        raise InputError(texts.FILE_IS_GONE, "file") from error


def _check_video(path: Path, first: bytes) -> None:
    """Look at what the header tells; frames that are larger are refused when they are decoded."""
    from lavie.media import open_container

    is_mp4 = first[4:8] == b"ftyp"
    is_matroska = first.startswith(b"\x1a\x45\xdf\xa3")
    if not (is_mp4 if path.suffix.lower() == ".mp4" else is_matroska):
        raise BrokenFileError
    try:
        with open_container(path) as (container, stream):
            seconds = (container.duration or 0) / 1_000_000
            codec = stream.codec_context
            pixels = codec.width * codec.height
            rate = float(stream.average_rate or stream.base_rate or 30)
            num_frames = max(stream.frames, seconds * rate)
            num_streams = len(container.streams)
    except InputError as error:  # in words of the decoder
        raise BrokenFileError from error
    if num_streams > MAX_STREAMS:
        raise BrokenFileError
    if seconds > MAX_SECONDS:
        raise InputError(texts.too_long(seconds, MAX_SECONDS), "file")
    if pixels > MAX_PIXELS or pixels * num_frames > MAX_PIXELS_IN_ALL:
        raise InputError(texts.TOO_MANY_PIXELS, "file")


def _check_weights(path: Path, first: bytes) -> None:
    """A safetensors file begins with the length of the JSON that says what is in it."""
    length = int.from_bytes(first[:8], "little")
    if first[8:9] != b"{" or not 2 <= length <= min(path.stat().st_size, MAX_HEADER_BYTES):
        raise BrokenFileError


def _check_zip(path: Path, max_bytes: int) -> None:
    from lora.peft_files import look_into_zip

    try:
        sizes = [part.file_size for part in look_into_zip(path).values()]
    except CheckpointError as error:
        raise InputError(str(error), "file") from error
    if sum(sizes) > max_bytes:
        raise InputError(texts.upload_too_large(max_bytes), "file")


def _check_picture(path: Path) -> None:
    from PIL import Image

    expected = _PICTURES[path.suffix.lower()]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our limit is lower
            with Image.open(path, formats=[expected]) as image:  # reads the header only
                width, height = image.size
    except Image.DecompressionBombError as error:
        raise InputError(texts.picture_has_too_many_pixels(MAX_PICTURE_PIXELS), "file") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise BrokenFileError from error
    if width * height > MAX_PICTURE_PIXELS:
        raise InputError(texts.picture_has_too_many_pixels(MAX_PICTURE_PIXELS), "file")
