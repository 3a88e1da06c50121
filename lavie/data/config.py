"""Settings of a data source: one entry of a run's list of training data."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from lavie.config import Config
from lavie.data.world.vocabulary import MOTIONS, SUBJECTS


class SourceConfig(Config):
    """Where captioned clips or stills come from, and when in a run they are used.

    What each ``kind`` reads:

    * ``world``: the procedural world, drawn on demand;
    * ``folder``: clips and pictures anywhere below ``path``, each with a ``.txt`` beside it;
    * ``metadata``: the files that ``metadata.jsonl`` or ``metadata.csv`` in ``path`` names;
    * ``webdataset``: tar shards at ``urls``, local paths or http(s), each record a clip or
      picture with a ``.txt`` (or ``.json``) of the same name.
    """

    kind: Literal["world", "folder", "metadata", "webdataset"]

    path: Path | None = None
    """The folder of a ``folder``; the folder or the metadata file of a ``metadata`` source."""

    urls: tuple[str, ...] = ()
    """Shards of a ``webdataset``; ``{00..99}`` counts, so one entry can name many."""

    split: Literal["train", "validation", "test"] = "train"
    """Which part of the ``world``; real data is split by giving another path or other urls."""

    subjects: tuple[str, ...] = tuple(SUBJECTS)
    """Which subjects the stills of the ``world`` show; its clips show all that may move."""

    motions: tuple[str, ...] = tuple(MOTIONS)
    """Which motions the clips of the ``world`` show."""

    any_size: bool = False
    """Stills of the ``world`` whose subjects are of all sizes as often, small and large."""

    continuations: bool = False
    """Clips of the ``world`` that begin in the middle: the first frames show what came before."""

    strangers: bool = False
    """Stills of the ``world`` of what it has no word for, for auto-encoders."""

    stills: bool = False
    """False: clips only. True: one-frame samples, from every picture and one frame of a clip."""

    handheld: bool = False
    """Stills as clips: each is moved about, as a hand that holds a camera moves over it."""

    weight: float = Field(default=1.0, gt=0, le=1e6, allow_inf_nan=False)
    """Share of the samples, relative to the other sources of the same step."""

    from_step: int = Field(default=0, ge=0)
    """First training step that uses this source."""

    to_step: int | None = Field(default=None, ge=1)
    """First training step that no longer uses it. Null: until the end."""

    moment: Literal["random", "centre"] = "random"
    """Which part of a clip that is longer than a sample."""

    crop: Literal["random", "centre"] = "centre"
    """Which part of a picture whose shape is not the training shape."""

    shuffle: bool = True
    """False: in the order of the file names, for validation."""

    shuffle_buffer: int = Field(default=64, ge=1, le=100_000)
    """Records of a ``webdataset`` held in memory to draw the next one from."""

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if (self.path is None) == (self.kind in ("folder", "metadata")):
            rule = "needs a path" if self.path is None else "takes no path"
            raise ValueError(f"A source of kind '{self.kind}' {rule}.")
        if bool(self.urls) != (self.kind == "webdataset"):
            rule = "takes no urls" if self.urls else "needs urls: tar files or http addresses"
            raise ValueError(f"A source of kind '{self.kind}' {rule}.")
        if self.kind != "world" and self.split != "train":
            raise ValueError(
                f"A source of kind '{self.kind}' has no split '{self.split}'; "
                "give the files of that split as path or urls."
            )
        unknown = [subject for subject in self.subjects if subject not in SUBJECTS]
        if unknown or not self.subjects:
            raise ValueError(f"The subjects of the world are {', '.join(SUBJECTS)}; name some.")
        if self.subjects != tuple(SUBJECTS) and not (self.kind == "world" and self.stills):
            raise ValueError("Only stills of the world can be of some subjects; leave it out.")
        if not self.motions or not set(self.motions) <= set(MOTIONS):
            raise ValueError(f"The motions of the world are {', '.join(MOTIONS)}; name some.")
        if self.motions != tuple(MOTIONS) and (self.kind != "world" or self.stills):
            raise ValueError("Only clips of the world can be of some motions; leave it out.")
        if self.any_size and not (self.kind == "world" and self.stills):
            raise ValueError("Only stills of the world can be of any size; leave it out.")
        if self.continuations and (self.kind != "world" or self.stills):
            raise ValueError("Only clips of the world can be continuations; leave it out.")
        if self.strangers and not (self.kind == "world" and self.stills):
            raise ValueError("Only stills of the world can be of strangers; leave it out.")
        if self.handheld and not self.stills:
            raise ValueError("Only stills can be moved about; set stills to true as well.")
        if self.to_step is not None and self.to_step <= self.from_step:
            raise ValueError(
                f"A source is used from step {self.from_step} to step {self.to_step}, "
                "which is never; make to_step larger than from_step."
            )
        return self

    def is_active(self, step: int) -> bool:
        """Whether the source is used in this training step."""
        return self.from_step <= step and (self.to_step is None or step < self.to_step)

    def __str__(self) -> str:
        """A short name for messages."""
        if self.kind == "world":
            return f"world ({self.split})"
        return str(self.path) if self.path else ", ".join(self.urls[:2])
