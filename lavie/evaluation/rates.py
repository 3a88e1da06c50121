"""Shares of successes, with how sure one can be of them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

_Z = 1.959964  # of a two-sided 95 % interval


@dataclass(frozen=True)
class Rate:
    """So many of so many.

    Args:
        hits: Successes, in ``[0, total]``.
        total: Trials, at least 1.
    """

    hits: int
    total: int

    @classmethod
    def of(cls, outcomes: Iterable[bool]) -> Self:
        """Count outcomes; there must be one."""
        outcomes = list(outcomes)
        return cls(sum(outcomes), len(outcomes))

    @property
    def share(self) -> float:
        """Successes of one trial, in [0, 1]."""
        return self.hits / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true share lies, 95 % sure.

        Source: Wilson (1927), the score interval; sensible near 0 and 1 too.
        """
        n, share = self.total, self.share
        center = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        half = _Z / (1 + _Z**2 / n) * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
        return max(0.0, center - half), min(1.0, center + half)

    def as_json(self) -> dict[str, float]:
        """Numbers for a report."""
        low, high = self.interval
        return {
            "hits": self.hits,
            "n": self.total,
            "share": round(self.share, 4),
            "low": round(low, 4),
            "high": round(high, 4),
        }

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.share:.3f} [{low:.2f}, {high:.2f}]"


def difference(first: Rate, second: Rate) -> tuple[float, float, float]:
    """How much larger one share is than another, and the 95 % interval of that.

    Source: Newcombe (1998), method 10, from two Wilson intervals.
    """
    gap = first.share - second.share
    (low_1, high_1), (low_2, high_2) = first.interval, second.interval
    below = math.hypot(first.share - low_1, high_2 - second.share)
    above = math.hypot(high_1 - first.share, second.share - low_2)
    return gap, gap - below, gap + above


@dataclass(frozen=True)
class Average:
    """The mean of numbers, with how sure one can be of it.

    Args:
        values: At least one.
    """

    values: Sequence[float]

    @property
    def mean(self) -> float:
        """Of the values."""
        return sum(self.values) / len(self.values)

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true mean lies, 95 % sure, as of a normal one; of one value, itself."""
        n = len(self.values)
        squares = sum((value - self.mean) ** 2 for value in self.values)
        half = _Z * math.sqrt(squares / max(n - 1, 1) / n)
        return self.mean - half, self.mean + half

    def as_json(self) -> dict[str, float]:
        """Numbers for a report."""
        low, high = self.interval
        return {
            "mean": round(self.mean, 4),
            "n": len(self.values),
            "low": round(low, 4),
            "high": round(high, 4),
        }

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.mean:.3f} [{low:.2f}, {high:.2f}]"


def ratio_of_sums(pairs: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Sum of first numbers over sum of second ones, and the 95 % interval of that; 1 for no sums.

    Args:
        pairs: At least one.

    Source: the usual linearised standard error of a ratio estimate, Cochran (1977), chapter 6.
    """
    n, first, second = len(pairs), sum(a for a, _ in pairs), sum(b for _, b in pairs)
    if not second:
        return 1.0, 1.0, 1.0
    ratio = first / second
    squares = sum((a - ratio * b) ** 2 for a, b in pairs)
    half = _Z * math.sqrt(squares / max(n - 1, 1) / n) / (second / n)
    return ratio, ratio - half, ratio + half
