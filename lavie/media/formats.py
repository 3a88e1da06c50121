"""What kinds of video file we write, and how each is encoded."""

from collections.abc import Mapping
from dataclasses import dataclass, field

_BT709 = 1  # the number that H.264, VP9, FFmpeg and PyAV share for this matrix, transfer, primaries
_RGB = 0
_BLOCK = 16  # pixels that H.264 encodes at once, across and down


@dataclass(frozen=True)
class VideoFormat:
    """How `VideoWriter` encodes.

    Args:
        suffix: How the file's name ends.
        container: FFmpeg's name of the file format.
        codec: FFmpeg's name of the encoder.
        pixel_format: FFmpeg's name of what is encoded: ``bgr0`` is the frames' own bytes.
        options: Of the encoder.
        off_grid_options: More of them, where a side is no whole number of blocks.
        container_options: Of the file format.
        keeps_sound: Whether the sound of another file can go into it.
    """

    suffix: str
    container: str
    codec: str
    pixel_format: str
    options: Mapping[str, str]
    off_grid_options: Mapping[str, str] = field(default_factory=dict)
    container_options: Mapping[str, str] = field(default_factory=dict)
    keeps_sound: bool = False

    @property
    def is_lossless(self) -> bool:
        """Whether the frames come back bit for bit, in their own size."""
        return self.pixel_format == "bgr0"

    def options_for(self, width: int, height: int) -> Mapping[str, str]:
        """Of the encoder, for pictures of a size in pixels."""
        is_on_grid = width % _BLOCK == height % _BLOCK == 0
        return {**self.options, **({} if is_on_grid else self.off_grid_options)}

    @property
    def colour_matrix(self) -> int:
        """The number that the file has for how its colours are meant."""
        return _RGB if self.is_lossless else _BT709


MP4 = VideoFormat(
    ".mp4",
    "mp4",
    "libx264",
    "yuv420p",
    {"crf": "16", "preset": "medium"},  # 0 lossless ... 51; 16 is hard to tell from the original
    # x264 plans bits by blocks (mbtree), and by what happens to lie in memory beyond the picture
    # where blocks reach over its edge: the same frames would not always make the same file.
    {"x264-params": "mbtree=0"},
    {"movflags": "+faststart"},
    keeps_sound=True,
)
"""H.264, which plays everywhere, browsers included."""

WEBM = VideoFormat(
    ".webm",
    "webm",
    "libvpx-vp9",
    "yuv420p",
    {"crf": "20", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"},  # 0 best ... 63
)
"""VP9, which browsers play, free of licences."""

LOSSLESS = VideoFormat(".mkv", "matroska", "ffv1", "bgr0", {"level": "3", "g": "1"})
"""FFV1: the exact frames, to go on from; players of the desktop show it, browsers do not."""
