"""What a finished video can be downloaded as, made when somebody asks for it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from zipfile import ZIP_STORED, ZipFile

from app import texts
from app.full_disk import is_disk_full
from app.result import Result
from lavie.errors import InputError
from lavie.pipelines.limits import check_choice
from lavie.types import Frames

if TYPE_CHECKING:
    from lavie.media import VideoFile

_GIF_HEIGHT = 320

_TURNS = Lock(), Lock()
"""So many files are made at once; whose turn it is depends on the file, so none is made twice."""


@dataclass(frozen=True)
class ExportFormat:
    """One kind of download.

    Args:
        suffix: What follows the name of the result's video in the name of a file that is made.
        write: Writes the file of a result to a path; None: every result has that file.
        needs: Formats that have to be there before.
    """

    suffix: str
    write: Callable[[Result, Path], None] | None
    needs: tuple[str, ...] = ()


def export(result: Result, format: str) -> Path:  # noqa: A002 - what it is called everywhere
    """Give a result as a file to download: made once, then kept beside the result.

    Args:
        result: What a stage left behind.
        format: One of `FORMATS`.

    Returns:
        The file; it is complete, also where others ask for it at the same time.

    Raises:
        InputError: There is no such format, the result was deleted, or the disk is full.
    """
    check_choice(format, tuple(FORMATS), "format")
    chosen = FORMATS[format]
    path = _path(result, format)
    if not result.video.exists():
        raise InputError(texts.DELETED_VIDEO, "format")
    if chosen.write and not path.exists():
        for needed in chosen.needs:
            export(result, needed)
        with _TURNS[hash(path) % len(_TURNS)]:
            if not path.exists():  # nobody made it meanwhile
                _write(chosen.write, result, path)
    return path


def _path(result: Result, format: str) -> Path:  # noqa: A002 - what it is called everywhere
    if format == "mp4":
        return result.video
    if format == "large":  # the same file where that is large enough
        return result.view
    return result.video.with_name(result.video.stem + FORMATS[format].suffix)


def _write(write: Callable[[Result, Path], None], result: Result, path: Path) -> None:
    try:
        write(result, path)
    except OSError as error:
        if is_disk_full(error):
            raise InputError(texts.DISK_IS_FULL, "format") from error
        raise


def _write_webm(result: Result, path: Path) -> None:
    from app.files import enlarge_to_view
    from lavie.media import WEBM, write_video

    with _open_frames(result) as video:
        pictures = enlarge_to_view(video)
        write_video(path, pictures, video.fps, dict(result.metadata), format=WEBM)


def _write_gif(result: Result, path: Path) -> None:
    from lavie.media import MAX_GIF_FPS, thin_out, write_gif

    with _open_frames(result) as video:
        frames, fps = thin_out(video, video.fps, MAX_GIF_FPS)
        write_gif(path, _resize_for_gif(frames), fps)


def _resize_for_gif(frames: Iterable[Frames]) -> Iterator[Frames]:
    """GIFs are large and slow, so a large video becomes smaller in one."""
    from app.whole_sizes import resize

    for frame in frames:
        height = frame.shape[0]
        larger, smaller = max(_GIF_HEIGHT // height // 2, 1), max(height // _GIF_HEIGHT, 1)
        yield resize(frame, larger, smaller)


def _write_png_zip(result: Result, path: Path) -> None:
    from lavie.media import write_png_zip

    with _open_frames(result) as video:
        write_png_zip(path, video, dict(result.metadata))


def _write_zip(result: Result, path: Path) -> None:
    """Everything of the result, but the small pictures that the page shows it with."""
    from lavie.media import replace_when_complete

    formats = [_path(result, name) for name in FORMATS if name != "zip"]
    files = (*formats, result.comparison, result.frames, result.recipe)
    with replace_when_complete(path) as temporary, ZipFile(temporary, "w", ZIP_STORED) as archive:
        for file in dict.fromkeys(file for file in files if file is not None):
            archive.write(file, file.name)


@contextmanager
def _open_frames(result: Result) -> Iterator["VideoFile"]:
    """The exact frames if they were kept, else those of the MP4."""
    from lavie.media import open_video

    exact = result.frames
    with open_video(exact if exact and exact.exists() else result.video) as video:
        yield video


FORMATS: Mapping[str, ExportFormat] = {
    "mp4": ExportFormat("", None),
    "large": ExportFormat("", None),
    "webm": ExportFormat(".webm", _write_webm),
    "gif": ExportFormat(".gif", _write_gif),
    "frames": ExportFormat("-png.zip", _write_png_zip),
    "zip": ExportFormat("-everything.zip", _write_zip, needs=("webm", "gif", "frames")),
}
"""By name. As large as the page shows it: the MP4 ``large`` and the WebM; smaller: the GIF. In the
model's own size: the ``mp4``, and the frames as PNG files, which are exact but after the last
stage, which keeps its MP4 only. Everything in one zip."""
