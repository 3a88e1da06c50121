"""What a finished stage leaves behind: its files, and what it took to make them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, PlainSerializer, SerializationInfo, ValidationInfo

from lavie.types import StageName


def _from_data(path: Path, info: ValidationInfo) -> Path:
    if path.is_absolute() or ".." in path.parts:
        raise ValueError("not inside the data folder")
    return info.context["data"] / path if info.context else path


def _to_data(path: Path | None, info: SerializationInfo) -> str | None:
    if path is None:
        return None
    return (path.relative_to(info.context["data"]) if info.context else path).as_posix()


WorkName = StageName | Literal["lora"]
"""What takes its time: a stage of a video, or the training of a LoRA."""

VIEW_HEIGHT = 320
"""Pixels: smaller videos are enlarged by a whole number, to about that, to be looked at."""

DataFile = Annotated[Path, AfterValidator(_from_data), PlainSerializer(_to_data)]
"""A file in the data folder, relative to it in JSON."""


@dataclass(frozen=True)
class Effort:
    """What a stage is asked to do; the time it takes grows with each number.

    Args:
        stage: Which one, or a training.
        num_steps: Denoising steps; of a training, its steps.
        num_frames: Frames of the video it makes; of a training, the pictures of a step.
        height: Pixels of the video it makes.
        width: As ``height``.
    """

    stage: WorkName
    num_steps: int
    num_frames: int
    height: int
    width: int

    @property
    def size(self) -> int:
        """All of it in one number."""
        return self.num_steps * self.num_pixels

    @property
    def num_pixels(self) -> int:
        """Of all frames of the video together."""
        return self.num_frames * self.height * self.width

    @property
    def num_pixels_shown(self) -> int:
        """As `num_pixels`, of the video as it is looked at: where it is small, it is enlarged."""
        return self.num_pixels * max(VIEW_HEIGHT // self.height, 1) ** 2


@dataclass(frozen=True)
class Result:
    """The files of one finished stage.

    Args:
        stage: The last of the stages that made the video.
        video: The MP4 in the size the model made; its metadata is the recipe.
        view: The same, enlarged to be looked at; ``video`` itself where that is large enough.
        poster: The first frame as a still WebP, small.
        thumbnail: The video as an animated WebP, small.
        recipe: Everything needed to make it again, as JSON.
        comparison: What the stage was given beside what it made of it; None for the first stage.
        frames: The exact frames, for later stages to go on from, as a lossless video; None after
            the last stage.
        metadata: What ``recipe`` holds.
        seed: The seed that was used.
        effort: What was asked of the stage.
        seconds: How long the stage took, until its files were there.
        seconds_after: How many of those were left after its last step.
        worked: What was done in the seconds, where that is not what the video shows of ``effort``.
        is_partial: Whether the stage was stopped, so that the video is only the beginning.
    """

    stage: StageName
    video: DataFile
    view: DataFile
    poster: DataFile
    thumbnail: DataFile
    recipe: DataFile
    comparison: DataFile | None
    frames: DataFile | None
    metadata: Mapping[str, Any]
    seed: int
    effort: Effort
    seconds: float
    seconds_after: float = 0.0
    worked: Effort | None = None
    is_partial: bool = False

    @property
    def stages(self) -> tuple[StageName, ...]:
        """All stages that made the video, in their order."""
        return tuple(self.metadata.get("stages") or (self.stage,))

    @property
    def version(self) -> str:
        """Tells the video apart from what else was made of the same first version."""
        return "+".join(self.stages)
