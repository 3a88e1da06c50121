"""Which of many known things a clip shows: the one whose own picture, pasted in, comes nearest.

Nothing here is trained, so it can judge what no network has ever seen: a thing is known by one
drawing of it. A place of the world is known too, so the clip can be painted again with any thing
at any place and of any size, and compared with what is there.
"""

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from itertools import product
from typing import NamedTuple

import numpy as np

from lavie.data.world import HEIGHT, NEWCOMERS, PLACES, STRANGERS, SUBJECTS, WIDTH
from lavie.data.world.clips import Draw, Pose, paste_thing
from lavie.data.world.drawing import draw_emoji, place_background, sprite
from lavie.errors import InputError
from lavie.evaluation.ways import steady_way
from lavie.types import Frames

CLEAR_FROM = 0.45
"""Share of what stands before the place that a thing has to explain, or the answer is "unclear"."""
STRAY_UNTIL = 0.2
"""Share of what stands before the place that may be elsewhere than the thing, such as a second."""

_EVERY = 2  # every second frame is looked at
_HEIGHTS = range(8, 33)
_COARSE = 2  # every second height and place is enough to tell which things are worth a closer look
_PATCH = 40  # pixels; no sprite of these heights is larger
_SHIFTS = tuple(product(range(-6, 7), repeat=2))
_REACH = 10  # pixels around the densest place that a subject's middle is sought in
_BRIGHTER = 12.0  # levels, at most, that a place may be brighter or darker than it is drawn
_SUBJECT = 60.0  # levels; a larger difference from the place counts no more: a subject stands there
_FLOOR = 18.0  # levels; a weaker difference from the place is none
_SHORTLIST = 8  # things that are compared finely
_ASIDE = 0.25  # pixels off a whole one: without them half of all places are rounded away
_TRIED = 6  # poses of a thing, the best by its colours, that are compared by their edges too
_TRIED_ON_ITS_WAY = 40  # the same where the frames before and after have a say
_BESIDE = 3  # pixels around a thing that still belong to it
_EDGES = 1.0  # weight of gradients beside colours


@dataclass(frozen=True)
class Likeness:
    """What a clip looks like.

    Args:
        name: The nearest known thing, None if even that one is not near enough.
        nearest: The nearest one in any case.
        explained: Share of what stands before the place that it explains, at most 1.
        margin: How much more that is than what the second nearest explains.
        stray: Share of what stands before the place that is beside the thing, in [0, 1].
        place: A key of ``PLACES``.
    """

    name: str | None
    nearest: str
    explained: float
    margin: float
    stray: float
    place: str

    @property
    def is_clear(self) -> bool:
        """Whether the nearest thing is near enough, and alone."""
        return self.explained >= CLEAR_FROM and self.stray <= STRAY_UNTIL


@dataclass(frozen=True)
class _View:
    """A frame before its place: what has to be explained."""

    place: np.ndarray  # (H, W, 3), as bright as in the frame
    difference: np.ndarray  # (H, W, 3), 0 where there is the place alone
    center: tuple[int, int]  # row and column

    @cached_property
    def energy(self) -> float:
        return _energy(self.difference)

    @cached_property
    def corners(self) -> list[tuple[int, int]]:
        """Where the middle of a thing is sought: rows and columns."""
        return [(self.center[0] + dy, self.center[1] + dx) for dy, dx in _SHIFTS]

    @cached_property
    def windows(self) -> np.ndarray:
        """The surroundings of each corner, ``(N, D)``, see `_template`."""
        return _windows(self)


class _Fit(NamedTuple):
    """Where a thing explains most of a view, and which share of it."""

    pose: Pose
    explained: float


Look = Callable[[np.ndarray], np.ndarray]
"""Recolours float pictures ``(..., 3)`` with values in [0, 255]."""


