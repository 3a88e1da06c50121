"""A strip of film: one frame for each part of a work that is made in parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

FrameState = Literal["done", "now", "later"]


@dataclass(frozen=True)
class Frame:
    """One part of the work.

    Args:
        name: What its user calls it.
        state: Whether it is done, is being exposed now, or waits.
        picture: Address of a small picture of it, if there is one.
        fraction: How much of it is done, from 0 to 1.
    """

    name: str
    state: FrameState
    picture: str | None = None
    fraction: float = 0.0


def filmstrip(frames: Sequence[Frame]) -> str:
    """The frames beside each other, in their order."""
    return f'<ol class="stages">{"".join(_frame(frame) for frame in frames)}</ol>'


def _frame(frame: Frame) -> str:
    current = ' aria-current="step"' if frame.state == "now" else ""
    picture = f'<img src="{escape(frame.picture)}" alt="">' if frame.picture else ""
    return (
        f'<li class="{frame.state}"{current}><span class="frame" '
        f'style="--fraction:{frame.fraction:.2f}">{picture}</span>{escape(frame.name)}</li>'
    )
