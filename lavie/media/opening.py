"""The door for video files of anybody: what is opened, and what a frame of it looks like.

Formats that can name other files or addresses (playlists, concatenations, image sequences) are
never opened, whatever the file is called.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from lavie.errors import InputError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

logger = logging.getLogger(__name__)

_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpeg,mpegts,flv,asf,ogg"
CONTAINER_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
"""What `av.open` reads: no formats that can name other files or addresses, as playlists do."""

MAX_SIDE = 16_384
"""Pixels of a frame's longer side."""

_MAX_FAILURES = 10  # in a row, after which the rest of a file is taken for broken

TimedFrame = tuple[float, "VideoFrame"]
"""The second at which a frame appears, and the frame."""


@contextmanager
def open_container(
    source: Path | BinaryIO,
) -> Iterator[tuple["InputContainer", "VideoStream"]]:
    """Open a file at its video.

    Args:
        source: A file, or its bytes as a seekable stream.

    Yields:
        The container, and its best video stream.

    Raises:
        InputError: The file is missing, no video, empty or broken.
    """
    import av
    from av.video.stream import VideoStream

    is_path = not hasattr(source, "read")
    name = Path(str(source)).name if is_path else "The file"
    try:
        if is_path and Path(str(source)).stat().st_size == 0:
            raise InputError(f"{name} cannot be read as a video: it is empty.", "file")
        container = av.open(
            str(Path(str(source)).absolute()) if is_path else source,
            "r",
            options=CONTAINER_OPTIONS,
            metadata_errors="replace",
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{name} cannot be read as a video: {say(error)}.", "file") from error
    with container:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream) or _is_cover(stream):
            raise InputError(f"{name} has no video in it.", "file")
        if stream.codec_context is None:
            raise InputError(f"{name} has a video of an unknown codec.", "file")
        yield container, stream


def timed_frames(
    container: "InputContainer",
    stream: "VideoStream",
    origin: float,
    begin: float,
    rate: float,
    skip_broken: bool = False,
) -> Iterator[TimedFrame]:
    """Decode from a place in a video.

    Args:
        container: As `open_container` gives it.
        stream: Its video.
        origin: The second of the file's own clock that is called 0 here.
        begin: The second from which frames are wanted.
        rate: Frames per second where the file does not time them.
        skip_broken: Pass over what cannot be decoded instead of raising.

    Yields:
        Frames in order with their second, from one at or before ``begin``, if there is one.

    Raises:
        av.FFmpegError: What is there cannot be decoded.
    """
    if begin > 0 and stream.time_base:
        container.seek(round((origin + begin) / stream.time_base), stream=stream)
        timed = _decode(container, stream, origin, rate, skip_broken)
        first = next(timed, None)
        if first is not None and first[0] <= begin:
            yield from chain([first], timed)
            return
    container.seek(0)  # a format without an index can land anywhere, also behind the end
    yield from _decode(container, stream, origin, rate, skip_broken)


def whole_packets(container: "InputContainer", stream: "VideoStream") -> Iterator["Packet"]:
    """A stream's packets from where the container is, without those that are broken."""
    import av
    from av.error import EOFError as EndOfFile

    packets, num_failures = container.demux(stream), 0
    while num_failures < _MAX_FAILURES:
        try:
            packet = next(packets, None)
        except EndOfFile:
            return
        except (av.FFmpegError, IndexError) as error:  # IndexError: a stream that begins midway
            logger.debug("A part of the file cannot be read: %s.", say(error))
            packets, num_failures = container.demux(stream), num_failures + 1
            continue
        if packet is None:
            return
        num_failures = 0
        yield packet


def upright_size(frame: "VideoFrame", aspect: float) -> tuple[int, int]:
    """Width and height that `upright_rgb` gives a frame."""
    width, height = max(1, round(frame.width * aspect)), frame.height
    return (height, width) if _is_on_its_side(_display_matrix(frame)) else (width, height)


def upright_rgb(frame: "VideoFrame", size: tuple[int, int]) -> np.ndarray:
    """Show a frame as players do: upright, with square pixels, on white where it is transparent.

    Args:
        frame: Of any pixel format and depth.
        size: Width and height of the result.

    Returns:
        uint8 ``(H, W, 3)``.
    """
    matrix = _display_matrix(frame)
    width, height = reversed(size) if _is_on_its_side(matrix) else size
    if _has_alpha(frame):
        rgba = frame.to_ndarray(format="rgba", width=width, height=height)
        alpha = rgba[:, :, 3:].astype(np.uint16)
        image = ((rgba[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    else:
        image = frame.to_ndarray(format="rgb24", width=width, height=height)
    (x_to_x, x_to_y), (y_to_x, y_to_y) = matrix
    if _is_on_its_side(matrix):
        image, x_to_x, y_to_y = image.swapaxes(0, 1), y_to_x, x_to_y
    image = image[:: -1 if y_to_y < 0 else 1, :: -1 if x_to_x < 0 else 1]
    return np.ascontiguousarray(image)


def pixel_aspect(stream: "VideoStream") -> float:
    """Width of a pixel over its height; 1 where it is unknown or absurd."""
    aspect = float(stream.sample_aspect_ratio or 1)
    return aspect if 1 / 8 <= aspect <= 8 else 1.0


def say(error: Exception) -> str:
    """What a library says of its failure, on one line without file names and error numbers."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())[:200].rstrip(".")


def _decode(
    container: "InputContainer",
    stream: "VideoStream",
    origin: float,
    rate: float,
    skip_broken: bool,
) -> Iterator[TimedFrame]:
    time = None
    frames = _decode_what_is_whole(container, stream) if skip_broken else container.decode(stream)
    for frame in frames:
        if time is None:
            time = 0.0 if frame.time is None else frame.time - origin
        elif frame.time is None or _is_out_of_order(container, stream):
            time += 1 / rate
        else:
            time = max(time, frame.time - origin)
        yield time, frame


def _is_out_of_order(container: "InputContainer", stream: "VideoStream") -> bool:
    """Whether time stamps are those of another frame: AVI counts packets as they are stored."""
    return container.format.name == "avi" and stream.codec_context.has_b_frames


def _decode_what_is_whole(
    container: "InputContainer", stream: "VideoStream"
) -> Iterator["VideoFrame"]:
    import av

    for packet in whole_packets(container, stream):
        try:
            yield from packet.decode()  # pyright: ignore[reportReturnType] - frames of a video
        except av.FFmpegError as error:
            logger.debug("A part of the video cannot be decoded: %s.", say(error))


def _is_cover(stream: "VideoStream") -> bool:
    """Whether it is the picture that comes with a song."""
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.attached_pic)


def _has_alpha(frame: "VideoFrame") -> bool:
    is_palette = frame.format.name == "pal8"
    return is_palette or any(component.is_alpha for component in frame.format.components)


def _display_matrix(frame: "VideoFrame") -> tuple[tuple[int, int], tuple[int, int]]:
    """How a step to the right, and one down, is shown: in steps to the right and down."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return (1, 0), (0, 1)
    matrix = np.frombuffer(bytes(data), np.int32)
    return (int(matrix[0]), int(matrix[1])), (int(matrix[3]), int(matrix[4]))


def _is_on_its_side(matrix: tuple[tuple[int, int], tuple[int, int]]) -> bool:
    (x_to_x, x_to_y), _ = matrix
    return abs(x_to_y) > abs(x_to_x)
