"""How much memory the work has taken, and how much there is for it."""

import sys
from pathlib import Path

import torch


def peak_memory() -> int | None:
    """Bytes: the most this process has held, on the GPU if it used one, else in memory.

    None where the system does not count it, as Windows.
    """
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated()
    own = _read_proc("self/status", "VmHWM")  # getrusage would count the parent's before exec
    if own is not None:
        return own
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def free_memory(device: torch.device) -> int | None:
    """Bytes that more work on ``device`` could take now; None where the system does not say."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return _read_proc("meminfo", "MemAvailable")  # what could be had without swapping


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice; PyTorch has no class for the CPU's."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


def _read_proc(file: str, name: str) -> int | None:
    """Bytes that a line of Linux's ``/proc`` tells; None elsewhere."""
    try:
        lines = Path("/proc", file).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    kilobytes = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return int(kilobytes[0]) * 1024 if kilobytes else None
