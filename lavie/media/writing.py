"""Frames to video files."""

import json
from collections.abc import Iterable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from lavie.errors import InputError, LaVieError
from lavie.media.audio import finish_video
from lavie.media.formats import MP4, VideoFormat
from lavie.media.outputs import check_output, replace_when_complete
from lavie.media.reading import read_metadata
from lavie.types import Frames

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

NO_FRAMES = "A video needs at least one frame."


class VideoWriter:
    """Writes a video file as its frames come; an MP4 unless another format is asked for.

    To be used in a ``with`` statement. The file appears under its name only when it is complete
    and its recipe was read back from it, at the end of the block; an exception in the block leaves
    nothing. All formats but the lossless one ask for even sides, so a frame of odd height or width
    gets its last row or column once more; nothing is resized.

    Args:
        path: Ends as the format says, ``.mp4``; the folder must exist.
        fps: Frames per second, above 0.
        metadata: JSON-serialisable recipe, kept in the file's comment tag; may be set as an
            attribute until the end of the block.
        audio_from: A video file whose sound is kept, as far as the new video is long; for MP4 only.
            A sound that cannot be kept is left out with a warning in the log.
        format: `MP4`, `WEBM`, or `LOSSLESS`, whose frames `read_video` gives back bit for bit.

    Attributes:
        metadata: As above.
        shape: ``(F, H, W, 3)`` of what was written so far, sides as the file has them.

    Raises:
        InputError: The name, the folder or fps is not as above, or there are no frames.
        LaVieError: The recipe cannot be read back as it was given.
    """

    def __init__(
        self,
        path: Path,
        fps: float,
        metadata: dict[str, Any] | None = None,
        audio_from: Path | None = None,
        format: VideoFormat = MP4,  # noqa: A002 - what it is called everywhere
    ) -> None:
        check_output(path, format.suffix)
        if audio_from is not None and not format.keeps_sound:
            raise InputError(f"A {format.suffix} gets no sound. Leave audio_from out.", "output")
        self.metadata = metadata
        self._path = path
        self._rate = check_rate(fps)
        self._format = format
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
                    raise InputError(NO_FRAMES, "num_frames")
                length = float(self.shape[0] / self._rate)
                comment = self._comment()
                finish_video(
                    self._silent, self._final, self._format, length, comment, self._audio_from
                )
                if comment is not None:
                    self._verify(comment)
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

        is_lossless, pixel_format = self._format.is_lossless, self._format.pixel_format
        for frame in frames:
            height, width = frame.shape[:2]
            rows, columns = (0, 0) if is_lossless else (height % 2, width % 2)
            if self._file is None:
                self._file, self._stream = self._begin(width + columns, height + rows)
            padded = np.pad(frame, ((0, rows), (0, columns), (0, 0)), mode="edge")
            picture = av.VideoFrame.from_ndarray(padded, format="rgb24").reformat(
                format=pixel_format, dst_colorspace=None if is_lossless else Colorspace.ITU709
            )
            self._file.mux(self._stream.encode(picture))
            self.shape = (self.shape[0] + 1, *padded.shape)

    def _begin(self, width: int, height: int) -> tuple["OutputContainer", "VideoStream"]:
        import av

        file = av.open(str(self._silent), "w", format=self._format.container)
        stream = cast("VideoStream", file.add_stream(self._format.codec, rate=self._rate))
        stream.width, stream.height, stream.pix_fmt = width, height, self._format.pixel_format
        stream.options = dict(self._format.options_for(width, height))
        context = stream.codec_context
        context.colorspace = self._format.colour_matrix
        if not self._format.is_lossless:
            context.color_primaries = context.color_trc = self._format.colour_matrix
        return file, stream

    def _comment(self) -> str | None:
        return None if self.metadata is None else json.dumps(self.metadata, allow_nan=False)

    def _verify(self, comment: str) -> None:
        """A video that cannot be made again is found out now, not when somebody wants to."""
        if read_metadata(self._final) != json.loads(comment):
            raise LaVieError(
                f"The recipe inside {self._path.name} is not what was to be written; the file was "
                "not kept. A recipe is a JSON object."
            )


def write_video(
    path: Path,
    frames: Iterable[Frames],
    fps: float,
    metadata: dict[str, Any] | None = None,
    audio_from: Path | None = None,
    format: VideoFormat = MP4,  # noqa: A002 - as above
) -> None:
    """Write a video as `VideoWriter` does, which explains the arguments.

    Args:
        path: Ends as the format says, ``.mp4``; the folder must exist.
        frames: uint8 ``(H, W, 3)`` pictures of one size, at least one; an array
            ``(F, H, W, 3)`` or any iterator, whose frames are encoded as they come.
        fps: Frames per second, above 0.
        metadata: JSON-serialisable recipe, kept in the file's comment tag.
        audio_from: A video file whose sound is kept.
        format: `MP4`, `WEBM` or `LOSSLESS`.

    Raises:
        InputError: The name, the folder or fps is not as above, or there are no frames.
        LaVieError: The recipe cannot be read back as it was given.
    """
    with VideoWriter(path, fps, metadata, audio_from, format) as writer:
        writer.write(frames)


def check_rate(fps: float) -> Fraction:
    """Give frames per second as the fraction that files hold.

    Raises:
        InputError: It is not a number above 0.
    """
    rate = Fraction(fps).limit_denominator(1001) if 0 < fps < float("inf") else 0
    if rate <= 0:
        raise InputError(f"{fps} frames per second is not above 0.", "fps")
    return Fraction(rate)