class Gallery:
    """Known things, ready to be compared with clips.

    Args:
        things: At least two, each with how it is drawn.
        look: How the clips are coloured; None: as the world is.
    """

    def __init__(self, things: Mapping[str, Draw], look: Look | None = None) -> None:
        self.look = look
        if look is not None:
            things = {name: partial(_recoloured, draw, look) for name, draw in things.items()}
        self.things = dict(things)
        coarse = product(self.things.values(), _HEIGHTS[::_COARSE])
        self._coarse = np.stack([_template(draw, height) for draw, height in coarse])
        self._fine: dict[str, np.ndarray] = {}

    def recognise(self, frames: Frames) -> Likeness:
        """Name the nearest thing.

        Args:
            frames: uint8 ``(F, H, W, 3)`` of the world's size, in colour; F may be 1.

        Raises:
            InputError: They are of another size.
        """
        if frames.ndim != 4 or frames.shape[1:] != (HEIGHT, WIDTH, 3) or not len(frames):
            raise InputError(
                f"Things are recognised in {WIDTH}x{HEIGHT} pixels, but got an array "
                f"{frames.shape}.",
                "model",
            )
        looked_at = frames[min(len(frames) - 1, 1) :: _EVERY].astype(np.float32)
        word, place, _ = find_place(frames, self.look)
        views = [_view(frame, place) for frame in looked_at]
        names = list(self.things)
        shares = np.sum([self._gains(view) / max(view.energy, 1) for view in views], axis=0)
        shortlist = [names[i] for i in np.argsort(shares)[: -_SHORTLIST - 1 : -1]]
        fits = {name: [self._fit(view, name) for view in views] for name in shortlist}
        scores = {name: float(np.mean([fit.explained for fit in fits[name]])) for name in fits}
        best, second = sorted(scores, key=scores.__getitem__, reverse=True)[:2]
        stray = [_stray(view, fit.pose) for view, fit in zip(views, fits[best], strict=True)]
        likeness = Likeness(
            None, best, scores[best], scores[best] - scores[second], float(np.mean(stray)), word
        )
        return replace(likeness, name=best) if likeness.is_clear else likeness

    def follow(self, frames: Frames, name: str) -> np.ndarray:
        """Where a thing is in every frame, supposing that it is there and does not leap.

        Args:
            frames: uint8 ``(F, H, W, 3)`` of the world's size.
            name: Of one of the things.

        Returns:
            ``(F, 3)``: centre x, centre y and height in pixels.
        """
        _, place, _ = find_place(frames, self.look)
        views = [_view(frame, place) for frame in frames.astype(np.float32)]
        fits = [self._fits(view, name, _TRIED_ON_ITS_WAY) for view in views]
        poses = [np.array([(p.x, p.y, p.height) for p, _ in of_frame]) for of_frame in fits]
        return steady_way(poses, [np.array([fit.explained for fit in f]) for f in fits])

    def _gains(self, view: _View) -> np.ndarray:
        """About how much of a view's energy each thing takes away at most, ``(things,)``."""
        is_coarse = [dy % _COARSE == 0 and dx % _COARSE == 0 for dy, dx in _SHIFTS]
        gains = self._coarse @ view.windows[is_coarse].T
        return gains.reshape(len(self.things), -1).max(1)

    def _fit(self, view: _View, name: str) -> _Fit:
        """Put a thing where it explains most of a view."""
        return max(self._fits(view, name, _TRIED), key=lambda fit: fit.explained)

    def _fits(self, view: _View, name: str, tried: int) -> list[_Fit]:
        """Put a thing where it explains much of a view, by its colours."""
        draw = self.things[name]
        if name not in self._fine:
            self._fine[name] = np.stack([_template(draw, height) for height in _HEIGHTS])
        gains = self._fine[name] @ view.windows.T  # (heights, places)
        best = np.argsort(gains, axis=None)[: -tried - 1 : -1]
        fits = []
        for height, corner in zip(*np.unravel_index(best, gains.shape), strict=True):
            row, column = view.corners[corner]
            pose = Pose(column + _ASIDE, row + _ASIDE, _HEIGHTS[height])
            fits.append(_Fit(pose, _explained(view, draw, pose)))
        return fits


@cache
def known_things(num_strangers: int = 80, look: Look | None = None) -> Gallery:
    """Everything a clip of the world may show, newcomers, and strangers that it may not.

    Args:
        num_strangers: How many of these, spread evenly over all of them.
        look: How the clips are coloured; None: as the world is.
    """
    things: dict[str, Draw] = {name: partial(sprite, name) for name in (*SUBJECTS, *NEWCOMERS)}
    picks = np.linspace(0, len(STRANGERS) - 1, num_strangers).round().astype(int)
    for emoji in (STRANGERS[i] for i in picks):
        things[f"stranger: {unicodedata.name(emoji).lower()}"] = partial(draw_emoji, emoji)
    return Gallery(things, look)


class Place(NamedTuple):
    """The place of a clip.

    Args:
        word: A key of ``PLACES``.
        picture: float32 ``(H, W, 3)``: how it looks there without a subject.
        distance: Levels between that and the clip.
    """

    word: str
    picture: np.ndarray
    distance: float


def find_place(frames: Frames, look: Look | None = None) -> Place:
    """The place of a clip.

    Args:
        frames: uint8 ``(F, H, W, 3)`` of the world's size.
        look: How the clip is coloured; None: as the world is.
    """
    # Where a subject passes by, the median over time still shows the place
    seen = np.median(frames, axis=0).astype(np.float32)
    found = []
    for word, shift in product(PLACES, (-1, 0, 1)):
        picture = place_background(word, 1, shift)
        if look is not None:
            picture = look(picture)
        brightness = np.median(seen - picture, axis=(0, 1)).clip(-_BRIGHTER, _BRIGHTER)
        picture = picture + brightness
        distance = np.abs(seen - picture).clip(0, _SUBJECT).mean()
        found.append(Place(word, picture, float(distance)))
    return min(found, key=lambda place: place.distance)


