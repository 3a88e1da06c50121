"""Counts the bytes of all tensors that are alive, on any device: exact where the system is not."""

import weakref
from collections.abc import Iterable

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class PeakBytes(TorchDispatchMode):
    """While it is entered, ``peak`` is the most bytes that tensors made since then have held.

    Args:
        *old: Tensors that were there before, as weights: views of them are not counted.
    """

    def __init__(self, old: Iterable[torch.Tensor] = ()) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._alive = {_address(tensor): 0 for tensor in old}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(output):
            if isinstance(tensor, torch.Tensor) and _address(tensor) not in self._alive:
                self._count(tensor.untyped_storage())
        return output

    def _count(self, storage: torch.UntypedStorage) -> None:
        address = storage._cdata
        self._alive[address] = storage.nbytes()
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, address)

    def _forget(self, address: int) -> None:
        self.now -= self._alive.pop(address)


def _address(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata
