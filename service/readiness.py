"""Ready means: the worker is alive, and the last canary request got its known verdict.

The canary goes through the same queue and thread as every request, so it also shows that this thread still runs. It
waits for an idle moment: a busy worker counts as alive, unless one of its turns exceeds the verdict timeout. A
restarted worker must pass the canary first. A server that cannot write its audit log is not ready either.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from safety_core.engine.exceptions import describe
from safety_core.engine.serving.async_guard import AsyncGuard
from service.errors import NotReadyError
from service.hot_reload import run_in_background

_logger = logging.getLogger(__name__)

RETRY_S = 0.5
"""Seconds between two questions while the server is not ready."""


class Readiness:
    """Runs the canary at the start and every ``interval_s`` seconds.

    Args:
        guard: the engine to check.
        interval_s: seconds between two canary requests.
        worker_died: set when the worker died; the canary then runs as soon as the worker is restarted.
        also: raises if something else prevents the server from answering.
    """

    def __init__(
        self,
        guard: AsyncGuard,
        *,
        interval_s: float,
        worker_died: asyncio.Event | None = None,
        also: Callable[[], None] = lambda: None,
    ) -> None:
        self._guard = guard
        self._interval_s = interval_s
        self._worker_died = asyncio.Event() if worker_died is None else worker_died
        self._also = also
        self._complaint: str | None = "the canary has not been asked yet"
        self._deaths = 0

    @property
    def complaint(self) -> str | None:
        """Why the server is not ready; None if it is."""
        if not self._guard.alive:
            return "the worker is dead or stuck"
        return self._complaint if self._guard.deaths == self._deaths else "the worker began anew and was not asked yet"

    def require(self) -> None:
        """Raise unless the server is ready: a guard that fails its own check judges nobody.

        Raises:
            NotReadyError: the guard did not pass its last check.
            UnauditedError: the audit log cannot be written.
        """
        complaint = self.complaint
        if complaint is not None:
            raise NotReadyError(complaint)
        self._also()

    async def check(self) -> None:
        """Ask the canary now, if the worker has nothing else to do."""
        if not self._guard.idle:
            return
        deaths = self._guard.deaths
        try:
            complaint = await self._guard.check_canary()
        except Exception as exc:  # a check that dies must not leave the last good answer standing
            complaint = f"the canary could not be asked: {describe(exc)}"
        if complaint != self._complaint or deaths != self._deaths:
            _logger.log(logging.INFO if complaint is None else logging.ERROR, "readiness: %s", complaint or "ready")
        self._complaint, self._deaths = complaint, deaths

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Check once, then again and again in the background until the context ends."""
        await self.check()
        async with run_in_background(self._watch()):
            yield

    async def _watch(self) -> None:
        while True:
            pause_s = self._interval_s if self.complaint is None else min(RETRY_S, self._interval_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._worker_died.wait()
            self._worker_died.clear()
            await self.check()
