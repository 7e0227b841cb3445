"""A thread that does work for as long as it is asked to, and a second one that starts it again when it dies.

Knows nothing of the work.
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
        work: returns once it was told to stop; anything it raises is a death. Called anew for every life.
        on_death: told what it died of, by the dying thread, before the next life begins.
        first_pause_s: seconds before the next life; each further death in a row doubles them.
        longest_pause_s: but not beyond this.
        name: of the worker's thread.
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
        """Whether the worker works, and nobody wants it to stop."""
        return self._working.is_set() and not self._stopping.is_set()

    @property
    def deaths(self) -> int:
        """How often the worker died."""
        return self._deaths

    def stop(self) -> None:
        """Start no further life; the work itself must be told to end by whoever knows it."""
        self._stopping.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end of the last life, once stopped; returns whether it came in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _supervise(self) -> None:
        pause_s = self._first_pause_s
        while True:
            before, born = self._deaths, time.monotonic()
            try:
                worker = threading.Thread(target=self._live, name=self._name, daemon=True)
                worker.start()
            except (RuntimeError, MemoryError) as exc:  # no memory for a thread, for now
                self._die(exc)
            else:
                worker.join()
            if self._stopping.is_set() or self._deaths == before:
                return
            if time.monotonic() - born > self._longest_pause_s:  # it had lived: not a death in a row
                pause_s = self._first_pause_s
            _logger.error("the worker starts again in %.1f s, after death %d", pause_s, self._deaths)
            if self._stopping.wait(pause_s):
                return
            pause_s = min(2 * pause_s, self._longest_pause_s)
            self._working.set()

    def _live(self) -> None:
        try:
            self._work()
        except BaseException as exc:
            self._die(exc)
        finally:
            self._working.clear()

    def _die(self, exc: BaseException) -> None:
        """Count and log a death and call the handler, whose failure does not prevent the restart."""
        self._deaths += 1
        self._working.clear()
        _logger.error("the worker died: %s", describe(exc))
        try:
            self._on_death(exc)
        except Exception as other:
            _logger.error("the handler of the worker's death failed: %s", describe(other))
