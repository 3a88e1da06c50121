"""Random patches of videos: a network that works everywhere alike can learn from parts."""

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

from lavie.data.joint import JointBatch
from lavie.errors import ConfigError


def check_patch(size: int | None, height: int, width: int, multiple: int) -> None:
    """Raise unless patches of this size can be cut.

    Args:
        size: Side of a patch in pixels; None: whole pictures.
        height: Of the pictures.
        width: Of the pictures.
        multiple: What the side must be a multiple of.

    Raises:
        ConfigError: They can't.
    """
    if size is None:
        return
    if size > min(height, width) or size % multiple:
        raise ConfigError(
            f"patch_size {size} must be a multiple of {multiple} and fit into {width}x{height}. "
            f"Use {min(height, width) // multiple * multiple} or less."
        )


def cut_patches(
    batch: JointBatch, size: int | None, multiple: int, generator: torch.Generator
) -> JointBatch:
    """Cut a square out of each row of a batch, at the same place in all its frames.

    Args:
        batch: Clips, or stills.
        size: Side in pixels; None gives the batch itself.
        multiple: Places are multiples of it, so that latents stay aligned.
        generator: Draws the places.
    """
    if size is None:
        return batch
    num_rows, _, _, height, width = batch.pixels.shape
    highest = torch.tensor([(height - size) // multiple + 1, (width - size) // multiple + 1])
    places = (torch.rand(num_rows, 2, generator=generator) * highest).long() * multiple

    def cut(rows: Tensor) -> Tensor:
        parts = [
            row[..., y : y + size, x : x + size]
            for row, (y, x) in zip(rows, places.tolist(), strict=True)
        ]
        return torch.stack(parts)

    focus = None if batch.focus is None else cut(batch.focus)
    return JointBatch(cut(batch.pixels), batch.captions, batch.num_images, focus)


def shrink(pixels: Tensor, factor: int) -> Tensor:
    """Pixels ``(B, C, F, H, W)`` at ``1 / factor`` of their height and width, each the mean."""
    frames = rearrange(pixels, "B C F H W -> (B F) C H W")
    small = functional.avg_pool2d(frames, factor)
    return rearrange(small, "(B F) C h w -> B C F h w", B=len(pixels))
