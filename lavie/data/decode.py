"""Training's clips and pictures to upright RGB frames, without trusting what the files say."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image, ImageOps

from lavie.data.report import UnusableClip
from lavie.errors import InputError
from lavie.media.opening import (
    TimedFrame,
    open_container,
    pixel_aspect,
    say,
    timed_frames,
    upright_rgb,
    upright_size,
)

# fmt: off
CLIP_SUFFIXES = frozenset((
    "mp4", "m4v", "mov", "3gp", "webm", "mkv", "avi", "gif", "flv", "ogv", "asf", "wmv", "mpg",
    "mpeg", "ts", "mts",
))
# fmt: on
PICTURE_SUFFIXES = frozenset(("jpg", "jpeg", "png", "webp", "bmp"))
MAX_PIXELS = 50_000_000  # 8K video has 33 million, pictures of usual cameras up to this
MAX_DECODED_FRAMES = 10_000
_TOPS = (1, 2**8 - 1, 2**12 - 1, 2**16 - 1)  # of fractions, and of 8, 12 and 16 bits


def suffix_of(name: str) -> str:
    """The ending of a file name, lower case, without its dot."""
    return name.rpartition(".")[2].lower()


def decode_clip(
    file: Path | BinaryIO, num_frames: int, fps: float, position: float
) -> Iterator[np.ndarray]:
    """Frames that follow each other at an even pace, whatever the rate of the file.

    Sample k shows what a viewer sees k / fps seconds after the first one, so a variable frame
    rate plays at its true speed and a slower file repeats frames. Sound is ignored; rotation
    and non-square pixels are applied.

    Args:
        file: A file, or its bytes as a seekable stream.
        num_frames: How many frames to give, at least 1.
        fps: Frames per second of the result.
        position: Where in the clip, in [0, 1]: 0 the beginning, 0.5 the middle, 1 the end.

    Yields:
        uint8 ``(H, W, 3)``; the same size each time unless the file changes size midway.

    Raises:
        UnusableClip: The file is broken, too short, or beyond the limits of this module.
    """
    with _open_video(file) as (container, stream):
        _check_size(stream.codec_context.width, stream.codec_context.height)
        duration = _duration(container, stream)
        begin = position * max(0.0, duration - num_frames / fps)
        rate = float(stream.average_rate or fps)
        origin = float((stream.start_time or 0) * stream.time_base) if stream.time_base else 0.0
        timed = _not_too_many(timed_frames(container, stream, origin, begin, rate))
        for frame in _frames_on_screen(timed, begin, num_frames, fps, rate):
            size = upright_size(frame, pixel_aspect(stream))
            _check_size(*size)
            yield upright_rgb(frame, size)


def read_picture(file: Path | BinaryIO) -> np.ndarray:
    """A picture as uint8 ``(H, W, 3)``, turned as its camera says, transparency on white.

    Raises:
        UnusableClip: The file is broken or larger than `MAX_PIXELS`.
    """
    try:
        with Image.open(file, formats=("JPEG", "PNG", "WEBP", "BMP")) as image:
            _check_size(*image.size)
            upright = in_8_bits(ImageOps.exif_transpose(image))
            if upright.has_transparency_data:
                white = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(white, upright.convert("RGBA"))
            return np.array(upright.convert("RGB"))
    except UnusableClip:
        raise
    except Image.DecompressionBombError as error:
        raise UnusableClip("too large", str(error)) from error
    except Exception as error:  # damaged bytes make Pillow fail in any way
        raise UnusableClip("unreadable", say(error)) from error


def in_8_bits(image: Image.Image) -> Image.Image:
    """A picture with up to 8 bits for each colour: a grey one of more, as bright as it was meant.

    Its own brightest place says nothing of that: white is the top of the format. Cameras put 8 or
    12 bits into files of 16, though; read as 16, those would be black all over. So white is the
    lowest top that nothing is above, or, beyond 16 bits, where no top is usual, the brightest.

    Args:
        image: In any of Pillow's modes.
    """
    if not (image.mode.startswith("I") or image.mode == "F"):
        return image
    values = np.array(image, np.float32)  # changed in place: one of a large picture is enough
    np.nan_to_num(values, copy=False)
    brightest = float(values.max())
    white = next((top for top in _TOPS if brightest <= top), brightest)
    values *= 255 / white
    return Image.fromarray(values.clip(0, 255, out=values).round(out=values).astype(np.uint8))


@contextmanager
def _open_video(file: Path | BinaryIO) -> Iterator[tuple[InputContainer, VideoStream]]:
    try:
        with open_container(file) as (container, stream):
            stream.codec_context.thread_count = 1  # clips are decoded side by side instead
            yield container, stream
    except UnusableClip:
        raise
    except (InputError, FFmpegError, OSError, ValueError, OverflowError) as error:
        raise UnusableClip("unreadable", say(error)) from error


def _duration(container: InputContainer, stream: VideoStream) -> float:
    """Seconds of the picture: as declared, or counted where nothing is declared."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if container.duration:
        return container.duration / av.time_base
    packets = itertools.islice(container.demux(stream), MAX_DECODED_FRAMES)
    times = [(p.pts, p.duration or 0, p.time_base) for p in packets if p.pts is not None]
    container.seek(0)
    first = min((float(pts * base) for pts, _, base in times), default=0.0)
    return max((float((pts + length) * base) for pts, length, base in times), default=0.0) - first


def _not_too_many(timed: Iterator[TimedFrame]) -> Iterator[TimedFrame]:
    for count, frame in enumerate(timed):
        if count == MAX_DECODED_FRAMES:
            raise UnusableClip("too large", f"more than {count} frames between two key frames")
        yield frame


def _frames_on_screen(
    timed: Iterator[TimedFrame], begin: float, num_frames: int, fps: float, rate: float
) -> Iterator[VideoFrame]:
    """The frame seen at ``begin`` and those seen every 1 / fps seconds after it appeared.

    The clock starts with a frame, not between two, so that rounded time stamps at the file's
    own rate neither repeat nor lose one.
    """
    tolerance = 0.25 / max(rate, fps)
    count, clock, time, shown = 0, None, 0.0, None
    for next_time, frame in timed:
        if shown is not None and next_time > begin + tolerance:
            clock = time if clock is None else clock
            while count < num_frames and clock + count / fps + tolerance < next_time:
                yield shown
                count += 1
            if count == num_frames:
                return
        time, shown = next_time, frame
    if shown is None:
        raise UnusableClip("unreadable", "no frame can be decoded")
    clock = time if clock is None else clock
    base, length = shown.time_base, shown.duration
    end = time + (float(length * base) if length and base else 1 / rate)
    while count < num_frames and clock + count / fps < end + tolerance:
        yield shown
        count += 1
    if count < num_frames:
        needed = clock + (num_frames - 1) / fps
        raise UnusableClip("too short", f"{end:.2f} of {needed:.2f} seconds")


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        limit = f"at most {MAX_PIXELS / 1e6:.0f} million pixels are read"
        raise UnusableClip("too large", f"{width}x{height}, {limit}")
