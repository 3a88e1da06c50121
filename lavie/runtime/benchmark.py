"""How fast work is on this machine, by the machine's own measure: its matrix products."""

import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

T = TypeVar("T")

_MATRIX_SIDE = {"cpu": 2048, "cuda": 8192, "mps": 4096}
_PEAK_REPEATS = 5


@dataclass(frozen=True)
class Speed:
    """What work took.

    Args:
        flops: Floating-point operations of its convolutions, products and attention.
        seconds: Median of the repeats.
        fastest: Least of the repeats; far from the median, the machine was busy with other things.
        peak_flops: Operations per second of a large matrix product, measured in the same run.
    """

    flops: int
    seconds: float
    fastest: float
    peak_flops: float

    @property
    def share_of_peak(self) -> float:
        """Achieved operations per second as a share of the peak, in [0, 1] or nearly so."""
        return self.flops / self.seconds / self.peak_flops


def measure_seconds(
    work: Callable[[], object], device: torch.device, num_repeats: int, num_warmup: int = 1
) -> list[float]:
    """Seconds of each repeat, after some that are not counted.

    Args:
        work: What to do.
        device: Where it is done; waited for before the clock is looked at.
        num_repeats: At least 1.
        num_warmup: Libraries choose their algorithms and get their memory here.
    """
    seconds = []
    for _ in range(num_warmup + num_repeats):
        _wait_for(device)
        started = time.perf_counter()
        work()
        _wait_for(device)
        seconds.append(time.perf_counter() - started)
    return seconds[num_warmup:]


def measure_peak(device: torch.device, dtype: torch.dtype, side: int | None = None) -> float:
    """Operations per second of the best of some large matrix products.

    Args:
        device: Where.
        dtype: Of the matrices.
        side: Of the square matrices; None: large enough for the device.
    """
    side = side or _MATRIX_SIDE.get(device.type, 2048)
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    seconds = measure_seconds(lambda: left @ right, device, _PEAK_REPEATS, num_warmup=2)
    return 2 * side**3 / min(seconds)


def measure_speed(
    work: Callable[[], object],
    flops: int,
    peak_flops: float,
    device: torch.device,
    num_repeats: int,
) -> Speed:
    """Time work whose operations were counted."""
    seconds = measure_seconds(work, device, num_repeats)
    return Speed(flops, statistics.median(seconds), min(seconds), peak_flops)


@torch.no_grad()
def count_flops(call: Callable[..., object], inputs: Mapping[str, Any]) -> int:
    """Count operations without doing them.

    Args:
        call: A network on the meta device, or a method of one.
        inputs: Its keyword arguments; of tensors only shape and type are used.
    """
    shapes = {
        name: value.to("meta") if isinstance(value, Tensor) else value
        for name, value in inputs.items()
    }
    with FlopCounterMode(display=False) as counter:
        call(**shapes)
    return counter.get_total_flops()


def without_weights(network: nn.Module) -> nn.Module:
    """The same network on the meta device, which takes no memory.

    Args:
        network: Of diffusers or ours: it knows its config.
    """
    kind: Any = type(network)
    with torch.device("meta"):
        twin = kind.from_config(network.config)
    return as_type(twin, next(network.parameters()).dtype).eval()


def as_type(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """The network in another type; diffusers' own ``to`` warns of what no network here has."""
    return nn.Module.to(network, dtype)


def with_random_weights(network: nn.Module, device: torch.device) -> nn.Module:
    """Give a network of the meta device memory, and values that are finite but mean nothing."""
    network = network.to_empty(device=device)
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.is_floating_point():
            nn.init.normal_(tensor, std=0.02)
        else:
            nn.init.zeros_(tensor)
    return network.eval()


def in_fresh_process(function: Callable[..., T], *arguments: object) -> T:
    """Call a function where nothing was done before, so that its memory is its own.

    Args:
        function: Of a module; it, its arguments and its result can be pickled.
        *arguments: Its arguments.

    Raises:
        BrokenProcessPool: The process was killed, as happens when memory runs out.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
