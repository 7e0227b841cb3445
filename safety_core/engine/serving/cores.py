"""Counts the cores that are free for the model. Knows no torch.

The threads of one model operation wait for each other. If another thread computes on the same cores, one of them is
repeatedly suspended for milliseconds while the others wait, and judging takes longer than with one thread. With no more
threads than free cores, no thread waits for a core.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class CoreShare:
    """The cores of this process, and the number of them that are occupied by other long computations.

    Args:
        cores: number of cores that the process may use; the size of its affinity mask if None.
    """

    def __init__(self, cores: int | None = None) -> None:
        self.total = _count_available() if cores is None else cores
        self._occupied = 0
        self._lock = threading.Lock()

    @property
    def free(self) -> int:
        """Number of cores left for the model; at least one."""
        return max(1, self.total - self._occupied)

    @contextmanager
    def occupy(self) -> Iterator[None]:
        """Mark one core as occupied while the context lasts, for a long computation in one thread."""
        with self._lock:
            self._occupied += 1
        try:
            yield
        finally:
            with self._lock:
                self._occupied -= 1


def _count_available() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not available on all platforms
        return os.cpu_count() or 1
