"""Video files as frames: read as they go, at an even pace, upright."""

import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lavie.errors import InputError
from lavie.media.opening import (
    MAX_SIDE,
    TimedFrame,
    open_container,
    pixel_aspect,
    say,
    timed_frames,
    upright_rgb,
    upright_size,
)
from lavie.media.timing import Timing, read_timing
from lavie.types import Frames

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MAX_RECIPE_LENGTH = 2**20
"""Characters of a comment; one that is longer is not taken for a recipe."""

_KEPT_BYTES = 256 * 2**20
_KEPT_FRAMES = 64


class Video(NamedTuple):
    """A file's content.

    Args:
        frames: uint8 ``(F, H, W, 3)``.
        fps: Frames per second.
        metadata: What `write_video` was given, or None.
    """

    frames: Frames
    fps: float
    metadata: dict[str, Any] | None


class VideoFile:
    """An open video, of which only a few frames are in memory; a `FrameSequence`.

    Slices that follow each other or overlap are cheap; an earlier one starts anew at the key
    frame before it. What is broken in the file shows the last whole frame before it.

    Args:
        path: The file.
        container: Open.
        stream: Its video.
        timing: How it is read.

    Attributes:
        path: The file.
        fps: Frames per second, always the same.
        metadata: The recipe that `write_video` put into it, or None.
        shape: ``(F, H, W, 3)``.
        dtype: uint8.
    """

    def __init__(
        self, path: Path, container: "InputContainer", stream: "VideoStream", timing: Timing
    ) -> None:
        self.path = path
        self.fps = float(timing.rate)
        self.metadata = _parse_metadata(container.metadata)
        self.dtype = np.dtype(np.uint8)
        self._container = container
        self._stream = stream
        self._timing = timing
        self._start(0)
        if self._coming is None:
            raise InputError(f"{path.name} has no readable frames in it.", "file")
        width, height = upright_size(self._coming[1], pixel_aspect(stream))
        if max(width, height) > MAX_SIDE:
            raise InputError(
                f"{path.name} is {width}x{height}. Use at most {MAX_SIDE} pixels a side.", "file"
            )
        self.shape = (timing.num_frames, height, width, 3)
        num_kept = min(max(_KEPT_BYTES // (3 * height * width), 1), _KEPT_FRAMES)
        self._recent: deque[tuple[int, np.ndarray]] = deque(maxlen=num_kept)

    def __len__(self) -> int:
        """F."""
        return self.shape[0]

    def __getitem__(self, part: slice, /) -> Frames:
        """Read some frames, uint8 ``(f, H, W, 3)``.

        Args:
            part: Any slice.
        """
        places = range(len(self))[part]
        in_order = sorted(places)
        frames = np.empty((len(places), *self.shape[1:]), np.uint8)
        for row, place in enumerate(in_order):
            frames[row] = self._frame(place)
        return frames if places.step > 0 else frames[::-1]

    def __iter__(self) -> Iterator[np.ndarray]:
        """Every frame in order, uint8 ``(H, W, 3)``."""
        return (self._frame(place) for place in range(len(self)))

    def _start(self, place: int) -> None:
        """Be ready to decode this frame."""
        import av

        begin = place / self.fps
        self._timed = timed_frames(
            self._container, self._stream, self._timing.origin, begin, self.fps, skip_broken=True
        )
        self._place = place
        self._shown: VideoFrame | None = None
        try:
            self._coming: TimedFrame | None = next(self._timed, None)
        except av.FFmpegError as error:
            raise InputError(
                f"{self.path.name} cannot be read as a video: {say(error)}.", "file"
            ) from error

    def _frame(self, place: int) -> np.ndarray:
        for kept, image in self._recent:
            if kept == place:
                return image
        if place < self._place:
            self._start(place)
        self._place = place
        before = self._shown
        last_moment = (place + 0.5) / self.fps  # the nearest place, not the next
        while self._coming and (self._shown is None or self._coming[0] < last_moment):
            self._shown = self._coming[1]
            self._coming = next(self._timed, None)
        if self._shown is None:
            raise InputError(f"{self.path.name} cannot be read a second time.", "file")
        if self._shown is before and self._recent:
            image = self._recent[-1][1]
        else:
            image = upright_rgb(self._shown, (self.shape[2], self.shape[1]))
        self._recent.append((place, image))
        return image


@contextmanager
def open_video(path: Path) -> Iterator[VideoFile]:
    """Open any usual video file, whose frames are then read as they are needed.

    Its codec, depth and size may be anything; rotation and pixels that are not square are applied,
    transparency is shown on white, and a variable rate becomes an even one (see `choose_pace`).

    Args:
        path: A file; never one that leads to other files or addresses.

    Yields:
        The video.

    Raises:
        InputError: The file is missing, broken, no video, too large or too long.
    """
    path = Path(path)
    with open_container(path) as (container, stream):
        if stream.codec_context is not None:
            stream.thread_type = "AUTO"
        yield VideoFile(path, container, stream, read_timing(container, stream, path.name))


def read_video(path: Path) -> Video:
    """Read all frames of a video file, as `open_video` shows them.

    Args:
        path: Any usual video file; never one that leads to other files or addresses.

    Raises:
        InputError: The file is missing or holds no readable video.
    """
    with open_video(path) as video:
        return Video(video[:], video.fps, video.metadata)


def read_metadata(path: Path) -> dict[str, Any] | None:
    """Read the recipe that `write_video` put into a file, without decoding the video.

    Args:
        path: Any video file.

    Returns:
        The recipe, or None if the file has none.

    Raises:
        InputError: The file is missing or not a video.
    """
    with open_container(path) as (container, _):
        return _parse_metadata(container.metadata)


def _parse_metadata(tags: dict[str, str]) -> dict[str, Any] | None:
    comments = (text for tag, text in tags.items() if tag.lower() == "comment")  # MKV: capitals
    comment = next(comments, "")
    if len(comment) > MAX_RECIPE_LENGTH:
        return None
    try:
        metadata = json.loads(comment, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return metadata if isinstance(metadata, dict) else None


def _refuse(constant: str) -> None:
    """NaN and its like are in some programs' comments, but not in JSON: we could not keep them."""
    raise ValueError(constant)
