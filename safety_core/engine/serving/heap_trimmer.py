"""Decides when to return freed heap memory to the system. Standard library only."""

from __future__ import annotations

import time
from collections.abc import Callable

from safety_core.heap import read_resident_bytes, trim_heap


class HeapTrimmer:
    """Trims the heap after large work: only if the process has grown since the last trim, and not too often.

    Args:
        least_growth: minimum growth of the process in bytes.
        least_pause_s: minimum seconds between two trims.
        trim: returns freed memory to the system.
        resident: returns the resident memory of the process in bytes; None if unknown.
        clock: returns monotonic time in seconds.
    """

    def __init__(
        self,
        *,
        least_growth: int = 32 << 20,
        least_pause_s: float = 10.0,
        trim: Callable[[], object] = trim_heap,
        resident: Callable[[], int | None] = read_resident_bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._least_growth = least_growth
        self._least_pause_s = least_pause_s
        self._trim = trim
        self._resident = resident
        self._clock = clock
        self._floor = resident()
        self._next = clock()

    def trim_if_due(self) -> bool:
        """Trim the heap if a trim is due; returns whether it was."""
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
