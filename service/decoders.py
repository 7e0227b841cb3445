"""The bounded pool of threads in which untrusted bytes are read, and how many wait for it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

_Result = TypeVar("_Result")


class Decoders:
    """Runs jobs in a pool; for one event loop.

    Args:
        pool: the threads.
    """

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._depth = 0

    @property
    def depth(self) -> int:
        """Jobs that run or wait for a thread."""
        return self._depth

    async def run(self, job: Callable[[], _Result]) -> _Result:
        """The job's result, or what it raises."""
        self._depth += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, job)
        finally:
            self._depth -= 1
