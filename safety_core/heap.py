"""Returns freed memory to the system. Knows no torch and no server."""

import ctypes
import sys
from collections.abc import Callable
from functools import cache


def release_free_memory() -> bool:
    """Return free pages of the C allocator to the system; takes milliseconds, without the interpreter lock.

    glibc keeps freed blocks between blocks in use, and nearly all memory of per-thread arenas: after a burst, the
    process would keep its memory for its whole lifetime.

    Returns:
        Whether memory was returned; also False if the C library has no such function.
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
