"""What a finished stage leaves behind: its files, and what it took to make them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lavie.types import StageName


@dataclass(frozen=True)
class Effort:
    """What a stage is asked to do; the time it takes grows with each number.

    Args:
        stage: Which one.
        num_steps: Denoising steps.
        num_frames: Frames of the video it makes.
        height: Pixels of the video it makes.
        width: As ``height``.
    """

    stage: StageName
    num_steps: int
    num_frames: int
    height: int
    width: int

    @property
    def size(self) -> int:
        """All of it in one number."""
        return self.num_steps * self.num_frames * self.height * self.width


@dataclass(frozen=True)
class Result:
    """The files of one finished stage.

    Args:
        stage: The last of the stages that made the video.
        video: The MP4 in the size the model made; its metadata is the recipe.
        view: The same, enlarged to be looked at; ``video`` itself where that is large enough.
        gif: The same as an animated GIF.
        recipe: Everything needed to make it again, as JSON.
        comparison: What the stage was given beside what it made of it; None for the first stage.
        metadata: What ``recipe`` holds.
        seed: The seed that was used.
        effort: What was asked of the stage.
        seconds: How long the stage took.
    """

    stage: StageName
    video: Path
    view: Path
    gif: Path
    recipe: Path
    comparison: Path | None
    metadata: Mapping[str, Any]
    seed: int
    effort: Effort
    seconds: float
