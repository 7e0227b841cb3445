"""Readiness: the worker is alive, and the last canary request got its known verdict.

The canary goes through the same queue and thread as every request, so it also shows that this thread still runs. It
waits for an idle moment: a busy worker counts as alive, unless one of its steps exceeds the verdict timeout. A
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
"""Interval in seconds between canary requests while the server is not ready."""


class Readiness:
    """Runs the canary at the start and every ``interval_s`` seconds.

    Args:
        guard: the engine to check.
        interval_s: interval in seconds between canary requests.
        worker_died: set when the worker died; the canary then runs as soon as the worker is restarted.
        require_others: raises if anything else prevents the server from answering.
    """

    def __init__(
        self,
        guard: AsyncGuard,
        *,
        interval_s: float,
        worker_died: asyncio.Event | None = None,
        require_others: Callable[[], None] = lambda: None,
    ) -> None:
        self._guard = guard
        self._interval_s = interval_s
        self._worker_died = asyncio.Event() if worker_died is None else worker_died
        self._require_others = require_others
        self._failure: str | None = "the canary has not run yet"
        self._deaths = 0

    @property
    def failure(self) -> str | None:
        """Why the server is not ready; None if it is."""
        if not self._guard.alive:
            return "the worker is dead or stuck"
        if self._guard.deaths != self._deaths:
            return "the worker was restarted, and the canary has not run since"
        return self._failure

    def require(self) -> None:
        """Raise unless the server is ready, because a guard that fails its own check must not judge requests.

        Raises:
            NotReadyError: the guard did not pass its last check.
            UnauditedError: the audit log cannot be written.
        """
        failure = self.failure
        if failure is not None:
            raise NotReadyError(failure)
        self._require_others()

    async def check(self) -> None:
        """Run the canary now if the worker is idle."""
        if not self._guard.idle:
            return
        deaths = self._guard.deaths
        try:
            failure = await self._guard.check_canary()
        except Exception as exc:  # an error must not leave the previous result in force
            failure = f"the canary could not run: {describe(exc)}"
        if failure != self._failure or deaths != self._deaths:
            _logger.log(logging.INFO if failure is None else logging.ERROR, "readiness: %s", failure or "ready")
        self._failure, self._deaths = failure, deaths

    @asynccontextmanager
    async def run_checks(self) -> AsyncIterator[None]:
        """Check once, then at intervals in the background until the context ends."""
        await self.check()
        async with run_in_background(self._check_periodically()):
            yield

    async def _check_periodically(self) -> None:
        while True:
            pause_s = self._interval_s if self.failure is None else min(RETRY_S, self._interval_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._worker_died.wait()
            self._worker_died.clear()
            await self.check()
