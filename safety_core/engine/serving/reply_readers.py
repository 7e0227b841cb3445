"""The event loop's side of replies: requests them, and passes their updates to the coroutines that wait for them.

Use from one event loop only, except for :meth:`ReplyReaders.deliver`, which the worker's thread calls.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from safety_core.engine.protocols import GenerationRequestLike
from safety_core.engine.serving.replies import ReplyHandle, ReplyUpdate
from safety_core.engine.serving.scheduler import Scheduler
from safety_core.engine.serving.shared_verdicts import TIMEOUT_MESSAGE
from safety_core.errors import DeadlineError


@dataclass(frozen=True, slots=True, eq=False)
class ReplyReader:
    """A requested reply, for the coroutine that reads it."""

    handle: ReplyHandle
    """The reply."""

    updates: asyncio.Queue[ReplyUpdate] = field(default_factory=asyncio.Queue)
    """Updates that were not read yet."""

    @property
    def queue_ms(self) -> float:
        """Milliseconds that the reply waited to be started."""
        return 1000 * self.handle.queue_s

    @property
    def generate_ms(self) -> float:
        """Milliseconds since the reply was started."""
        return 1000 * (time.monotonic() - self.handle.requested_at) - self.queue_ms

    async def read(self) -> ReplyUpdate:
        """Await the next update; raises the reply's failure."""
        update = await self.updates.get()
        if update.failure is not None:
            raise update.failure
        return update


class ReplyReaders:
    """The readers of all requested replies.

    Args:
        timeout_s: maximum duration of a reply in seconds, from its request.
    """

    def __init__(self, *, timeout_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self._readers: dict[ReplyHandle, ReplyReader] = {}

    @contextmanager
    def request(self, scheduler: Scheduler, request: GenerationRequestLike, client: str) -> Iterator[ReplyReader]:
        """Request a reply, which is cancelled when the context ends; yields its reader.

        Raises:
            StoppedError: the worker is dead or stopping.
        """
        deadline = time.monotonic() + self._timeout_s
        handle = scheduler.request_reply(request, deadline=deadline, client=client)
        reader = self._readers[handle] = ReplyReader(handle)
        # One timer for the whole reply; the worker also enforces the deadline, unless it is stuck.
        late = ReplyUpdate(handle, failure=DeadlineError(TIMEOUT_MESSAGE))
        timer = self._loop.call_later(self._timeout_s, reader.updates.put_nowait, late)
        try:
            yield reader
        finally:
            timer.cancel()
            del self._readers[handle]
            scheduler.cancel(handle)

    def deliver(self, updates: Sequence[ReplyUpdate]) -> None:
        """Wake the event loop once for all updates of a turn; called in the worker's thread."""
        with suppress(RuntimeError):  # the loop is closed, so no reader is left
            self._loop.call_soon_threadsafe(self._dispatch, updates)

    def _dispatch(self, updates: Sequence[ReplyUpdate]) -> None:
        for update in updates:
            reader = self._readers.get(update.handle)
            if reader is not None:
                reader.updates.put_nowait(update)
