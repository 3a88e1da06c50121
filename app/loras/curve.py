"""The loss of a training as a curve: a small picture that the page draws by itself."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from app.texts import loras as texts

_WIDTH, _HEIGHT, _MARGIN = 600, 132, 8  # of the picture; what is drawn keeps off its edges
_SMOOTHING = 0.8

Points = Sequence[tuple[int, float]]


class _Scale(NamedTuple):
    """Where a point of a training lies in the picture."""

    num_steps: int
    low: float
    high: float

    def place(self, step: float, value: float) -> tuple[float, float]:
        across = _MARGIN + (_WIDTH - 2 * _MARGIN) * step / max(self.num_steps, 1)
        up = (value - self.low) / ((self.high - self.low) or 1.0)
        return across, _HEIGHT - _MARGIN - up * (_HEIGHT - 2 * _MARGIN)

    def path(self, points: Points) -> str:
        places = (self.place(*point) for point in points)
        return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in places)


def curve(points: Points, num_steps: int) -> str:
    """A loss curve, said in words to those who cannot see it.

    Args:
        points: Step and loss of each step that is drawn, in their order.
        num_steps: How far it goes.
    """
    if not points:
        return _figure("", escape(texts.CURVE_WAITS))
    smooth = smoothed(points)
    # A raw loss leaps: the scale is that of the curve, and what leaps out of it is cut off.
    values = [value for _, value in smooth]
    margin = 0.15 * (max(values) - min(values)) or 0.05
    scale = _Scale(num_steps, min(values) - margin, max(values) + margin)
    step, last = smooth[-1]
    words = texts.curve_in_words(smooth[0][1], last, step, num_steps)
    return _figure(_svg(scale, points, smooth, words), f"{last:.3g}")


def smoothed(points: Points) -> list[tuple[int, float]]:
    """A running mean, which at the beginning is that of the few points there are."""
    smooth, total, weight = [], 0.0, 0.0
    for step, value in points:
        total = _SMOOTHING * total + value
        weight = _SMOOTHING * weight + 1.0
        smooth.append((step, total / weight))
    return smooth


def _svg(scale: _Scale, points: Points, smooth: Points, words: str) -> str:
    x, y = scale.place(*smooth[-1])
    end, begin = f"{x:.1f},{_HEIGHT}", f"{scale.place(*smooth[0])[0]:.1f},{_HEIGHT}"
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(words)}">'
        f'<path class="curve-area" d="{scale.path(smooth)}L{end}L{begin}Z"/>'
        f'<path class="curve-raw" d="{scale.path(points)}"/>'
        f'<path class="curve-line" d="{scale.path(smooth)}"/>'
        f'<circle class="curve-end" cx="{x:.1f}" cy="{y:.1f}" r="5"/></svg>'
    )


def _figure(svg: str, value: str) -> str:
    return (
        f'<figure class="curve"><div class="curve-film">{svg}</div><figcaption>'
        f"<span>{escape(texts.CURVE_LABEL)}: <strong>{value}</strong></span>"
        f"<span>{escape(texts.CURVE_INFO)}</span></figcaption></figure>"
    )
