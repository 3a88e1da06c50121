"""Which frames of a window are given, and their latents."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lavie.errors import InputError


class GivenLatents:
    """The frames of a window that are given.

    Args:
        shape: Of the window, ``(B, C, F, h, w)``.
        first: Latents of the first frames, if any.
        last: Latents of the last frames, if any.

    Attributes:
        batch_size: B.
        is_given: Boolean ``(1, F)``.

    Raises:
        InputError: They do not fit the window, or leave nothing of it to make.
    """

    def __init__(self, shape: tuple[int, ...], first: Tensor | None, last: Tensor | None) -> None:
        self._first, self._last = first, last
        for name, latents in (("first_latents", first), ("last_latents", last)):
            if latents is None or _fits(latents.shape, shape):
                continue
            batch_size, channels, _, height, width = shape
            copies = "1" if batch_size == 1 else f"1 or {batch_size}"
            expected = f"({copies}, {channels}, K, {height}, {width})"
            raise InputError(f"{name} {tuple(latents.shape)} should be {expected}.", name)
        self.batch_size, num_frames = shape[0], shape[2]
        self._num_first = 0 if first is None else first.shape[2]
        self._num_last = 0 if last is None else last.shape[2]
        if self._num_first + self._num_last >= num_frames:
            raise InputError(
                f"{self._num_first + self._num_last} given frames leave nothing to make of a window"
                f" of {num_frames}. Give fewer.",
                "first_latents",
            )
        self.is_given = torch.zeros(1, num_frames, dtype=torch.bool)
        self.is_given[:, : self._num_first] = True
        self.is_given[:, num_frames - self._num_last :] = True

    def put_into(self, latents: Tensor) -> Tensor:
        """Latents ``(B, C, F, h, w)``, or twice as many under guidance, with the given ones in."""
        latents = latents.clone()
        for part, frames in (
            (self._first, slice(0, self._num_first)),
            (self._last, slice(latents.shape[2] - self._num_last, None)),
        ):
            if part is not None:
                copies = len(latents) // len(part)
                latents[:, :, frames] = part.to(latents).repeat(copies, 1, 1, 1, 1)
        return latents


def _fits(shape: Sequence[int], window: Sequence[int]) -> bool:
    """Whether ``(B or 1, C, K, h, w)`` may lie in a window ``(B, C, F, h, w)``, for any K."""
    if len(shape) != len(window) or shape[0] not in (1, window[0]):
        return False
    return (shape[1], *shape[3:]) == (window[1], *window[3:])
