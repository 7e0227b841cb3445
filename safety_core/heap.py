"""Heap memory of this process: returns freed memory to the system. Knows no torch and no server.

glibc keeps freed blocks between blocks in use, and nearly all memory of per-thread arenas, so a process stays at its
peak memory after a burst. Without glibc, nothing is returned.
"""

import ctypes
import os
from collections.abc import Callable
from functools import cache


def trim_heap() -> bool:
    """Return free pages of the C allocator to the system; takes milliseconds, without the interpreter lock.

    Returns:
        Whether memory was returned; also False if the C library has no such function.
    """
    trim = _find_malloc_trim()
    return trim is not None and bool(trim(0))


def read_resident_bytes() -> int | None:
    """Bytes of physical memory that this process uses; None without ``/proc``."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


@cache
def _find_malloc_trim() -> Callable[[int], int] | None:
    """Find glibc's ``malloc_trim``; None if it does not exist."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return None
    trim.argtypes, trim.restype = (ctypes.c_size_t,), ctypes.c_int
    found: Callable[[int], int] = trim
    return found
