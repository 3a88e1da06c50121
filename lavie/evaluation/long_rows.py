"""What long films are worth, as rows of numbers beside targets."""

from collections.abc import Mapping, Sequence

from lavie.evaluation.drift import Drift
from lavie.evaluation.long_films import Border, MeasuredStory
from lavie.evaluation.rates import Rate, difference, ratio_of_sums
from lavie.evaluation.rows import Row, mean_rows, rate_rows, with_target
from lavie.evaluation.still_films import CUT, MeasuredStill
from lavie.evaluation.stories import CHANGES

ATTRIBUTES = ("subject", "place", "motion")
LEAST_PSNR = 25.0


def film_rows(
    films: Sequence[MeasuredStory],
    checked: int,
    has_targets: bool = True,
    unit: str = "recursions",
) -> list[Row]:
    """What becomes of films from part to part.

    Args:
        films: At least one, all of as many parts.
        checked: The part, from 0, that the targets are about.
        has_targets: Whether there are any.
        unit: What lies between two parts, in the plural.
    """
    last = len(films[0].parts) - 1
    names = {part: f"after {part} {unit}" for part in dict.fromkeys((checked, last))}
    borders = [border for film in films for border in film.borders]
    goes_on = rate_rows("borders that the subject goes on over", _going_on(borders, is_shown=True))
    comes_in = rate_rows(
        "  where what is given does not show it", _going_on(borders, is_shown=False)
    )
    hidden = [border.goes_on is None for border in borders]
    rows = [
        with_target(_seam_row(films), most=1.2),
        *(with_target(row, least=0.95) for row in goes_on),
        *comes_in,
        *rate_rows("borders left out, the subject being out of view", hidden),
    ]
    for attribute in ATTRIBUTES:
        rows += _attribute_rows(films, attribute, names, checked)
    for part, name in names.items():
        limits = {"least": 0.9, "most": 1.1} if part == checked else {}
        rows += _drift_rows([film.drifts[part - 1] for film in films], name, limits)
    return rows if has_targets else [with_target(row) for row in rows]


def story_rows(films: Sequence[MeasuredStory]) -> list[Row]:
    """Whether what the second line says comes, and the subject stays."""
    told = [(film, film.changed) for film in films if film.changed is not None]
    rows = []
    for kind in (None, *CHANGES):
        outcomes = [
            all(changed.says(name) == word for name, word in film.film.story.new_words.items())
            for film, changed in told
            if kind in (None, film.film.story.change)
            and all(changed.can_say(name) for name in film.film.story.new_words)
        ]
        title = "the new line comes true" if kind is None else f"  where it changes {kind}"
        found = rate_rows(title, outcomes)
        rows += [with_target(row, least=0.85) for row in found] if kind is None else found
    stays = [
        changed.subject is not None and changed.subject == film.parts[0].subject
        for film, changed in told
        if changed.is_subject_in_view
    ]
    return rows + [with_target(row, least=0.90) for row in rate_rows("the subject stays", stays)]


def picture_rows(measured: Sequence[MeasuredStill]) -> list[Row]:
    """What becomes of pictures."""
    psnrs = [each.first_psnr for each in measured]
    readings = [(each.story, each.reading) for each in measured]
    rows = [with_target(row, least=LEAST_PSNR) for row in mean_rows("first frame, PSNR, dB", psnrs)]
    rows += rate_rows(f"  of {LEAST_PSNR:g} dB or more", [value >= LEAST_PSNR for value in psnrs])
    stays = [r.subject == s.subject for s, r in readings if r.is_subject_in_view]
    moves = [r.motion == s.motion for s, r in readings if r.is_motion_in_view]
    return rows + rate_rows("the subject stays", stays) + rate_rows("it moves as asked", moves)


def transition_rows(measured: Sequence[MeasuredStill]) -> list[Row]:
    """Whether transitions reach the second picture, without a cut."""
    rows = []
    for kind, title in (("same", "two pictures of a clip"), ("other", "unrelated pictures")):
        chosen = [each for each in measured if each.story.kind == kind]
        psnrs = [each.last_psnr for each in chosen if each.last_psnr is not None]
        changes = [each.largest_change for each in chosen if each.largest_change is not None]
        found = mean_rows(f"{title}: last frame, PSNR, dB", psnrs)
        rows += [with_target(row, least=LEAST_PSNR) for row in found]
        rows += mean_rows(f"{title}: largest change, of a cut's", changes)
        rows += rate_rows(f"{title}: without a cut", [value <= CUT for value in changes])
    return rows


def _seam_row(films: Sequence[MeasuredStory]) -> Row:
    value, low, high = ratio_of_sums([film.seam for film in films])
    num_borders = sum(len(film.borders) for film in films)
    return Row("change at borders, of that beside them", value, num_borders, low, high)


def _going_on(borders: Sequence[Border], is_shown: bool) -> list[bool]:
    """Of the borders where there is something to see, before them too or behind them alone."""
    return [
        border.goes_on
        for border in borders
        if border.goes_on is not None and border.is_shown == is_shown
    ]


def _right(films: Sequence[MeasuredStory], part: int, name: str) -> list[bool]:
    return [_is_right(film, part, name) for film in films if film.parts[part].can_say(name)]


def _is_right(film: MeasuredStory, part: int, name: str) -> bool:
    asked = {"subject": film.film.story.subject} | film.film.story.first._asdict()
    return film.parts[part].says(name) == asked[name]


def _attribute_rows(
    films: Sequence[MeasuredStory], attribute: str, names: Mapping[int, str], checked: int
) -> list[Row]:
    """How often it is right, and how much more often in the first part than later."""
    rows = rate_rows(f"{attribute}, first part", _right(films, 0, attribute))
    for part, name in names.items():
        rows += rate_rows(f"{attribute}, {name}", _right(films, part, attribute))
    for part, name in names.items():
        # Of films in which both parts can be seen
        both = [film for film in films if all(film.parts[i].can_say(attribute) for i in (0, part))]
        if not both:
            continue
        first, later = (Rate.of(_is_right(film, i, attribute) for film in both) for i in (0, part))
        loss, low, high = difference(first, later)
        row = Row(f"{attribute}, lost {name}", loss, len(both), low, high)
        rows.append(with_target(row, most=0.05) if part == checked else row)
    return rows


def _drift_rows(drifts: Sequence[Drift], name: str, limits: Mapping[str, float]) -> list[Row]:
    rows = []
    for what in ("background", "subject"):
        found = [getattr(drift, f"{what}_sharpness") for drift in drifts]
        found = [value for value in found if value is not None]
        sharp = mean_rows(f"sharpness of the {what}, {name}", found)
        rows += [with_target(row, **limits) for row in sharp]
    for what, values in (
        ("mean", [drift.colour for drift in drifts if drift.colour]),
        ("deviation", [drift.deviation for drift in drifts if drift.deviation]),
    ):
        for channel, colour in enumerate(("red", "green", "blue")):
            changes = [abs(value[channel]) for value in values]
            rows += mean_rows(f"drift of {what} of {colour}, levels, {name}", changes)
    return rows
