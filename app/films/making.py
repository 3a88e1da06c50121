"""Makes a film part by part; what is done of it is on disk at once, and is gone on from."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from app.films.parts import (
    GIVEN,
    FilmFrames,
    count_done,
    is_done,
    keep_parts,
    read_latents,
    write_part,
)
from app.films.request import FilmRequest, GivenFile
from app.films.same_model import check_parts
from app.result import Result
from lavie.errors import Cancelled
from lavie.types import CancelToken, Frames, FrameSequence, OnEvent
from lora.recipe import recipe_of

if TYPE_CHECKING:
    from lavie.cascade import Cascade, Film

CheckFrames = Callable[[Frames], None]

_READ_TOGETHER = 16  # frames of what a film goes on from; then it is seen whether to stop


@dataclass(frozen=True)
class _Made:
    """How much a run has made.

    Args:
        num_parts: Parts.
        seconds: They took.
    """

    num_parts: int
    seconds: float


def make_film(
    cascade: "Cascade",
    request: FilmRequest,
    folder: Path,
    on_event: OnEvent,
    cancel: CancelToken,
    check: CheckFrames | None = None,
) -> Iterator[Result]:
    """Make what is missing of a film, and one video of all its parts.

    Args:
        cascade: The model.
        request: What to make.
        folder: Of the job; parts that are in there already are kept.
        on_event: Hears of every step.
        cancel: Looked at once per step.
        check: Raises unless frames may be shown; None: all may.

    Yields:
        The result: of the whole film, or of its beginning if ``cancel`` was set.

    Raises:
        Cancelled: ``cancel`` was set.
        InputError: Another model made the parts that are there.
    """
    with ExitStack() as files:
        film, source = _open(cascade, request, files, on_event, cancel)
        if request.kept is not None:
            keep_parts(request.kept, folder)
        if film.begins_with == "video" and not is_done(folder, GIVEN):
            write_part(folder, GIVEN, _beginning(film, check, cancel), film.fps, None)
        num_before, started = count_done(folder), time.perf_counter()
        stopped: Cancelled | None = None
        try:
            _make_parts(film, folder, check)
        except Cancelled as error:
            if count_done(folder) == 0:
                raise
            stopped = error
        num_parts = count_done(folder)
        made = _Made(num_parts - num_before, time.perf_counter() - started)
        yield _join(film, request, folder, num_parts, source, made)
        if stopped is not None:
            raise stopped


def _open(
    cascade: "Cascade",
    request: FilmRequest,
    files: ExitStack,
    on_event: OnEvent,
    cancel: CancelToken,
) -> tuple["Film", dict[str, Any]]:
    """The film, ready to be made, and what its recipe says of the files that were given."""
    from lavie.media import source_of
    from lavie.pipelines.story import story_json

    start, recipe = _read(request.start, files)
    end = cast("Frames | None", _read(request.end, files)[0])
    film = cascade.film(
        story_json(request.story),
        start,
        end,
        seed=request.seed,
        negative_prompt=request.negative_prompt,
        num_inference_steps=request.num_inference_steps,
        guidance_scale=request.guidance_scale,
        height=request.windows.height,
        width=request.windows.width,
        num_given=request.num_given or None,
        on_event=on_event,
        cancel=cancel,
    )
    if request.start is None:
        return film, {}
    return film, source_of(request.start.name, recipe)


def _read(
    given: GivenFile | None, files: ExitStack
) -> tuple[FrameSequence | None, dict[str, Any] | None]:
    """What was given, and the recipe in it."""
    if given is None:
        return None, None
    if given.kind == "picture":
        from lavie.data.decode import read_picture

        return read_picture(given.file), None
    from lavie.media import open_video

    video = files.enter_context(open_video(given.file))
    return video, video.metadata


def _beginning(film: "Film", check: CheckFrames | None, cancel: CancelToken) -> Iterator[Frames]:
    """What a film goes on from, each frame looked at before it is given; ends when cancelled."""
    frames = film.beginning()
    while some := list(islice(frames, _READ_TOGETHER)):
        cancel.raise_if_cancelled()
        if check is not None:
            check(np.stack(some))
        yield from some


def _make_parts(film: "Film", folder: Path, check: CheckFrames | None) -> None:
    num_done = count_done(folder)
    if num_done >= len(film.parts):
        return
    model_hash = film.recipe["model_hashes"]["long_video"]
    check_parts(folder, num_done, model_hash)
    is_at_once = film.way == "free_noise"
    first = 0 if is_at_once else num_done
    latents = read_latents(folder, first - 1) if first else None
    for segment in film.segments(first, latents):
        if segment.part.index < num_done:  # it was made at once, again
            continue
        if check is not None:
            check(segment.frames)
        part = segment.frames, film.fps, segment.latents, model_hash
        write_part(folder, segment.part.index, *part)


def _join(
    film: "Film",
    request: FilmRequest,
    folder: Path,
    num_parts: int,
    source: dict[str, Any],
    made: _Made,
) -> Result:
    """One video of all parts, written as they are read."""
    from app.files import write_files
    from lavie.cascade import Generation

    frames = FilmFrames(folder, num_parts)
    lengths = frames.lengths[-num_parts:]
    parts = [
        {"line": part.line, "seed": part.seed, "num_frames": length}
        for part, length in zip(film.parts, lengths, strict=False)
    ]
    metadata = film.recipe | {"parts": parts, "num_given_frames": len(frames) - sum(lengths)}
    metadata |= source | recipe_of(request.loras)
    started = time.perf_counter()
    seconds = {"long_video": made.seconds}
    generation = Generation(cast("Frames", frames), film.fps, request.seed, metadata, seconds)
    is_partial = num_parts < len(film.parts)
    name = f"film-{num_parts}-parts" if is_partial else None
    result = write_files(generation, "long_video", folder, CancelToken(), name)
    seconds_after = time.perf_counter() - started
    return replace(
        result,
        seconds=made.seconds + seconds_after,
        seconds_after=seconds_after,
        worked=request.effort_of(made.num_parts),
        is_partial=is_partial,
    )
