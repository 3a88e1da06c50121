"""Files to frames and back: the only place that knows codecs, fps and [0, 255]."""

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from uuid import uuid4

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from lavie.errors import InputError
from lavie.types import Frames

if TYPE_CHECKING:
    from av.container import InputContainer

_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpeg,mpegts,flv,asf,ogg"
CONTAINER_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
"""What `av.open` reads: no formats that can name other files or addresses, as playlists do."""

MAX_GIF_FPS = 50
"""Players slow down a GIF that is faster."""

_BT709 = 1  # the number that H.264, FFmpeg and PyAV share for this matrix, transfer and primaries
_CONSTANT_RATE_FACTOR = 16  # 0 lossless ... 51 worst; 16 is hard to tell from the original


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


def pixels_to_frames(pixels: Tensor, is_rounded: bool = True) -> Frames:
    """Turn pixels into bytes, as the published code does.

    Args:
        pixels: ``(B, 3, F, H, W)``; values outside [-1, 1] are clipped.
        is_rounded: Round half up; False cuts, as the published super-resolution does.

    Returns:
        uint8 array ``(B, F, H, W, 3)``.
    """
    half = 0.5 if is_rounded else 0.0
    scaled = ((pixels.float() / 2 + 0.5) * 255 + half).clamp(0, 255).to(torch.uint8)
    return rearrange(scaled, "B C F H W -> B F H W C").contiguous().cpu().numpy()


def frames_to_pixels(frames: Frames) -> Tensor:
    """Give frames as pixels.

    Args:
        frames: uint8 ``(B, F, H, W, 3)``.

    Returns:
        float32 ``(B, 3, F, H, W)`` in [-1, 1].
    """
    return rearrange(torch.from_numpy(frames), "B F H W C -> B C F H W").float() / 127.5 - 1


def enlarge_frames(
    frames: Frames, factor: int, resample: Literal["nearest", "lanczos"] = "lanczos"
) -> Frames:
    """Make small frames comfortable to look at. Says nothing about detail: none is added.

    Args:
        frames: uint8 ``(F, H, W, 3)``.
        factor: Whole number, at least 1 (neutral).
        resample: ``nearest`` shows every pixel as a square, ``lanczos`` is smooth.

    Returns:
        uint8 ``(F, factor * H, factor * W, 3)``.
    """
    if factor == 1:
        return frames
    if resample == "nearest":
        return frames.repeat(factor, axis=1).repeat(factor, axis=2)
    from PIL import Image

    size = (frames.shape[2] * factor, frames.shape[1] * factor)
    lanczos = Image.Resampling.LANCZOS
    return np.stack([np.asarray(Image.fromarray(frame).resize(size, lanczos)) for frame in frames])


def check_output(path: Path, suffix: str) -> None:
    """Refuse an output that could not be written, before the work that would fill it.

    Args:
        path: Where a file is to be written; an existing file there is replaced.
        suffix: The ending it must have, as ``.mp4``.

    Raises:
        InputError: Another ending, no such folder, a folder of that name, or not for us.
    """
    if path.suffix.lower() != suffix:
        raise InputError(f"Output '{path.name}' does not end in {suffix}.", "output")
    try:
        if path.is_dir():
            raise InputError(f"Output '{path}' is a folder. Add a file name.", "output")
        if not path.parent.is_dir():
            raise InputError(
                f"Output folder '{path.parent}' does not exist. Make it first.", "output"
            )
        _try_to_write(path.parent)
    except OSError as error:
        raise InputError(
            f"Output '{path}' cannot be written: {error.strerror}.", "output"
        ) from error


def check_output_folder(folder: Path) -> None:
    """Refuse a folder that could not be made, before the work that would fill it.

    Raises:
        InputError: It, or what it should lie in, is a file or not for us.
    """
    try:
        nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not nearest.is_dir():
            raise InputError(
                f"Output folder '{folder}' cannot be made: {nearest} is a file.", "output"
            )
        _try_to_write(nearest)
    except OSError as error:
        raise InputError(
            f"Output folder '{folder}' cannot be made: {error.strerror}.", "output"
        ) from error


def _try_to_write(folder: Path) -> None:
    """Asking for the rights would not tell of disks that are full or read only."""
    with tempfile.TemporaryFile(dir=folder):
        pass


