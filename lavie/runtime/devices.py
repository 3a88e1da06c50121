"""Where the networks work: which device, in which type, and who makes room for whom."""

import logging
from collections.abc import Callable, Iterable

import torch
from torch import nn

from lavie.errors import InputError
from lavie.runtime.memory import free_memory

logger = logging.getLogger(__name__)

_WORKING_SHARE = 4
"""A network at work is left at least a quarter of the device's free memory for what it computes."""


def choose_device(asked: torch.device | str | None = None) -> torch.device:
    """Give the device asked for, or the best one of this machine.

    Raises:
        InputError: The machine has no such device.
    """
    available = [
        name
        for name, exists in (
            ("cuda", torch.cuda.is_available()),
            ("mps", torch.backends.mps.is_available()),
            ("cpu", True),
        )
        if exists
    ]
    device = torch.device(asked or available[0])
    if device.type not in available:
        raise InputError(
            f"Device '{device}' is not on this machine. It has {', '.join(available)}.", "device"
        )
    return device


def choose_dtype(device: torch.device) -> torch.dtype:
    """float16 on a GPU, as the published code; float32 elsewhere."""
    return torch.float16 if device.type == "cuda" else torch.float32


class TakingTurns:
    """Brings networks to a device when they are to work, and others off it when memory is small.

    Args:
        device: Where they work.
        low_memory: Whether networks that do not work wait in the machine's own memory; None: only
            where those that do would not fit beside them.
        free: Gives the free bytes of a device, or None.
    """

    rest = torch.device("cpu")

    def __init__(
        self,
        device: torch.device,
        low_memory: bool | None = None,
        free: Callable[[torch.device], int | None] = free_memory,
    ) -> None:
        self.device = device
        self.low_memory = low_memory
        self._free = free

    @property
    def could_wait(self) -> bool:
        """Whether more networks might leave the device than do."""
        return self.device.type != self.rest.type and not self.low_memory

    def begin(self, networks: Iterable[nn.Module], others: Iterable[nn.Module]) -> None:
        """Bring ``networks`` to the device.

        Args:
            networks: Those that are to work now.
            others: All that are loaded; those among them that are to work stay.
        """
        if self.device.type == self.rest.type:
            return
        networks = list(networks)
        coming = sum(num_bytes(network) for network in networks if not self._is_here(network))
        waiting = [
            other
            for other in others
            if self._is_here(other) and not any(other is network for network in networks)
        ]
        if waiting and self._must_wait(coming):
            logger.info("%d networks make room on %s.", len(waiting), self.device.type)
            for other in waiting:
                other.to(self.rest)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
        for network in networks:
            network.to(self.device)

    def _must_wait(self, coming: int) -> bool:
        if self.low_memory is not None:
            return self.low_memory
        free = self._free(self.device)
        return free is not None and coming > free - free // _WORKING_SHARE

    def _is_here(self, network: nn.Module) -> bool:
        weight = next(network.parameters(), None)
        return weight is not None and weight.device.type == self.device.type


def num_bytes(network: nn.Module) -> int:
    """Bytes of a network's weights."""
    tensors = (*network.parameters(), *network.buffers())
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
