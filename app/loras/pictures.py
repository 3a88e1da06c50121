"""The pictures that a LoRA learns from: checked at the door, kept for the job, then forgotten."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from app.films.given import GIVING, keep_written
from app.films.request import GivenFile
from app.jobs.job import Job
from app.loras.files import drop_what_is_done, thumbnail_file
from app.loras.request import LoraTrainingRequest
from app.request import Request
from app.texts import lora_rules as texts
from app.uploads import PICTURE, check_upload
from lavie.errors import InputError

if TYPE_CHECKING:
    from lora.pictures import PictureCheck

logger = logging.getLogger(__name__)

MAX_PICTURE_BYTES = 32 * 2**20
MAX_PIXELS_IN_ALL = 500_000_000
"""Of all pictures of a training: ten of the largest, or twenty of a usual camera."""

_ONE_AT_A_TIME = Lock()
"""To look at a hundred pictures takes a processor for a while."""

_SECONDS_TO_BE_QUEUED = 60.0
"""From when the last picture of a training is kept until its job is there, at most."""

_LARGEST_KEPT = 2048
_THUMBNAIL_SIZE = 96


def look_at(files: Sequence[Path], height: int = 0) -> "list[PictureCheck]":
    """Say of every picture whether it can be used; those that may not even be opened cannot.

    Args:
        files: Where they were put, called as their owner calls them.
        height: See `lora.pictures.check_pictures`.
    """
    from lora.pictures import PictureCheck, check_pictures

    refused = _refusals(files)
    places = [place for place in range(len(files)) if place not in refused]
    with _ONE_AT_A_TIME:
        seen = check_pictures([files[place] for place in places], height)
    checks: list[PictureCheck] = [
        PictureCheck(file, file.name, 0, 0, refused.get(place), None, None)
        for place, file in enumerate(files)
    ]
    for place, check in zip(places, seen, strict=True):
        twin = None if check.twin_of is None else places[check.twin_of]
        checks[place] = replace(check, twin_of=twin)
    return checks


def keep_pictures(files: Sequence[Path], data: Path) -> tuple[GivenFile, ...]:
    """Keep pictures that can be used, written anew, for as long as a job needs them.

    Raises:
        InputError: One is broken inside, or the disk is full.
    """
    return tuple(keep_written(file, "picture", ".png", _write, data) for file in files)


def show_pictures(request: LoraTrainingRequest, folder: Path) -> None:
    """Leave small ones of the pictures in the folder of the job, for its page alone."""
    from lora.pictures import thumbnail

    thumbnail_file(folder, 0).parent.mkdir(parents=True, exist_ok=True)
    for index, picture in enumerate(request.pictures):
        try:
            small = thumbnail(picture.file, _THUMBNAIL_SIZE)
            small.save(thumbnail_file(folder, index), "WEBP", quality=80)
        except (OSError, InputError) as error:
            logger.warning("No small picture could be made: %s", error)


def without_pictures(request: Request) -> Request:
    """What is remembered of a training that is done: not its pictures, unless they are kept."""
    if isinstance(request, LoraTrainingRequest) and not request.keeps_pictures:
        return replace(request, pictures=(), captions=())
    return request


def forget_pictures(job: Job, data: Path, is_needed: Callable[[str], bool]) -> None:
    """Remove what a training that is done has no use for any more.

    Args:
        job: As it was while it ran.
        data: The data folder.
        is_needed: Whether a job names a file.
    """
    request = job.request
    if not isinstance(request, LoraTrainingRequest):
        return
    drop_what_is_done(data / job.folder, request.keeps_pictures)
    if request.keeps_pictures:
        return
    for file in (picture.file for picture in request.pictures):
        with GIVING:
            is_given_again = file.exists() and _is_new(file, job)
            if not is_given_again and not is_needed(file.name):
                file.unlink(missing_ok=True)


def _is_new(file: Path, job: Job) -> bool:
    """Whether a file was given again since a job began, so lately that its own may be to come."""
    given = file.stat().st_mtime
    return given > job.created.timestamp() and time.time() - given < _SECONDS_TO_BE_QUEUED


def _write(path: Path, target: Path) -> None:
    """Nothing of a picture but what is to be seen: upright, with what is transparent in it."""
    from PIL import Image

    from lora.opening import open_picture

    image = Image.fromarray(open_picture(path, _LARGEST_KEPT))
    image.save(target, "PNG", compress_level=1)


def _refusals(files: Sequence[Path]) -> dict[int, str]:
    """Of the pictures that are not opened at all, why, by their places."""
    from lora.opening import size_of_picture

    refused: dict[int, str] = {}
    num_pixels = 0
    for place, file in enumerate(files):
        if (sentence := _refusal(file)) is not None:
            refused[place] = sentence
            continue
        width, height = size_of_picture(file)
        num_pixels += width * height
        if num_pixels > MAX_PIXELS_IN_ALL:
            refused[place] = texts.TOO_MANY_PIXELS_IN_ALL
    return refused


def _refusal(file: Path) -> str | None:
    """Why a file is not opened at all."""
    try:
        check_upload(file, [PICTURE])
        if file.stat().st_size > MAX_PICTURE_BYTES:
            return texts.picture_too_large(MAX_PICTURE_BYTES)
    except InputError as error:
        return str(error)
    return None
