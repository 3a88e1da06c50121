"""Does a state dict fit a network? Every key and shape, said so that a person can act on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from torch import Tensor

Shape = tuple[int, ...]

_LISTED = 12
"""Lines shown per kind of difference; the rest is counted."""


@dataclass(frozen=True)
class KeyReport:
    """How the keys and shapes found in a file differ from those a network expects.

    Attributes:
        num_expected: Keys of the network.
        num_found: Keys of the file.
        missing: Keys of the network that the file lacks.
        unexpected: Keys of the file that the network lacks, each with the nearest missing key.
        wrong_shape: Keys of both whose shapes differ: ``(name, expected, found)``.
    """

    num_expected: int
    num_found: int
    missing: tuple[str, ...]
    unexpected: tuple[tuple[str, str | None], ...]
    wrong_shape: tuple[tuple[str, Shape, Shape], ...]

    @property
    def fits(self) -> bool:
        """Whether every key and every shape agrees."""
        return not (self.missing or self.unexpected or self.wrong_shape)

    def summary(self) -> str:
        """Say the whole report in one line, with the first of each kind as example."""
        if self.fits:
            return f"all {self.num_expected} keys and shapes agree"
        parts = []
        if self.missing:
            parts.append(f"{len(self.missing)} missing (as {self.missing[0]!r})")
        if self.unexpected:
            parts.append(f"{len(self.unexpected)} unexpected (as {self.unexpected[0][0]!r})")
        if self.wrong_shape:
            name, expected, found = self.wrong_shape[0]
            parts.append(
                f"{len(self.wrong_shape)} of another shape (as {name!r}: {found}, not {expected})"
            )
        return f"of {self.num_expected} keys " + ", ".join(parts)

    def lines(self) -> list[str]:
        """Lay the report out as lines: a heading per kind, then its keys."""
        lines = [f"expected {self.num_expected} keys, found {self.num_found}"]
        lines += _section("missing", list(self.missing))
        lines += _section(
            "unexpected",
            [f"{name}{f'   (nearest: {near})' if near else ''}" for name, near in self.unexpected],
        )
        lines += _section(
            "wrong shape",
            [f"{name}   expected {want}, found {got}" for name, want, got in self.wrong_shape],
        )
        return lines if not self.fits else [*lines, "all names and shapes agree"]


def compare_keys(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> KeyReport:
    """Compare names and shapes; values are never touched, so either side may be on "meta"."""
    missing = tuple(name for name in expected if name not in found)
    unexpected = tuple(name for name in found if name not in expected)
    wrong_shape = tuple(
        (name, tuple(tensor.shape), tuple(found[name].shape))
        for name, tensor in expected.items()
        if name in found and tensor.shape != found[name].shape
    )
    return KeyReport(
        num_expected=len(expected),
        num_found=len(found),
        missing=missing,
        unexpected=tuple(
            # Only the lines that are shown need a neighbour: the search is slow on 1000 keys.
            (name, _nearest(name, missing) if i < _LISTED else None)
            for i, name in enumerate(unexpected)
        ),
        wrong_shape=wrong_shape,
    )


def _nearest(name: str, candidates: tuple[str, ...]) -> str | None:
    return next(iter(get_close_matches(name, candidates, n=1, cutoff=0.8)), None)


def _section(title: str, entries: list[str]) -> list[str]:
    if not entries:
        return []
    shown = [f"  {entry}" for entry in entries[:_LISTED]]
    more = [f"  … and {len(entries) - _LISTED} more"] if len(entries) > _LISTED else []
    return [f"{title} ({len(entries)}):", *shown, *more]
