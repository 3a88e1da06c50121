"""Pictures and videos that films begin or end with: checked at the door, and kept for the jobs.

They lie in a folder that nobody can fetch from, called after their content, so that what is given
twice is kept once.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Literal

from app.films.request import GivenFile
from app.plain_text import clean_text
from app.texts import films as texts
from app.uploads import PICTURE, VIDEO, BrokenFileError, check_upload
from lavie.errors import InputError
from lavie.pipelines.limits import check_picture_shape, check_video_size

GIVEN_FOLDER = Path("given")
"""Inside the data folder."""

_LARGEST_KEPT = 2048
_ONE_AT_A_TIME = Lock()  # a picture of a camera takes up to 550 MB until it is scaled


def check_given(path: Path, kind: Literal["picture", "video"], field: str) -> None:
    """Let a picture or a video in, or not.

    Args:
        path: Where it was put.
        kind: What it has to be.
        field: Of the form.

    Raises:
        InputError: It is not what it says, too large, or of a shape that cannot be used.
    """
    try:
        check_upload(path, [PICTURE if kind == "picture" else VIDEO])
        if kind == "picture":
            _check_shape(path, field)
        else:
            width, height = _read_end(path)
            check_video_size(width, height)
            check_picture_shape(width, height, field, "That video")
    except BrokenFileError as error:
        raise InputError(texts.BROKEN[kind], field) from error
    except InputError as error:
        raise InputError(str(error), field) from error


def keep_given(path: Path, kind: Literal["picture", "video"], data: Path) -> GivenFile:
    """Keep a file that `check_given` has let in, for as long as a job needs it.

    A picture is written anew, turned as its camera says, and not larger than needed.

    Args:
        path: Where it was put.
        kind: What it is.
        data: The data folder.

    Raises:
        InputError: A picture is broken inside, or the disk is full.
    """
    if kind == "picture":
        return keep_written(path, kind, ".png", _write_picture, data)
    return keep_written(path, kind, path.suffix.lower(), shutil.copyfile, data)


GIVING = Lock()
"""Held while a file is put there, and by whoever removes one: it may just be given again."""


def keep_written(
    path: Path,
    kind: Literal["picture", "video"],
    suffix: str,
    write: Callable[[Path, Path], object],
    data: Path,
) -> GivenFile:
    """Keep what ``write`` makes of a file, called after its content.

    Args:
        path: Where it was put.
        kind: What it is.
        suffix: How the name of what is kept ends.
        write: Writes that, from the one path to the other.
        data: The data folder.
    """
    folder = data / GIVEN_FOLDER
    folder.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile(suffix=suffix, dir=folder, delete=False) as temporary:
        unfinished = Path(temporary.name)
    try:
        write(path, unfinished)
        with unfinished.open("rb") as file:
            name = hashlib.file_digest(file, "sha256").hexdigest()[:32]
        kept = folder / f"{name}{suffix}"
        with GIVING:
            unfinished.replace(kept)
    finally:
        unfinished.unlink(missing_ok=True)
    return GivenFile(kept, kind, clean_text(path.name)[:100])


def forget_given(
    data: Path, is_needed: Callable[[str], bool], min_age_seconds: float, now: float
) -> None:
    """Remove what no job needs any more.

    Args:
        data: The data folder.
        is_needed: Whether a job names a file.
        min_age_seconds: Younger files are left alone: their job is about to come.
        now: Seconds since the epoch.
    """
    for file in (data / GIVEN_FOLDER).glob("*"):
        with GIVING:
            if now - file.stat().st_mtime > min_age_seconds and not is_needed(file.name):
                file.unlink(missing_ok=True)


def _check_shape(path: Path, field: str) -> None:
    from PIL import Image

    with Image.open(path) as image:
        check_picture_shape(*image.size, field)


def _read_end(path: Path) -> tuple[int, int]:
    """See that a video's last frame can be read: there a film goes on. Its width and height."""
    from lavie.media import open_video

    try:
        with open_video(path) as video:
            height, width, _ = video[len(video) - 1 :][0].shape
            return width, height
    except InputError as error:  # in words of the decoder
        raise BrokenFileError from error


def _write_picture(path: Path, target: Path) -> None:
    from PIL import Image

    from lavie.data.decode import read_picture

    with _ONE_AT_A_TIME:
        try:
            image = Image.fromarray(read_picture(path))
        except InputError as error:
            raise InputError(texts.BROKEN["picture"], "file") from error
        image.thumbnail((_LARGEST_KEPT, _LARGEST_KEPT), Image.Resampling.LANCZOS)
    image.save(target, compress_level=1)
