"""Returns freed heap memory to the operating system. Standard library only.

glibc keeps freed blocks for later allocations, so a process that once needed gigabytes appears to need them forever.
Without glibc, these functions do nothing.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from functools import cache


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    """glibc's ``malloc_trim``; None where it does not exist."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return None
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int
    found: Callable[[int], int] = trim
    return found


def trim_heap() -> None:
    """Return freed heap memory to the operating system."""
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


def resident_bytes() -> int | None:
    """Bytes of physical memory that this process uses; None without ``/proc``."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


class HeapTrimmer:
    """Trims the heap after large work: only if the process has grown since the last time, and not too often.

    Args:
        least_growth: bytes that the process must have grown by.
        least_pause_s: seconds between two trims.
        trim: what returns the memory.
        resident: bytes that the process holds, None where unknown.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        *,
        least_growth: int = 32 << 20,
        least_pause_s: float = 10.0,
        trim: Callable[[], None] = trim_heap,
        resident: Callable[[], int | None] = resident_bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._least_growth = least_growth
        self._least_pause_s = least_pause_s
        self._trim = trim
        self._resident = resident
        self._clock = clock
        self._floor = resident()
        self._next = clock()

    def after_work(self) -> bool:
        """Trim if it is due; returns whether it was."""
        now, held = self._clock(), self._resident()
        if held is None or now < self._next:
            return False
        if self._floor is not None and held < self._floor + self._least_growth:
            self._floor = min(self._floor, held)
            return False
        self._next = now + self._least_pause_s
        self._trim()
        self._floor = self._resident()
        return True
