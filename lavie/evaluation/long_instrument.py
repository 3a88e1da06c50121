"""Is the instrument right? True films of the world have to pass it, spoiled ones must not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from lavie.data.world import NUM_FRAMES, SUBJECTS, render_story
from lavie.evaluation.judge import Judge
from lavie.evaluation.long_films import FilmedStory, MeasuredStory, measure_film
from lavie.evaluation.long_report import MeasuredFilms, rows_of
from lavie.evaluation.measured import for_each
from lavie.evaluation.spoiling import pick_word
from lavie.evaluation.stories import FilmStory, make_stories
from lavie.types import Frames, OnEvent

_FEWEST_NEW, _MOST_NEW = 9, 15  # frames that a window adds to a film of the world
_DARKER = 4  # levels in every part
_BLUR = 0.2  # pixels more in every part


def true_film(story: FilmStory, num_recursions: int, num_new: int | None = None) -> FilmedStory:
    """What a perfect model makes of a story.

    Args:
        story: What to film.
        num_recursions: Parts after the first.
        num_new: Frames of each of these. None: the story's own number, as films all begin alike, so
            that borders of one length would miss most places where a subject can be.
    """
    if num_new is None:
        num_new = _FEWEST_NEW + story.seed % (_MOST_NEW + 1 - _FEWEST_NEW)
    lengths = (NUM_FRAMES, *[num_new] * num_recursions)
    frames = render_story(story.seed, story.subject, [story.first], [sum(lengths)])
    lines = [story.first, story.second]
    changed = render_story(story.seed, story.subject, lines, [NUM_FRAMES, num_new])
    return FilmedStory(story, frames, lengths, changed)


def _paste_unrelated(film: FilmedStory, rng: np.random.Generator) -> FilmedStory:
    """Every part, and the second line's, from a film of its own."""
    frames, changed = film.frames.copy(), _changed(film).copy()
    num_new = film.lengths[1]
    others = make_stories(len(film.lengths) + 1, int(rng.integers(2**31)))
    for part, other in zip(film.parts[1:], others, strict=False):
        frames[part] = true_film(other, len(film.lengths), num_new).frames[part]
    new = slice(film.lengths[0], None)
    changed[new] = true_film(others[-1], 1, num_new).frames[new]
    return replace(film, frames=frames, changed=changed)


def _freeze(film: FilmedStory, rng: np.random.Generator) -> FilmedStory:
    """Nothing happens after the first part."""
    last = film.lengths[0] - 1
    frames, changed = film.frames.copy(), _changed(film).copy()
    frames[last:], changed[last:] = frames[last], changed[last]
    return replace(film, frames=frames, changed=changed)


def _change_subject(film: FilmedStory, rng: np.random.Generator) -> FilmedStory:
    """Another subject on the same way, from the second part on."""
    other = replace(film.story, subject=pick_word(rng, SUBJECTS, but=film.story.subject))
    true = true_film(other, len(film.lengths) - 1, film.lengths[1])
    start = film.lengths[0]
    return replace(
        film,
        frames=np.concatenate([film.frames[:start], true.frames[start:]]),
        changed=np.concatenate([_changed(film)[:start], _changed(true)[start:]]),
    )


def _turn_round(film: FilmedStory, rng: np.random.Generator) -> FilmedStory:
    """Every second part backwards, from where the one before it stopped."""
    turned = [film.frames[film.parts[0]]]
    for number, part in enumerate(film.parts[1:], start=1):
        back = part.start - 2 - np.arange(part.stop - part.start)
        turned.append(film.frames[back.clip(0)] if number % 2 else film.frames[part])
    return replace(film, frames=np.concatenate(turned))


def _ignore_line(film: FilmedStory, rng: np.random.Generator) -> FilmedStory:
    """The second line changes nothing."""
    return replace(film, changed=film.frames[: len(_changed(film))])


def _darken(film: FilmedStory, rng: np.random.Generator) -> FilmedStory:
    return _part_by_part(
        film, lambda frame, number: np.maximum(frame, _DARKER * number) - _DARKER * number
    )


def _blur(film: FilmedStory, rng: np.random.Generator) -> FilmedStory:
    def blur(frame: np.ndarray, number: int) -> np.ndarray:
        smooth = ImageFilter.GaussianBlur(_BLUR * number)
        return np.asarray(Image.fromarray(frame).filter(smooth))

    return _part_by_part(film, blur)


SPOILINGS: dict[str, Callable[[FilmedStory, np.random.Generator], FilmedStory]] = {
    "unrelated": _paste_unrelated,
    "frozen": _freeze,
    "other subject": _change_subject,
    "turned round": _turn_round,
    "line ignored": _ignore_line,
    "darker": _darken,
    "blurred": _blur,
}
"""What can be wrong with a film; each takes a true one and gives a spoiled one."""


def measure_known_films(
    judge: Judge,
    num_stories: int,
    num_recursions: int,
    seed: int = 0,
    kinds: Sequence[str] = ("true", *SPOILINGS),
    on_event: OnEvent | None = None,
) -> dict[str, list[MeasuredStory]]:
    """Measure films of which it is known what is wrong with them.

    Args:
        judge: In eval mode.
        num_stories: Films of each kind.
        num_recursions: Parts after the first, at least 1.
        seed: Of stories and spoilings.
        kinds: ``true`` or keys of `SPOILINGS`.
        on_event: Told after every film.
    """

    def measure_all(kind: str) -> list[MeasuredStory]:
        def measure(index: int, story: FilmStory) -> MeasuredStory:
            film = true_film(story, num_recursions)
            if kind != "true":
                film = SPOILINGS[kind](film, np.random.default_rng([seed, index]))
            return measure_film(judge, film)

        return for_each(make_stories(num_stories, seed), measure, kind, on_event)

    return {kind: measure_all(kind) for kind in kinds}


def instrument_table(
    films: Mapping[str, Sequence[MeasuredStory]],
) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    """What the targets say of films that are known.

    Args:
        films: Of `measure_known_films`.

    Returns:
        All rows by kind of film, for a file; and lines of text with the measures that have a
        target, a column for each kind: an exclamation mark stands behind what is not reached.
    """
    rows = {
        kind: [row for part in rows_of(MeasuredFilms(films=measured)).values() for row in part]
        for kind, measured in films.items()
    }
    by_name = {kind: {row.measure: row for row in rows[kind]} for kind in rows}
    named = [row.measure for row in next(iter(rows.values())) if row.is_reached is not None]
    lines = [f"{'':54}" + "".join(f"{kind:>14}" for kind in rows)]
    for measure in named:
        cells = [by_name[kind].get(measure) for kind in rows]
        shown = [
            "-" if row is None else f"{row.value:.3f}{' ' if row.is_reached else '!'}"
            for row in cells
        ]
        lines.append(f"{measure:54}" + "".join(f"{text:>14}" for text in shown))
    return {kind: [row.as_json() for row in rows[kind]] for kind in rows}, lines


def _changed(film: FilmedStory) -> Frames:
    """The film of both lines; one that was left out shows nothing of the second."""
    return film.frames if film.changed is None else film.changed


def _part_by_part(film: FilmedStory, spoil: Callable[[np.ndarray, int], np.ndarray]) -> FilmedStory:
    """Spoil every frame, by the number of its part."""
    frames = film.frames.copy()
    for number, part in enumerate(film.parts):
        frames[part] = [spoil(frame, number) for frame in frames[part]]
    return replace(film, frames=frames)
