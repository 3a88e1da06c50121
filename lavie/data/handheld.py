"""Stills turned into clips, as a hand that holds a camera moves over a picture."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from lavie.data.sources import Draw, Sample, VideoSource, derive_generator

_MAX_DRIFT = 0.02
"""Shares of the picture's height per frame that the camera may travel."""
_TREMOR = 0.004


class HandheldSource(VideoSource):
    """Clips made of another source's stills by moving them about; they keep their captions.

    Args:
        stills: Where the pictures come from.
        num_frames: Frames of a clip.

    Source: LaVie (arXiv:2309.15103), section 3.3: random translations of images simulate handheld
    cameras. How far they go is ours.
    """

    def __init__(self, stills: VideoSource, num_frames: int) -> None:
        self.stills = stills
        self.num_frames = num_frames
        self.num_clips = stills.num_clips
        self.reports = stills.reports

    def draws(
        self, seed: int, start: int = 0, rank: int = 0, world_size: int = 1
    ) -> Iterator[Draw]:
        """The order of the samples; ``start`` costs what it costs the stills."""
        for index, draw in enumerate(self.stills.draws(seed, start, rank, world_size), start):
            yield lambda draw=draw, key=(seed, "camera", rank, index): self._move(draw(), *key)

    def _move(self, still: Sample | None, *key: int | str) -> Sample | None:
        if still is None:
            return None
        height = still.pixels.shape[-2]
        path = camera_path(self.num_frames, height, derive_generator(*key))
        focus = None if still.focus is None else translate(still.focus, path)
        return replace(still, pixels=translate(still.pixels, path), focus=focus)


def camera_path(num_frames: int, height: int, generator: torch.Generator) -> Tensor:
    """Where an unsteady camera looks: a steady drift and a tremor.

    Args:
        num_frames: F.
        height: Of the picture, which the way is measured by.
        generator: Source of the path.

    Returns:
        Whole pixels ``(F, 2)``, rows and columns, 0 in the first frame.
    """
    drift = (2 * torch.rand(2, generator=generator) - 1) * _MAX_DRIFT * height
    tremor = torch.randn(num_frames, 2, generator=generator) * _TREMOR * height
    path = torch.arange(num_frames)[:, None] * drift + tremor.cumsum(0)
    return (path - path[:1]).round().long()


def translate(picture: Tensor, path: Tensor) -> Tensor:
    """A picture seen from each place of a path; its mirror image lies beyond its borders.

    Args:
        picture: ``(..., 1, H, W)``.
        path: Whole pixels ``(F, 2)``.

    Returns:
        ``(..., F, H, W)``.
    """
    height, width = picture.shape[-2:]
    most = [
        min(int(path[:, axis].abs().max()), side - 1) for axis, side in ((0, height), (1, width))
    ]
    flat = picture.flatten(0, -3)[None]  # (1, N, H, W)
    padded = functional.pad(flat, (most[1], most[1], most[0], most[0]), mode="reflect")[0]
    frames = [
        padded[:, most[0] + y : most[0] + y + height, most[1] + x : most[1] + x + width]
        for y, x in (
            (max(-most[0], min(most[0], y)), max(-most[1], min(most[1], x)))
            for y, x in path.tolist()
        )
    ]
    return torch.stack(frames, dim=1).unflatten(0, (*picture.shape[:-3], 1)).squeeze(-4)
