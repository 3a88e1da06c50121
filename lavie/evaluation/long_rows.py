"""What long films are worth, as rows of numbers beside targets."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from lavie.evaluation.drift import Drift
from lavie.evaluation.long_films import MeasuredStory
from lavie.evaluation.rates import Average, Rate, difference, ratio_of_sums
from lavie.evaluation.still_films import CUT, MeasuredStill
from lavie.evaluation.stories import CHANGES

ATTRIBUTES = ("subject", "place", "motion")
LEAST_PSNR = 25.0


@dataclass(frozen=True)
class Row:
    """A number with all that belongs to it.

    Args:
        measure: What it is, in words.
        value: What came out.
        n: Of how many.
        low: Where it lies at least, 95 % sure.
        high: Where it lies at most.
        least: What it has to be at least; None: there is no such target.
        most: What it may be at most; None: there is no such target.
    """

    measure: str
    value: float
    n: int
    low: float
    high: float
    least: float | None = None
    most: float | None = None

    @property
    def is_reached(self) -> bool | None:
        """Whether the value is where it has to be; None without a target."""
        if self.least is None and self.most is None:
            return None
        least, most = self.least, self.most
        return (least is None or self.value >= least) and (most is None or self.value <= most)

    def as_json(self) -> dict[str, Any]:
        """For a report."""
        numbers = {name: round(getattr(self, name), 4) for name in ("value", "low", "high")}
        return asdict(self) | numbers | {"is_reached": self.is_reached}


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
    goes_on = _rate_rows("borders that the subject goes on over", _borders(films))
    hidden = [border is None for film in films for border in film.continues]
    rows = [
        _with_target(_seam_row(films), most=1.2),
        *(_with_target(row, least=0.95) for row in goes_on),
        *_rate_rows("borders left out, the subject being out of view", hidden),
    ]
    for attribute in ATTRIBUTES:
        rows += _attribute_rows(films, attribute, names, checked)
    for part, name in names.items():
        limits = {"least": 0.9, "most": 1.1} if part == checked else {}
        rows += _drift_rows([film.drifts[part - 1] for film in films], name, limits)
    return rows if has_targets else [_with_target(row) for row in rows]


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
        found = _rate_rows(title, outcomes)
        rows += [_with_target(row, least=0.85) for row in found] if kind is None else found
    stays = [
        changed.subject is not None and changed.subject == film.parts[0].subject
        for film, changed in told
        if changed.is_subject_in_view
    ]
    return rows + [_with_target(row, least=0.90) for row in _rate_rows("the subject stays", stays)]


def picture_rows(measured: Sequence[MeasuredStill]) -> list[Row]:
    """What becomes of pictures."""
    psnrs = [each.first_psnr for each in measured]
    readings = [(each.story, each.reading) for each in measured]
    rows = [
        _with_target(row, least=LEAST_PSNR) for row in _mean_rows("first frame, PSNR, dB", psnrs)
    ]
    rows += _rate_rows(f"  of {LEAST_PSNR:g} dB or more", [value >= LEAST_PSNR for value in psnrs])
    stays = [r.subject == s.subject for s, r in readings if r.is_subject_in_view]
    moves = [r.motion == s.motion for s, r in readings if r.is_motion_in_view]
    return rows + _rate_rows("the subject stays", stays) + _rate_rows("it moves as asked", moves)


def transition_rows(measured: Sequence[MeasuredStill]) -> list[Row]:
    """Whether transitions reach the second picture, without a cut."""
    rows = []
    for kind, title in (("same", "two pictures of a clip"), ("other", "unrelated pictures")):
        chosen = [each for each in measured if each.story.kind == kind]
        psnrs = [each.last_psnr for each in chosen if each.last_psnr is not None]
        changes = [each.largest_change for each in chosen if each.largest_change is not None]
        found = _mean_rows(f"{title}: last frame, PSNR, dB", psnrs)
        rows += [_with_target(row, least=LEAST_PSNR) for row in found]
        rows += _mean_rows(f"{title}: largest change, of a cut's", changes)
        rows += _rate_rows(f"{title}: without a cut", [value <= CUT for value in changes])
    return rows


def _seam_row(films: Sequence[MeasuredStory]) -> Row:
    value, low, high = ratio_of_sums([film.seam for film in films])
    num_borders = sum(len(film.continues) for film in films)
    return Row("change at borders, of that beside them", value, num_borders, low, high)


def _borders(films: Sequence[MeasuredStory]) -> list[bool]:
    return [goes_on for film in films for goes_on in film.continues if goes_on is not None]


def _right(films: Sequence[MeasuredStory], part: int, name: str) -> list[bool]:
    return [_is_right(film, part, name) for film in films if film.parts[part].can_say(name)]


def _is_right(film: MeasuredStory, part: int, name: str) -> bool:
    asked = {"subject": film.film.story.subject} | film.film.story.first._asdict()
    return film.parts[part].says(name) == asked[name]


def _attribute_rows(
    films: Sequence[MeasuredStory], attribute: str, names: Mapping[int, str], checked: int
) -> list[Row]:
    """How often it is right, and how much more often in the first part than later."""
    rows = _rate_rows(f"{attribute}, first part", _right(films, 0, attribute))
    for part, name in names.items():
        rows += _rate_rows(f"{attribute}, {name}", _right(films, part, attribute))
    for part, name in names.items():
        # Of films in which both parts can be seen
        both = [film for film in films if all(film.parts[i].can_say(attribute) for i in (0, part))]
        if not both:
            continue
        first, later = (Rate.of(_is_right(film, i, attribute) for film in both) for i in (0, part))
        loss, low, high = difference(first, later)
        row = Row(f"{attribute}, lost {name}", loss, len(both), low, high)
        rows.append(_with_target(row, most=0.05) if part == checked else row)
    return rows


def _drift_rows(drifts: Sequence[Drift], name: str, limits: Mapping[str, float]) -> list[Row]:
    rows = []
    for what in ("background", "subject"):
        found = [getattr(drift, f"{what}_sharpness") for drift in drifts]
        found = [value for value in found if value is not None]
        sharp = _mean_rows(f"sharpness of the {what}, {name}", found)
        rows += [_with_target(row, **limits) for row in sharp]
    for what, values in (
        ("mean", [drift.colour for drift in drifts if drift.colour]),
        ("deviation", [drift.deviation for drift in drifts if drift.deviation]),
    ):
        for channel, colour in enumerate(("red", "green", "blue")):
            changes = [abs(value[channel]) for value in values]
            rows += _mean_rows(f"drift of {what} of {colour}, levels, {name}", changes)
    return rows


def _rate_rows(measure: str, outcomes: Sequence[bool]) -> list[Row]:
    """One row, or none where there was nothing to see."""
    if not outcomes:
        return []
    rate = Rate.of(outcomes)
    return [Row(measure, rate.share, rate.total, *rate.interval)]


def _mean_rows(measure: str, values: Sequence[float]) -> list[Row]:
    if not values:
        return []
    average = Average(values)
    return [Row(measure, average.mean, len(values), *average.interval)]


def _with_target(row: Row, least: float | None = None, most: float | None = None) -> Row:
    return replace(row, least=least, most=most)
