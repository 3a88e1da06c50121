"""Where one window of a film ends and the next begins: how the new one's own look comes in."""

import torch
from torch import Tensor
from torch.nn import functional

STILL = 0.2
"""Change from frame to frame, in deviations of the latents, from which on a place moves."""
SHARE = 0.6
"""Of a jump at the border, so much comes in later, where nothing moves."""


def ease_in(window: Tensor, num_given: int, num_eased: int) -> Tensor:
    """Let what differs from the given frames come in over some frames instead of at once.

    A network puts right what it is given, and so what stands still jumps where its own frames
    begin. What moves is left alone: there the difference is the motion.

    Args:
        window: ``(B, C, F, h, w)``, of which the first frames are given.
        num_given: How many, at least 2; with fewer it is not known what moves.
        num_eased: Over how many of the others.

    Returns:
        A window of the same shape; the given frames are the same.
    """
    num_new = window.shape[2] - num_given
    num_eased = min(num_eased, num_new)
    if num_given < 2 or num_new < 2 or num_eased < 1:
        return window
    before, last, first, after = window[:, :, num_given - 2 : num_given + 2].unbind(dim=2)
    change = ((last - before).abs() + (after - first).abs()).mean(dim=1, keepdim=True) / 2
    change = functional.avg_pool2d(change, 3, stride=1, padding=1, count_include_pad=False)
    stands_still = torch.exp(-((change / STILL) ** 2))  # (B, 1, h, w)
    left = SHARE * (1 - torch.arange(num_eased, device=window.device) / num_eased)
    eased = window.clone()
    late = (stands_still * (first - last))[:, :, None] * left[:, None, None].to(window.dtype)
    eased[:, :, num_given : num_given + num_eased] -= late
    return eased
