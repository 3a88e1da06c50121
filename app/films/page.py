"""What the page shows of a film: the editor's frame, the player's value, the strip of its parts."""

import json
from collections.abc import Iterator
from html import escape
from itertools import groupby
from typing import Any

from app.films.view import FilmView, PartView
from app.gallery import as_text, file_url
from app.jobs.job import Job
from app.result import Result
from app.texts import films as texts

NOTHING_TO_PLAY: dict[str, Any] = {"clips": [], "duration": 0, "key": "", "label": ""}
"""What the player has while there is no film."""


def editor(first_seconds: float, more_seconds: float) -> str:
    """The frame in which ``story.js`` puts the rows of a story.

    Args:
        first_seconds: How long the first line is.
        more_seconds: How long every further one is.
    """
    words = {
        "line": texts.LINE_LABEL,
        "secondsLabel": texts.SECONDS_LABEL,
        "unit": texts.SECONDS_UNIT,
        "placeholder": texts.LINE_PLACEHOLDER,
        "remove": texts.REMOVE_LINE,
        "up": texts.MOVE_UP,
        "down": texts.MOVE_DOWN,
        "firstSeconds": first_seconds,
        "moreSeconds": more_seconds,
    }
    return (
        f'<fieldset class="story"><legend>{escape(texts.STORY_LABEL)}</legend>'
        f"<p>{escape(texts.STORY_INFO)}</p><ol data-words='{escape(json.dumps(words))}'></ol>"
        f'<button type="button" data-action="add">{escape(texts.ADD_LINE)}</button></fieldset>'
    )


def player() -> str:
    """The player, in which ``film.js`` shows what `player_value` tells."""
    video = '<video muted playsinline preload="auto"></video>'
    return (
        f'<div class="film-screen">{video.replace("<video", "<video class=front", 1)}{video}</div>'
        '<div class="film-controls">'
        f'<button type="button" data-toggle data-play="{escape(texts.PLAY)}" '
        f'data-pause="{escape(texts.PAUSE)}">{escape(texts.PLAY)}</button>'
        '<input type="range" min="0" max="1" step="any" value="0" '
        f'aria-label="{escape(texts.PLACE_IN_FILM)}"><output></output></div>'
    )


def player_value(job: Job, film: FilmView | None, result: Result | None) -> dict[str, Any]:
    """What the player shows.

    Args:
        job: Which job.
        film: Its parts.
        result: A whole video; None: the parts so far.
    """
    clips = film.clips(result) if film else []
    if film is None or not clips:
        return NOTHING_TO_PLAY
    return {
        "clips": clips,
        "duration": _duration(film, result),
        "key": film.job_id,
        "label": f"{texts.FILM_LABEL}: {job.request.prompt}",
    }


def timeline(film: FilmView | None, chosen: int = -1, at_work: bool = False) -> str:
    """The parts of a film below the lines that they belong to, as buttons that know their place.

    Args:
        film: Which.
        chosen: The part that was chosen.
        at_work: Whether the first part that is not done is being made.
    """
    if film is None:
        return ""
    items = "".join(_lines(film, chosen, at_work))
    so_far = texts.film_so_far(film.num_done, len(film.parts)) if film.num_done else ""
    told = f'<p class="progress-text">{escape(so_far)}</p>' if so_far else ""
    return (
        f'{told}<ol class="timeline" tabindex="0" '
        f'aria-label="{escape(texts.TIMELINE_LABEL)}">{items}</ol>'
    )


def redo_note(film: FilmView, chosen: int) -> str:
    """Say which part is chosen, and what can be done with it."""
    info = texts.REDO_INFO if chosen else texts.REDO_WHOLE_INFO
    return f"<p><strong>{as_text(_name(film, chosen))}</strong></p><p>{escape(info)}</p>"


def _lines(film: FilmView, chosen: int, at_work: bool) -> Iterator[str]:
    if film.given is not None:
        frame = _frame(film.given, "done")
        given = f'<li class="done"><span class="timeline-part">{frame}</span></li>'
        yield f'<li><p class="timeline-prompt">{escape(texts.GIVEN_NAME)}</p><ol>{given}</ol></li>'
    numbered = enumerate(film.parts)
    for line, parts in groupby(numbered, key=lambda part: part[1].line):
        own = list(parts)
        prompt = f"{line + 1} · {as_text(own[0][1].prompt)}"
        items = "".join(_part(film, index, chosen, at_work) for index, _ in own)
        yield (
            f'<li style="--parts:{len(own)}"><p class="timeline-prompt" title="{prompt}">{prompt}'
            f"</p><ol>{items}</ol></li>"
        )


def _part(film: FilmView, index: int, chosen: int, at_work: bool) -> str:
    part = film.parts[index]
    state = "done" if part.is_done else "later"
    if at_work and index == film.num_done:
        state = "now"
    off = "" if part.is_done else ' aria-disabled="true"'
    current = ' aria-current="step"' if state == "now" else ""
    return (
        f'<li class="{state}"{current}><button type="button" class="timeline-part" '
        f'data-part="{index}" data-begin="{part.begin:.4f}" data-end="{part.end:.4f}" '
        f'aria-pressed="{str(index == chosen).lower()}"{off} '
        f'aria-label="{as_text(_name(film, index))}">{_frame(part, state)}</button></li>'
    )


def _frame(part: PartView, state: str) -> str:
    fraction = 1 if state == "done" else 0
    picture = f'<img src="{file_url(part.poster)}" alt="">' if part.poster else ""
    return (
        f'<span class="frame" style="--fraction:{fraction}">{picture}</span>'
        f'<span class="timeline-time">{texts.clock(part.begin)}</span>'
    )


def _name(film: FilmView, index: int) -> str:
    part = film.parts[index]
    return texts.part_name(index + 1, len(film.parts), part.prompt, part.begin, part.end)


def _duration(film: FilmView, result: Result | None) -> float:
    done = [part.end for part in film.parts if part.is_done]
    if result is None and not done:
        return film.given.end if film.given else 0.0
    return max(done, default=0.0)