def _recoloured(draw: Draw, look: Look, height: int) -> np.ndarray:
    image = draw(height)
    return np.concatenate([look(image[..., :3]), image[..., 3:]], axis=-1)


def _view(frame: np.ndarray, place: np.ndarray) -> _View:
    difference = frame - place
    strength = np.abs(difference).max(-1)
    is_there = _box_sum(strength, 1) / 9 > _FLOOR
    difference = difference * is_there[..., None]
    weight = np.square(difference).sum(-1)
    dense = _box_sum(weight, 8)
    row, column = np.unravel_index(dense.argmax(), dense.shape)
    rows, columns = np.indices(weight.shape)
    near = weight * ((abs(rows - row) <= _REACH) & (abs(columns - column) <= _REACH))
    total = max(float(near.sum()), 1e-6)
    middle = (float((near * rows).sum()) / total, float((near * columns).sum()) / total)
    center = (round(middle[0]), round(middle[1])) if near.any() else (HEIGHT // 2, WIDTH // 2)
    return _View(place, difference, center)


def _template(draw: Draw, height: int) -> np.ndarray:
    """A thing, such that its product with a `_window` says how much of it the thing takes away.

    With D what has to be explained, B the place, T and a the thing's colours and opacity, that is
    ``|D|^2 - |D - a (T - B)|^2``, written as a sum of products.
    """
    image = draw(height)
    patch = np.zeros((_PATCH, _PATCH, 4), np.float32)
    top, left = (round(_PATCH / 2 + _ASIDE - size / 2) for size in image.shape[:2])
    patch[top : top + image.shape[0], left : left + image.shape[1]] = image
    opacity = patch[..., 3:]
    painted = opacity * patch[..., :3]
    parts = (
        2 * painted,
        -2 * opacity,
        2 * opacity * painted,
        -np.square(opacity),
        -np.square(painted).sum(-1, keepdims=True),
    )
    return np.concatenate(parts, axis=-1).ravel()


def _windows(view: _View) -> np.ndarray:
    """The parts of a view around its corners, in the terms of `_template`; 0 outside of it."""
    difference, place = view.difference, view.place
    parts = (
        difference,
        (difference * place).sum(-1, keepdims=True),
        place,
        np.square(place).sum(-1, keepdims=True),
        np.ones((*place.shape[:2], 1), np.float32),
    )
    layers = np.pad(np.concatenate(parts, axis=-1), ((_PATCH,) * 2, (_PATCH,) * 2, (0, 0)))
    half = _PATCH // 2
    cut = [
        layers[row + half : row + half + _PATCH, column + half : column + half + _PATCH]
        for row, column in view.corners
    ]
    return np.stack(cut).reshape(len(cut), -1)


def _explained(view: _View, draw: Draw, pose: Pose) -> float:
    """The share of a view that a thing explains from a pose, below 0 if it makes it worse."""
    if view.energy == 0:
        return 0.0
    painted = view.place.copy()
    paste_thing(painted, np.zeros(painted.shape[:2], np.float32), draw, pose, 1)
    return 1 - _energy(view.difference - (painted - view.place)) / view.energy


def _stray(view: _View, pose: Pose) -> float:
    """The share of a view that is not where a thing is, with a margin around it."""
    reach = pose.height / 2 + _BESIDE
    rows, columns = np.indices(view.place.shape[:2])
    is_near = (abs(rows + 0.5 - pose.y) <= reach) & (abs(columns + 0.5 - pose.x) <= reach)
    weight = np.square(view.difference).sum(-1)
    return float((weight * ~is_near).sum() / max(weight.sum(), 1e-6))


def _energy(picture: np.ndarray) -> float:
    """Of colours and of edges: smudges have the one, but not the other."""
    edges = sum(float(np.square(np.diff(picture, axis=axis)).sum()) for axis in (0, 1))
    return float(np.square(picture).sum()) + _EDGES * edges


def _box_sum(values: np.ndarray, reach: int) -> np.ndarray:
    """Sum of all values at most ``reach`` rows and columns away."""
    padded = np.pad(values, ((reach + 1, reach),) * 2)
    sums = padded.cumsum(0).cumsum(1)
    size = 2 * reach + 1
    return sums[size:, size:] - sums[:-size, size:] - sums[size:, :-size] + sums[:-size, :-size]
