"""Frames to video files."""

import json
from collections.abc import Iterable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from lavie.errors import InputError
from lavie.media.audio import finish_video
from lavie.media.outputs import check_output, replace_when_complete
from lavie.types import Frames

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

MAX_GIF_FPS = 50
"""Players slow down a GIF that is faster."""

_BT709 = 1  # the number that H.264, FFmpeg and PyAV share for this matrix, transfer and primaries
_CONSTANT_RATE_FACTOR = 16  # 0 lossless ... 51 worst; 16 is hard to tell from the original
_NO_FRAMES = "A video needs at least one frame."


class VideoWriter:
    """Writes an H.264 MP4 that plays everywhere, browsers included, as its frames come.

    To be used in a ``with`` statement. The file appears under its name only when it is complete,
    at the end of the block; an exception in the block leaves nothing. The format asks for even
    sides, so a frame of odd height or width gets its last row or column once more; nothing is
    resized.

    Args:
        path: Ends in ``.mp4``; the folder must exist.
        fps: Frames per second, above 0.
        metadata: JSON-serialisable recipe, kept in the file's comment tag; may be set as an
            attribute until the end of the block.
        audio_from: A video file whose sound is kept, as far as the new video is long. A sound that
            cannot be kept is left out with a warning in the log.

    Attributes:
        metadata: As above.
        shape: ``(F, H, W, 3)`` of what was written so far.

    Raises:
        InputError: The name, the folder or fps is not as above, or there are no frames.
    """

    def __init__(
        self,
        path: Path,
        fps: float,
        metadata: dict[str, Any] | None = None,
        audio_from: Path | None = None,
    ) -> None:
        check_output(path, ".mp4")
        self.metadata = metadata
        self._path = path
        self._rate = _check_fps(fps)
        self._audio_from = audio_from
        self.shape = (0, 0, 0, 3)
        self._stack = ExitStack()
        self._file: OutputContainer | None = None

    def __enter__(self) -> Self:
        """Begin the file, under a temporary name."""
        self._final = self._stack.enter_context(replace_when_complete(self._path))
        self._silent = self._final.with_suffix(".silent")
        self._stack.callback(self._silent.unlink, missing_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the file and give it its name, or remove it."""
        with self._stack:
            if self._file is not None:
                with self._file as file:
                    if error is None:
                        file.mux(self._stream.encode())
            if error is None:
                if self._file is None:
                    raise InputError(_NO_FRAMES, "num_frames")
                length = float(self.shape[0] / self._rate)
                finish_video(self._silent, self._final, length, self._comment(), self._audio_from)
            else:
                raise error

    def write(self, frames: Iterable[Frames]) -> None:
        """Encode some frames.

        Args:
            frames: uint8 ``(H, W, 3)`` pictures of the same size each time; an array
                ``(F, H, W, 3)`` or any iterable.
        """
        import av
        from av.video.reformatter import Colorspace

        for frame in frames:
            height, width = frame.shape[:2]
            if self._file is None:
                self._file, self._stream = self._begin(width + width % 2, height + height % 2)
            padded = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            picture = av.VideoFrame.from_ndarray(padded, format="rgb24").reformat(
                format="yuv420p", dst_colorspace=Colorspace.ITU709
            )
            self._file.mux(self._stream.encode(picture))
            self.shape = (self.shape[0] + 1, height, width, 3)

    def _begin(self, width: int, height: int) -> tuple["OutputContainer", "VideoStream"]:
        import av

        file = av.open(str(self._silent), "w", format="mp4")
        stream = file.add_stream("libx264", rate=self._rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": str(_CONSTANT_RATE_FACTOR), "preset": "medium"}
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        return file, stream

    def _comment(self) -> str | None:
        return None if self.metadata is None else json.dumps(self.metadata, allow_nan=False)


def write_video(
    path: Path,
    frames: Iterable[Frames],
    fps: float,
    metadata: dict[str, Any] | None = None,
    audio_from: Path | None = None,
) -> None:
    """Write a video as `VideoWriter` does, which explains the arguments.

    Args:
        path: Ends in ``.mp4``; the folder must exist.
        frames: uint8 ``(H, W, 3)`` pictures of one size, at least one; an array
            ``(F, H, W, 3)`` or any iterator, whose frames are encoded as they come.
        fps: Frames per second, above 0.
        metadata: JSON-serialisable recipe, kept in the file's comment tag.
        audio_from: A video file whose sound is kept.

    Raises:
        InputError: The name, the folder or fps is not as above, or there are no frames.
    """
    with VideoWriter(path, fps, metadata, audio_from) as writer:
        writer.write(frames)


def write_gif(path: Path, frames: Iterable[Frames], fps: float) -> None:
    """Write an endless GIF.

    GIF counts in hundredths of a second, so single frames are rounded in turn up and down and the
    whole keeps its length.

    Args:
        path: Ends in ``.gif``; the folder must exist.
        frames: uint8 ``(H, W, 3)`` pictures of one size, at least one.
        fps: Frames per second, above 0 and at most `MAX_GIF_FPS`.

    Raises:
        InputError: The name, the folder or fps is not as above, or there are no frames.
    """
    from PIL import Image

    check_output(path, ".gif")
    _check_fps(fps)
    if fps > MAX_GIF_FPS:
        raise InputError(f"{fps} frames per second is above {MAX_GIF_FPS}, GIF's most.", "fps")
    images = [Image.fromarray(frame) for frame in frames]
    if not images:
        raise InputError(_NO_FRAMES, "num_frames")
    ends = np.floor(np.arange(len(images) + 1) * 100 / fps + 0.5).astype(int)
    with replace_when_complete(path) as temporary:
        images[0].save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=images[1:],
            duration=[int(centiseconds) * 10 for centiseconds in np.diff(ends)],
            loop=0,
        )


def _check_fps(fps: float) -> Fraction:
    rate = Fraction(fps).limit_denominator(1001) if 0 < fps < float("inf") else 0
    if rate <= 0:
        raise InputError(f"{fps} frames per second is not above 0.", "fps")
    return Fraction(rate)
