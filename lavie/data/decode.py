"""Video and picture files to upright RGB frames, without trusting what the files say.

Formats that can name other files or addresses (playlists, concatenations, image sequences) are
never opened, whatever the file is called.
"""

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
from lavie.media import CONTAINER_OPTIONS

# fmt: off
CLIP_SUFFIXES = frozenset((
    "mp4", "m4v", "mov", "3gp", "webm", "mkv", "avi", "gif", "flv", "ogv", "asf", "wmv", "mpg",
    "mpeg", "ts", "mts",
))
# fmt: on
PICTURE_SUFFIXES = frozenset(("jpg", "jpeg", "png", "webp", "bmp"))
MAX_PIXELS = 36_000_000  # 8K video has 33 million
MAX_DECODED_FRAMES = 10_000

TimedFrame = tuple[float, VideoFrame]


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
        timed = _timed_frames(container, stream, begin, rate)
        for frame in _frames_on_screen(timed, begin, num_frames, fps, rate):
            yield _upright_rgb(frame, _pixel_aspect(stream))


def read_picture(file: Path | BinaryIO) -> np.ndarray:
    """A picture as uint8 ``(H, W, 3)``, turned as its camera says, transparency on white.

    Raises:
        UnusableClip: The file is broken or larger than `MAX_PIXELS`.
    """
    try:
        with Image.open(file, formats=("JPEG", "PNG", "WEBP", "BMP")) as image:
            _check_size(*image.size)
            upright = ImageOps.exif_transpose(image)
            if upright.has_transparency_data:
                white = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(white, upright.convert("RGBA"))
            return np.array(upright.convert("RGB"))
    except UnusableClip:
        raise
    except Image.DecompressionBombError as error:
        raise UnusableClip("too large", str(error)) from error
    except Exception as error:  # damaged bytes make Pillow fail in any way
        raise UnusableClip("unreadable", _one_line(error)) from error


@contextmanager
def _open_video(file: Path | BinaryIO) -> Iterator[tuple[InputContainer, VideoStream]]:
    try:
        source = str(file.absolute()) if isinstance(file, Path) else file
        with av.open(
            source, "r", options=CONTAINER_OPTIONS, metadata_errors="replace"
        ) as container:
            stream = container.streams.best("video")
            if not isinstance(stream, VideoStream) or stream.codec_context is None:
                raise UnusableClip("unreadable", "it holds no video of a known codec")
            stream.codec_context.thread_count = 1  # clips are decoded side by side instead
            yield container, stream
    except (FFmpegError, OSError, ValueError, OverflowError) as error:
        raise UnusableClip("unreadable", _one_line(error)) from error


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


def _timed_frames(
    container: InputContainer, stream: VideoStream, begin: float, rate: float
) -> Iterator[TimedFrame]:
    """Frames with the second they appear at, from a key frame at or before ``begin``."""
    origin = float((stream.start_time or 0) * stream.time_base) if stream.time_base else 0.0
    if begin > 0 and stream.time_base:
        container.seek(round((origin + begin) / stream.time_base), stream=stream)
        timed = _decode(container, stream, origin, rate)
        first = next(timed, None)
        if first is not None and first[0] <= begin:
            yield from itertools.chain([first], timed)
            return
        container.seek(0)  # a format without an index can land anywhere, also behind the end
    yield from _decode(container, stream, origin, rate)


def _decode(
    container: InputContainer, stream: VideoStream, origin: float, rate: float
) -> Iterator[TimedFrame]:
    time = -1 / rate
    for count, frame in enumerate(container.decode(stream)):
        if count == MAX_DECODED_FRAMES:
            raise UnusableClip("too large", f"more than {count} frames between two key frames")
        time = time + 1 / rate if frame.time is None else max(time, frame.time - origin)
        yield time, frame


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


def _upright_rgb(frame: VideoFrame, pixel_aspect: float) -> np.ndarray:
    """RGB with square pixels, turned as the file's display matrix says."""
    width = round(frame.width * pixel_aspect)
    _check_size(width, frame.height)
    image = frame.to_ndarray(format="rgb24", width=width, height=frame.height)
    return np.rot90(image, round(frame.rotation / 90) % 4)


def _pixel_aspect(stream: VideoStream) -> float:
    """Width of a pixel over its height; 1 where it is unknown or absurd."""
    aspect = float(stream.sample_aspect_ratio or 1)
    return aspect if 1 / 8 <= aspect <= 8 else 1.0


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        limit = f"at most {MAX_PIXELS / 1e6:.0f} million pixels are read"
        raise UnusableClip("too large", f"{width}x{height}, {limit}")


def _one_line(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())[:200]
