"""What the C library does with memory that was freed; glibc can be told, others not."""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4  # of glibc's malloc.h
_MOST_BYTES = 2**31 - 1
_LARGE_BYTES = 128 * 1024  # as glibc begins


def keep_freed_memory() -> bool:
    """Have it kept for later, for a process that works on the CPU.

    Large blocks go back to the system otherwise, which has to clear every page of them again for
    the next layer.

    Returns:
        Whether this can be done here.
    """
    mallopt = _function("mallopt")
    return bool(mallopt and mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, _MOST_BYTES))


def keep_large_blocks_apart() -> bool:
    """Have every large block go back to the system as soon as it is freed, for a server.

    So glibc begins, but once a block was freed it takes all up to that size for small. These then
    lie between others that are still needed, in the heaps of many threads, and stay when freed.

    Returns:
        Whether this can be done here.
    """
    mallopt = _function("mallopt")
    return bool(mallopt and mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES))


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
