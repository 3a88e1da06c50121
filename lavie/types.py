"""Requests, events and the cancel token: the few shapes that all of LaVie shares.

Representations, named once for the whole code base:

* *frames*: uint8 ``(F, H, W, 3)`` in [0, 255];
* *pixels*: float ``(B, 3, F, H, W)`` in [-1, 1];
* *latents*: float ``(B, C, F, h, w)``, scaled by the VAE's factor to about unit variance.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from lavie.errors import Cancelled

Frames = np.ndarray
"""uint8 ``(F, H, W, 3)`` in [0, 255]."""


class FrameSequence(Protocol):
    """Frames that need not all be in memory: an array, or a file that is read as it goes."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(F, H, W, 3)``."""
        ...

    @property
    def dtype(self) -> np.dtype:
        """uint8."""
        ...

    def __len__(self) -> int:
        """F."""
        ...

    def __getitem__(self, part: slice, /) -> Frames:
        """Some frames in a row, uint8 ``(f, H, W, 3)``."""
        ...


StageName = Literal["base", "long_video", "interpolation", "super_resolution"]
CASCADE_STAGES: tuple[StageName, ...] = ("base", "interpolation", "super_resolution")
"""Those that a sentence goes through, in their order; with ``long_video`` a film goes on."""
SchedulerName = Literal["dpm++", "ddim", "ddpm", "euler"]


@dataclass(frozen=True)
class Progress:
    """A part of a stage's work is done: a step, or less where steps take long."""

    stage: str
    step: int
    total: int
    seconds_left: float | None = None


@dataclass(frozen=True)
class Preview:
    """What the video looks like so far: small frames from the predicted clean latents."""

    stage: str
    step: int
    frames: Frames


@dataclass(frozen=True)
class StageFinished:
    """A stage is done: what the video is now, before the stages that are still to come."""

    stage: str
    frames: Frames
    fps: float


@dataclass(frozen=True)
class Measured:
    """Numbers of a training step by name, such as its ``loss``, for a curve that grows."""

    stage: str
    step: int
    values: Mapping[str, float]


Event = Progress | Preview | StageFinished | Measured
OnEvent = Callable[[Event], None]


class CancelToken:
    """A flag that one thread sets and a long function looks at often."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the work to stop soon."""
        self._event.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        """Stop here if asked to.

        Raises:
            Cancelled: `cancel` was called.
        """
        if self.is_cancelled:
            raise Cancelled("The work was cancelled.")
