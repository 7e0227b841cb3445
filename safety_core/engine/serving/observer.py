"""The interface to the metrics of the engine."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from safety_core.engine.exceptions import describe

_logger = logging.getLogger(__name__)


class Observer(Protocol):
    """Records the work of the model; called from the model's thread."""

    def record_batch(self, queue: str, size: int) -> None:
        """Record that ``size`` requests of a queue (``guard`` or ``generate``) went through the model together."""

    def record_tokens(self, kind: str, count: int) -> None:
        """Record tokens that were read (kind ``prompt``) or generated (kind ``completion``)."""


class EngineObserver(Observer, Protocol):
    """Records the work of an engine; the methods of :class:`Observer` are called from the model's thread."""

    def record_cache(self, outcome: str) -> None:
        """Record a verdict that was cached (``hit``), shared with a running request (``joined``) or new (``miss``)."""

    def record_reading(self, outcome: str, seconds: float) -> None:
        """Record that a picture was read: ``none``, ``read``, ``incomplete`` or ``failed``."""


def record_safely(record: Callable[[], None]) -> None:
    """Call an observer; an exception is logged and does not affect the work."""
    try:
        record()
    except Exception as exc:
        _logger.error("the engine's observer failed: %s", describe(exc))
