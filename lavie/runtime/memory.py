"""How much memory the work has taken."""

import sys

import torch


def peak_memory() -> int | None:
    """Bytes: the most this process has held, on the GPU if it used one, else in memory.

    None where the system does not count it, as Windows.
    """
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated()
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
