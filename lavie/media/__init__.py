"""Files to frames and back: the only place that knows codecs, fps and [0, 255]."""

from lavie.media.opening import CONTAINER_OPTIONS
from lavie.media.outputs import check_output, check_output_folder, write_recipe
from lavie.media.pixels import enlarge_frames, frames_to_pixels, pixels_to_frames
from lavie.media.reading import Video, VideoFile, open_video, read_metadata, read_video
from lavie.media.writing import MAX_GIF_FPS, VideoWriter, write_gif, write_video

__all__ = [
    "CONTAINER_OPTIONS",
    "MAX_GIF_FPS",
    "Video",
    "VideoFile",
    "VideoWriter",
    "check_output",
    "check_output_folder",
    "enlarge_frames",
    "frames_to_pixels",
    "open_video",
    "pixels_to_frames",
    "read_metadata",
    "read_video",
    "write_gif",
    "write_recipe",
    "write_video",
]
