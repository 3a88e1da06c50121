"""Enlarged videos that keep the colours of the small ones."""

from einops import rearrange
from torch import Tensor
from torch.nn import functional


def keep_colours_of(small: Tensor, large: Tensor) -> Tensor:
    """Put right, smoothly, what the cells of an enlarged video differ from the small one's pixels.

    A latent model may drift in colour; what is finer than a pixel of the small video stays.

    Args:
        small: Pixels ``(B, 3, F, H, W)``.
        large: Pixels ``(B, 3, F, k * H, k * W)``.

    Returns:
        Pixels of the shape of ``large``. One that shrinks to ``small`` comes back unchanged.

    Source: iterative back-projection (Irani and Peleg, 1991), one step of it.
    """
    frames = rearrange(large, "B C F H W -> (B F) C H W")
    factor = large.shape[-1] // small.shape[-1]
    difference = rearrange(small, "B C F h w -> (B F) C h w") - functional.avg_pool2d(
        frames, factor
    )
    correction = functional.interpolate(difference, frames.shape[-2:], mode="bicubic")
    return rearrange(frames + correction, "(B F) C H W -> B C F H W", B=len(large))
