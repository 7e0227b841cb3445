"""The resources of one request: the share of its client, its memory, and the time until its deadline."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from safety_core.errors import DeadlineError
from service.ingress.memory_budget import MemoryReservation


@dataclass(slots=True, kw_only=True)
class RequestResources:
    """Resources of one request."""

    client: str = ""
    """Key of the client for fair queueing: its API key, or else its address; empty if neither is known."""

    deadline: float | None = None
    """Deadline of the verdict, by ``time.monotonic``; None until the body has been read."""

    memory: MemoryReservation | None = None
    """Memory of the request; None if it is not counted."""

    image_count: int = 0
    """Images that were received, valid or not."""

    def grow_memory(self, size: int) -> None:
        """Count more bytes; raises OverloadedError if the memory budget is used up."""
        if self.memory is not None:
            self.memory.grow(size)

    def shrink_memory(self, size: int) -> None:
        """Count fewer bytes."""
        if self.memory is not None:
            self.memory.shrink(size)

    def release_memory(self) -> None:
        """Release all memory, because the request holds nothing any more."""
        if self.memory is not None:
            self.memory.close()


def require_time(deadline: float | None) -> None:
    """Raise DeadlineError if a deadline has passed."""
    if deadline is not None and time.monotonic() > deadline:
        raise DeadlineError("the request was not served in time")


@asynccontextmanager
async def enforce_deadline(deadline: float | None) -> AsyncIterator[None]:
    """Cancel the body of the context at a deadline; never if it is None.

    Raises:
        DeadlineError: the deadline has passed.
    """
    try:
        async with asyncio.timeout(None if deadline is None else deadline - time.monotonic()):
            yield
    except TimeoutError as exc:
        raise DeadlineError("the request was not served in time") from exc
