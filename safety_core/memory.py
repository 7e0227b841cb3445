"""Memory that was freed, given back to the system; knows no torch and no server."""

import ctypes
import sys
from collections.abc import Callable
from functools import cache


def release_free_memory() -> bool:
    """Give free pages of the C allocator back to the system; milliseconds, without the interpreter lock.

    glibc keeps what is freed between pieces that are still used, and of many threads' arenas nearly all: a burst would
    hold its memory for as long as the process lives.

    Returns:
        Whether there was something to give back; False also where the C library has no such function.
    """
    trim = _malloc_trim()
    return trim is not None and bool(trim(0))


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    """glibc's ``malloc_trim``; None elsewhere."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    trim.argtypes, trim.restype = (ctypes.c_size_t,), ctypes.c_int
    found: Callable[[int], int] = trim
    return found
