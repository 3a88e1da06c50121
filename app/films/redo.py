"""A film made again from one of its parts on: what is before that part is kept."""

from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path

from app.films.parts import is_done, part_files
from app.films.request import FilmRequest, KeptParts
from app.texts import films as texts
from lavie.errors import InputError
from lavie.pipelines.story import Part, StoryLine, read_story


def redo_from(
    request: FilmRequest,
    folder: Path,
    index: int,
    seed: int,
    story: Sequence[StoryLine] | None = None,
) -> FilmRequest:
    """A film that keeps the parts before one, and makes the rest anew.

    Lines whose parts are kept get the seeds that those had, so that the new recipe makes the whole
    film again.

    Args:
        request: The film.
        folder: Of its job.
        index: The first part that is made anew.
        seed: Of what is made anew.
        story: As it is now. Its lines from there on are used, whatever those before say, each with
            its seed if that is a new one; None: the film's own.

    Raises:
        InputError: There is no such part, those before it are not done, or nothing is left of the
            story that they do not show.
    """
    if not 0 <= index < len(request.parts):
        raise InputError(texts.NO_SUCH_PART, "part")
    if index and not is_done(folder, index - 1):
        raise InputError(texts.NO_SUCH_PART, "part")
    line = request.parts[index].line
    lines = request.story[line:] if story is None else story[place_in(story, request, index) :]
    kept = None
    if index:
        kept = KeptParts(index, part_files(folder, index - 1).latents)
    beginning, num_shown = _beginning(request, index)
    used = {line.seed for line in request.story}
    rest = [replace(line, seed=None) if line.seed in used else line for line in lines]
    if num_shown and rest:  # the line was cut in two
        left = _left_of(request, line, rest[0].seconds, num_shown)
        if left <= 0 and rest[0].prompt != request.story[line].prompt:
            shown = num_shown / request.windows.fps
            raise InputError(texts.line_is_over(rest[0].prompt, shown), "story")
        rest = rest[1:] if left <= 0 else [replace(rest[0], seconds=left), *rest[1:]]
    if not rest:
        raise InputError(texts.NOTHING_LEFT, "story")
    new = replace(request, story=read_story([*beginning, *rest]), seed=seed, kept=kept)
    if _made(new)[:index] != _made(request)[:index]:
        raise InputError(texts.NO_SUCH_PART, "part")
    return new


def place_in(story: Sequence[StoryLine], request: FilmRequest, index: int) -> int:
    """Which line of a story a film's part belongs to, after lines were changed, added or removed.

    Args:
        story: As it is now.
        request: The film.
        index: Of the part.
    """
    line = request.parts[index].line
    changes = SequenceMatcher(None, _shown(request.story), _shown(story), autojunk=False)
    for _, begin, end, begin_now, end_now in changes.get_opcodes():
        if begin <= line <= end:
            return min(begin_now + line - begin, end_now)
    return len(story)


def begins_otherwise(story: Sequence[StoryLine], request: FilmRequest, index: int) -> bool:
    """Whether a story was changed before the line of a part; see `place_in`."""
    before = request.story[: request.parts[index].line]
    return _shown(story[: place_in(story, request, index)]) != _shown(before)


def story_after(
    story: Sequence[StoryLine], request: FilmRequest, index: int, new: FilmRequest
) -> list[StoryLine]:
    """What a form has once a film is made anew: what was typed, with the new film's seeds.

    Args:
        story: As it was typed.
        request: The film before.
        index: The first part that is made anew.
        new: The film that `redo_from` gave.
    """
    if not begins_otherwise(story, request, index):
        return list(new.story)
    typed = story[: place_in(story, request, index)]
    return [*typed, *new.story[request.parts[index].line :]]


def _beginning(request: FilmRequest, index: int) -> tuple[list[StoryLine], int]:
    """The lines of the parts that are kept, and how many frames of the last one's line."""
    lines: list[StoryLine] = []
    fps, parts = request.windows.fps, request.parts
    num_shown = 0
    for number, line in enumerate(request.story):
        own = [part for part in parts[:index] if part.line == number]
        if own:
            num_shown = _num_shown(request, number, own)
            lines.append(StoryLine(line.prompt, num_shown / fps, own[0].seed))
    is_cut = index > 0 and parts[index - 1].line == parts[index].line
    return lines, num_shown if is_cut else 0


def _left_of(request: FilmRequest, line: int, seconds: float | None, num_shown: int) -> float:
    """Seconds of a line that are still to come."""
    if seconds is None:
        return request.windows.num_frames / request.windows.fps
    if seconds == request.story[line].seconds:  # to the frame, as it was
        own = [part for part in request.parts if part.line == line]
        return (_num_shown(request, line, own) - num_shown) / request.windows.fps
    return seconds - num_shown / request.windows.fps


def _num_shown(request: FilmRequest, line: int, parts: Sequence[Part]) -> int:
    """Frames of a line in some of its parts; a picture to begin with is the first line's first."""
    num_given = int(request.begins_with_picture and line == 0)
    return num_given + sum(part.num_new for part in parts)


def _shown(lines: Sequence[StoryLine]) -> list[tuple[str, float | None]]:
    return [(line.prompt, line.seconds) for line in lines]


def _made(request: FilmRequest) -> list[tuple[str, int, int]]:
    return [(part.prompt, part.seed, part.num_new) for part in request.parts]