def write_video(
    path: Path, frames: Iterable[Frames], fps: float, metadata: dict[str, Any] | None = None
) -> None:
    """Write an H.264 MP4 that plays everywhere, browsers included.

    The file appears under its name only when it is complete. Its format asks for even sides, so a
    frame of odd height or width gets its last row or column once more; nothing is resized.

    Args:
        path: Ends in ``.mp4``; the folder must exist.
        frames: uint8 ``(H, W, 3)`` pictures of one size, at least one; an array
            ``(F, H, W, 3)`` or any iterator, whose frames are encoded as they come.
        fps: Frames per second, above 0.
        metadata: JSON-serialisable recipe, kept in the file's comment tag.

    Raises:
        InputError: The name, the folder or fps is not as above, or there are no frames.
    """
    import av
    from av.video.reformatter import Colorspace

    check_output(path, ".mp4")
    _check_fps(fps)
    first, frames = _first_frame(frames)
    height, width = first.shape[:2]
    even = ((0, height % 2), (0, width % 2), (0, 0))
    with _replace_when_complete(path) as temporary:
        with av.open(temporary, "w", format="mp4", options={"movflags": "+faststart"}) as file:
            if metadata is not None:
                file.metadata["comment"] = json.dumps(metadata, allow_nan=False)
            stream = file.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
            stream.width, stream.height = width + width % 2, height + height % 2
            stream.pix_fmt = "yuv420p"
            stream.options = {"crf": str(_CONSTANT_RATE_FACTOR), "preset": "medium"}
            context = stream.codec_context
            context.colorspace = context.color_primaries = context.color_trc = _BT709
            for frame in frames:
                padded = np.pad(frame, even, mode="edge")
                picture = av.VideoFrame.from_ndarray(padded, format="rgb24").reformat(
                    format="yuv420p", dst_colorspace=Colorspace.ITU709
                )
                file.mux(stream.encode(picture))
            file.mux(stream.encode())


def read_video(path: Path) -> Video:
    """Read all frames of a video file.

    Args:
        path: Any usual video file; never one that leads to other files or addresses.

    Raises:
        InputError: The file is missing or holds no readable video.
    """
    with _open_video(path) as file:
        if not file.streams.video:
            raise InputError(f"{Path(path).name} has no video in it.", "file")
        stream = file.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(stream)]
        fps = float(stream.average_rate or stream.guessed_rate or 0)
        metadata = _parse_metadata(file.metadata)
    if not frames or not fps:
        raise InputError(f"{Path(path).name} has no readable frames in it.", "file")
    return Video(np.stack(frames), fps, metadata)


def read_metadata(path: Path) -> dict[str, Any] | None:
    """Read the recipe that `write_video` put into a file, without decoding the video.

    Args:
        path: Any video file.

    Returns:
        The recipe, or None if the file has none.

    Raises:
        InputError: The file is missing or not a video.
    """
    with _open_video(path) as file:
        return _parse_metadata(file.metadata)


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
    _, frames = _first_frame(frames)
    images = [Image.fromarray(frame) for frame in frames]
    ends = np.floor(np.arange(len(images) + 1) * 100 / fps + 0.5).astype(int)
    with _replace_when_complete(path) as temporary:
        images[0].save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=images[1:],
            duration=[int(centiseconds) * 10 for centiseconds in np.diff(ends)],
            loop=0,
        )


def write_recipe(video_path: Path, metadata: dict[str, Any]) -> Path:
    """Write a video's recipe beside it, readable for people.

    Args:
        video_path: ``clip.mp4`` gets ``clip.recipe.json``.
        metadata: As in `write_video`.

    Returns:
        Where it was written.
    """
    path = video_path.with_suffix(".recipe.json")
    with _replace_when_complete(path) as temporary:
        text = json.dumps(metadata, indent=2, ensure_ascii=False, allow_nan=False)
        Path(temporary).write_text(text + "\n", encoding="utf-8")
    return path


@contextmanager
def _open_video(path: Path) -> Iterator["InputContainer"]:
    import av

    try:
        with av.open(str(Path(path).absolute()), options=CONTAINER_OPTIONS) as file:
            yield file
    except (av.FFmpegError, OSError) as error:
        raise InputError(
            f"{Path(path).name} cannot be read as a video: {error}.", "file"
        ) from error


def _parse_metadata(tags: dict[str, str]) -> dict[str, Any] | None:
    try:
        metadata = json.loads(tags.get("comment", ""))
    except ValueError:
        return None
    return metadata if isinstance(metadata, dict) else None


def _check_fps(fps: float) -> None:
    if not 0 < fps < float("inf"):
        raise InputError(f"{fps} frames per second is not above 0.", "fps")


def _first_frame(frames: Iterable[Frames]) -> tuple[Frames, Iterator[Frames]]:
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise InputError("A video needs at least one frame.", "num_frames")
    return first, chain([first], frames)


@contextmanager
def _replace_when_complete(path: Path) -> Iterator[str]:
    """A temporary name beside ``path``; its file takes over on success and vanishes otherwise."""
    temporary = path.with_name(f".{uuid4().hex}{path.suffix}")
    try:
        yield str(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
