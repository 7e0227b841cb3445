"""Counts the cores of the machine that are free for the model. Knows no torch.

The threads of an operation of the model wait for each other. If another thread computes on the same cores, one of them
is suspended for milliseconds again and again while the others wait: judging takes longer than with one thread. With
no more threads than free cores, they never wait for a core.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class CoreShare:
    """The cores of this process, and how many of them other long work occupies.

    Args:
        cores: cores that the process may use; those of its affinity mask if None.
    """

    def __init__(self, cores: int | None = None) -> None:
        self.total = _available() if cores is None else cores
        self._occupied = 0
        self._lock = threading.Lock()

    @property
    def free(self) -> int:
        """Cores that are left for the model; at least one."""
        return max(1, self.total - self._occupied)

    @contextmanager
    def occupied(self) -> Iterator[None]:
        """Context manager for a long computation in one thread; one core is not free meanwhile."""
        with self._lock:
            self._occupied += 1
        try:
            yield
        finally:
            with self._lock:
                self._occupied -= 1


def _available() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # only some platforms have it
        return os.cpu_count() or 1
