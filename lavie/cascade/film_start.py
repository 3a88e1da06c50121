"""What a film goes on from, fitted to the size and the pace of the model."""

from collections.abc import Iterator
from typing import Literal, cast

import numpy as np

from lavie.cascade.generation import Generation
from lavie.data.transforms import fit_frame
from lavie.errors import InputError
from lavie.pipelines import limits
from lavie.pipelines.given_video import check_video
from lavie.pipelines.story import places_in
from lavie.pipelines.video_pipeline import default_to
from lavie.types import Frames, FrameSequence

BeginsWith = Literal["text", "picture", "video"]


class FilmStart:
    """A picture, a video, or nothing.

    Args:
        start: See `Film`.
        fps: Of frames; None: what the file says, else the film's; see `places_in`.
        own_fps: Of the film.
        size: Height and width of the film in pixels.

    Attributes:
        begins_with: What it is.

    Raises:
        InputError: It is none of them, or has no use for ``fps``.
    """

    def __init__(
        self,
        start: Generation | FrameSequence | None,
        fps: float | None,
        own_fps: float,
        size: tuple[int, int],
    ) -> None:
        self.begins_with: BeginsWith = "text"
        self._frames: FrameSequence | None = None
        self._fps = self._own_fps = own_fps
        self._size = size
        if isinstance(start, Generation):
            if fps is not None:
                raise InputError("This video has its frames per second. Leave fps out.", "fps")
            start, fps = start.frames, start.fps
        if start is None or (isinstance(start, np.ndarray) and start.ndim == 3):
            if fps is not None:
                raise InputError("There is no video to go on from. Leave fps out.", "fps")
            if start is not None:
                self.begins_with, self._frames = "picture", check_picture(start, "start")[None]
            return
        self.begins_with = "video"
        self._frames = cast(FrameSequence, check_video(start))
        speed = default_to(default_to(fps, getattr(start, "fps", None)), own_fps)
        self._fps = limits.check_speed(speed)

    def beginning(self) -> Iterator[Frames]:
        """All of a video in the film's size and pace, one frame ``(H, W, 3)`` after another."""
        if self.begins_with == "video":
            for place in self._places(None):
                yield self._frame(place)

    def last_frames(self, count: int) -> Frames | None:
        """The last frames, at most so many, ``(k, H, W, 3)``; None where there are none."""
        places = self._places(count)
        return np.stack([self._frame(place) for place in places]) if places else None

    def count_last(self, count: int) -> int:
        """How many frames `last_frames` gives."""
        return len(self._places(count))

    def _places(self, count: int | None) -> list[int]:
        if self._frames is None:
            return []
        return places_in(len(self._frames), self._fps, self._own_fps, count)

    def _frame(self, place: int) -> Frames:
        frame = cast(FrameSequence, self._frames)[place : place + 1][0]
        return fit_frame(np.ascontiguousarray(frame), *self._size, 0.5, 0.5)


def check_picture(picture: Frames, field: str) -> Frames:
    """Give a picture if it is one.

    Raises:
        InputError: It is not uint8 ``(H, W, 3)``.
    """
    shape, dtype = getattr(picture, "shape", ()), getattr(picture, "dtype", None)
    if len(shape) != 3 or shape[2] != 3 or dtype != np.uint8 or 0 in shape:
        raise InputError(
            f"A picture of shape {tuple(shape)} and type {dtype} cannot be read. Give uint8 "
            "(H, W, 3).",
            field,
        )
    return picture
