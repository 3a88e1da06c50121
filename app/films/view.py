"""What a page needs to know of a film: its parts, where each is in time, and what can be played."""

from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from app.films.parts import GIVEN, count_done, is_done, part_files
from app.films.request import FilmRequest
from app.gallery import file_url
from app.jobs.job import Job
from app.result import Result


@dataclass(frozen=True)
class PartView:
    """A part of a film.

    Args:
        prompt: What it shows; empty for the video that the film goes on from.
        line: Of the story, from 0.
        begin: Seconds from the beginning of the film.
        end: As ``begin``.
        poster: A picture of it, once it is done.
        video: It alone, once it is done.
    """

    prompt: str
    line: int
    begin: float
    end: float
    poster: Path | None = None
    video: Path | None = None

    @property
    def is_done(self) -> bool:
        """Whether it can be seen."""
        return self.video is not None


@dataclass(frozen=True)
class FilmView:
    """A film at one moment.

    Args:
        job_id: Of the job that has its parts.
        given: The video that it goes on from, if any.
        parts: All, also those that are still to be made.
    """

    job_id: str
    given: PartView | None
    parts: tuple[PartView, ...]

    @property
    def num_done(self) -> int:
        """So many can be seen."""
        return sum(part.is_done for part in self.parts)

    def clips(self, result: Result | None) -> list[dict[str, Any]]:
        """What to play one after the other: the whole film, or as much as there is, in parts."""
        if result is not None:
            return [{"src": file_url(result.view), "begin": 0.0}]
        parts = (part for part in (self.given, *self.parts) if part is not None)
        return [{"src": file_url(part.video), "begin": part.begin} for part in parts if part.video]


def view_film(job: Job, data: Path) -> FilmView | None:
    """The film that a job makes, or goes on from; None if it has nothing to do with films.

    Args:
        job: As it is now.
        data: The data folder.
    """
    if isinstance(job.request, FilmRequest):
        return _of_request(job.request, data / job.folder)
    film = next((result for result in job.results if result.stage == "long_video"), None)
    return None if film is None else _of_result(film)


def _of_request(request: FilmRequest, folder: Path) -> FilmView:
    first = int(request.begins_with_picture)
    lengths = [part.num_new + first * (part.index == 0) for part in request.parts]
    lines, prompts = [part.line for part in request.parts], [line.prompt for line in request.story]
    told = request.num_before, lengths, lines, prompts, request.windows.fps
    return _view(folder, *told, count_done(folder))


def _of_result(film: Result) -> FilmView:
    told = film.metadata
    parts = told.get("parts") or ()
    lengths, lines = ([part[name] for part in parts] for name in ("num_frames", "line"))
    prompts = [line["prompt"] for line in told.get("story") or ()]
    num_before = told.get("num_given_frames", 0)
    folder = film.video.parent
    return _view(folder, num_before, lengths, lines, prompts, told["fps"], len(lengths))


def _view(
    folder: Path,
    num_before: int,
    lengths: list[int],
    lines: list[int],
    prompts: list[str],
    fps: float,
    num_done: int,
) -> FilmView:
    ends = list(accumulate(lengths, initial=num_before))
    parts = []
    for index, line in enumerate(lines):
        files = part_files(folder, index) if index < num_done else None
        poster, video = (files.poster, files.video) if files else (None, None)
        begin, end = ends[index] / fps, ends[index + 1] / fps
        parts.append(PartView(prompts[line], line, begin, end, poster, video))
    given = None
    if num_before and is_done(folder, GIVEN):
        files = part_files(folder, GIVEN)
        given = PartView("", -1, 0.0, num_before / fps, files.poster, files.video)
    return FilmView(folder.name, given, tuple(parts))
