"""What the C library does with memory that was freed; glibc can be told, others not."""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of glibc's malloc.h
_MOST_BYTES = 2**31 - 1


def keep_freed_memory() -> bool:
    """Have it kept for later, for a process that works on the CPU.

    Large blocks go back to the system otherwise, which has to clear every page of them again for
    the next layer.

    Returns:
        Whether this can be done here.
    """
    mallopt = _function("mallopt")
    return bool(mallopt and mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, _MOST_BYTES))


def give_back_freed_memory() -> bool:
    """Give to the system what is kept now.

    Returns:
        Whether this can be done here.
    """
    trim = _function("malloc_trim")
    if trim is not None:
        trim(0)
    return trim is not None


def _function(name: str) -> "ctypes._FuncPointer | None":
    try:
        return getattr(ctypes.CDLL(None), name)
    except (AttributeError, TypeError):
        return None
