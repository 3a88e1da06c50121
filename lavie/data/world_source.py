"""The procedural world as a data source."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Literal

import torch

from lavie.data import world
from lavie.data.report import SkipReport
from lavie.data.sources import Draw, Sample, VideoSource, derive_seed
from lavie.errors import InputError
from lavie.media import frames_to_pixels

Kind = Literal["clips", "stills", "continuations", "strangers"]


class WorldSource(VideoSource):
    """Clips or stills of the world, drawn on demand and never twice the same.

    The motion of a clip always fills the whole sample, so frames per second don't matter here.

    Args:
        split: Part of the world.
        num_frames: Frames of a clip.
        height: A whole multiple of the world's height.
        width: The same multiple of the world's width.
        kind: Clips, stills, clips that begin in the middle, see `world.render_continuation`, or
            stills of what has no name, see `world.render_stranger`.
        subjects: Which subjects the stills show; clips show all that may move.
        any_size: Whether stills show all sizes as often, see `world.render_still`.
        motions: Which motions clips and continuations show.

    Raises:
        InputError: The size is no whole multiple of the world's.
    """

    def __init__(
        self,
        split: world.Split,
        num_frames: int,
        height: int = world.HEIGHT,
        width: int = world.WIDTH,
        kind: Kind = "clips",
        subjects: Sequence[str] = tuple(world.SUBJECTS),
        any_size: bool = False,
        motions: Sequence[str] = tuple(world.MOTIONS),
    ) -> None:
        self.scale = height // world.HEIGHT
        if (height, width) != (self.scale * world.HEIGHT, self.scale * world.WIDTH) or height == 0:
            raise InputError(
                f"The world can't be drawn at {width}x{height}; "
                f"use {world.WIDTH}x{world.HEIGHT} times a whole number."
            )
        self.split: world.Split = split
        self.num_frames = num_frames
        self.kind: Kind = kind
        self.subjects = subjects
        self.any_size = any_size
        self.motions = motions
        self.reports = (SkipReport(f"world ({split})"),)

    def draws(
        self, seed: int, start: int = 0, rank: int = 0, world_size: int = 1
    ) -> Iterator[Draw]:
        """The order of the samples; ``start`` costs nothing."""
        index = rank + start * world_size
        while True:
            yield partial(self._draw, derive_seed(seed, "world", index))
            index += world_size

    def _draw(self, seed: int) -> Sample:
        match self.kind:
            case "stills":
                clip = world.render_still(
                    seed, self.split, self.scale, self.subjects, self.any_size
                )
            case "clips":
                clip = world.render_clip(
                    seed, self.split, self.num_frames, self.scale, self.motions
                )
            case "continuations":
                clip = world.render_continuation(
                    seed, self.split, self.num_frames, self.scale, self.motions
                )
            case "strangers":
                clip = world.render_stranger(seed, self.split, self.scale)
        self.reports[0].add_sample()
        pixels = frames_to_pixels(clip.frames[None])[0]
        return Sample(pixels, clip.caption, torch.from_numpy(clip.focus), clip.begins_at)
