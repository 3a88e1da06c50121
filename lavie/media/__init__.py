"""Files to frames and back: the only place that knows codecs, fps and [0, 255]."""

from lavie.media.formats import LOSSLESS, MP4, WEBM, VideoFormat
from lavie.media.opening import CONTAINER_OPTIONS, open_container
from lavie.media.outputs import (
    check_output,
    check_output_folder,
    replace_when_complete,
)
from lavie.media.pictures import MAX_GIF_FPS, thin_out, write_gif, write_png_zip, write_webp
from lavie.media.pixels import enlarge_frames, frames_to_pixels, pixels_to_frames
from lavie.media.reading import Video, VideoFile, open_video, read_metadata, read_video
from lavie.media.recipes import source_of, write_recipe
from lavie.media.writing import VideoWriter, write_video

__all__ = [
    "CONTAINER_OPTIONS",
    "LOSSLESS",
    "MAX_GIF_FPS",
    "MP4",
    "WEBM",
    "Video",
    "VideoFile",
    "VideoFormat",
    "VideoWriter",
    "check_output",
    "check_output_folder",
    "enlarge_frames",
    "frames_to_pixels",
    "open_container",
    "open_video",
    "pixels_to_frames",
    "read_metadata",
    "read_video",
    "replace_when_complete",
    "source_of",
    "thin_out",
    "write_gif",
    "write_png_zip",
    "write_recipe",
    "write_video",
    "write_webp",
]
