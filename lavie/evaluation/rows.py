"""Rows of a report: numbers with how sure one can be of them, beside targets."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from lavie.evaluation.rates import Average, Rate


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


def rate_rows(measure: str, outcomes: Sequence[bool]) -> list[Row]:
    """One row, or none where there was nothing to see."""
    if not outcomes:
        return []
    rate = Rate.of(outcomes)
    return [Row(measure, rate.share, rate.total, *rate.interval)]


def mean_rows(measure: str, values: Sequence[float]) -> list[Row]:
    """One row, or none where there is nothing."""
    if not values:
        return []
    average = Average(values)
    return [Row(measure, average.mean, len(values), *average.interval)]


def with_target(row: Row, least: float | None = None, most: float | None = None) -> Row:
    """The same row, with what it has to reach."""
    return replace(row, least=least, most=most)


def rows_table(
    rows: Mapping[str, Sequence[Mapping[str, Any]]], titles: Mapping[str, str]
) -> list[str]:
    """Lines of text.

    Args:
        rows: By part, each as `Row.as_json` gives it.
        titles: Of the parts.
    """
    lines = [f"{'':56}{'value':>9}  {'95 % interval':18}{'n':>5}  target"]
    for part, of_one in rows.items():
        lines += [titles[part], *map(_line, of_one)]
    return lines


def _line(row: Mapping[str, Any]) -> str:
    limits = [
        f"{sign} {row[name]:g}"
        for name, sign in (("least", ">="), ("most", "<="))
        if row[name] is not None
    ]
    verdict = {None: "", True: "reached", False: "NOT REACHED"}[row["is_reached"]]
    interval = f"[{row['low']:.3f}, {row['high']:.3f}]"
    return (
        f"  {row['measure']:54}{row['value']:>9.3f}  {interval:18}{row['n']:>5}  "
        f"{' and '.join(limits)} {verdict}"
    ).rstrip()
