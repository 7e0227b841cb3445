"""Runs work in a thread, and restarts the thread when it dies.

Does not know the kind of work.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from safety_core.engine.exceptions import describe

_logger = logging.getLogger(__name__)


class Supervisor:
    """Keeps one worker thread alive.

    Args:
        work: runs until it is requested to stop; any exception counts as a death. Called again after each death.
        on_death: called with the exception, in the dying thread, before the restart.
        first_pause_s: seconds before the restart; doubled for each further death in a row.
        longest_pause_s: maximum seconds before the restart.
        name: name of the worker's thread.
    """

    def __init__(
        self,
        work: Callable[[], None],
        on_death: Callable[[BaseException], None],
        *,
        first_pause_s: float = 0.1,
        longest_pause_s: float = 10.0,
        name: str = "model",
    ) -> None:
        self._work = work
        self._on_death = on_death
        self._first_pause_s = first_pause_s
        self._longest_pause_s = longest_pause_s
        self._name = name
        self._stopping = threading.Event()
        self._working = threading.Event()
        self._deaths = 0
        self._thread = threading.Thread(target=self._supervise, name=f"{name}-supervisor", daemon=True)
        self._working.set()
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the worker runs and was not stopped."""
        return self._working.is_set() and not self._stopping.is_set()

    @property
    def deaths(self) -> int:
        """Number of times that the worker died."""
        return self._deaths

    def stop(self) -> None:
        """Stop restarting the worker; the caller must stop the work itself."""
        self._stopping.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the worker to end, once stopped; returns whether it ended in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _supervise(self) -> None:
        pause_s = self._first_pause_s
        while True:
            deaths, started = self._deaths, time.monotonic()
            try:
                worker = threading.Thread(target=self._run_worker, name=self._name, daemon=True)
                worker.start()
            except (RuntimeError, MemoryError) as exc:  # there is no memory for a thread at the moment
                self._handle_death(exc)
            else:
                worker.join()
            if self._stopping.is_set() or self._deaths == deaths:
                return
            if (
                time.monotonic() - started > self._longest_pause_s
            ):  # the worker ran for a while: the pause is short again
                pause_s = self._first_pause_s
            _logger.error("restarting the worker in %.1f s, after death %d", pause_s, self._deaths)
            if self._stopping.wait(pause_s):
                return
            pause_s = min(2 * pause_s, self._longest_pause_s)
            self._working.set()

    def _run_worker(self) -> None:
        try:
            self._work()
        except BaseException as exc:
            self._handle_death(exc)
        finally:
            self._working.clear()

    def _handle_death(self, exc: BaseException) -> None:
        """Count and log a death and call the handler, whose failure does not prevent the restart."""
        self._deaths += 1
        self._working.clear()
        _logger.error("the worker died: %s", describe(exc))
        try:
            self._on_death(exc)
        except Exception as other:
            _logger.error("the handler of the worker's death failed: %s", describe(other))
