"""Log lines as JSON objects, one per line, or as text; limits the lines about rejected requests."""

import asyncio
import json
import logging
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from service.settings.values import LogFormat

FIELDS = "fields"
"""Key in the ``extra`` of a log call; its value is a mapping of further fields of the line."""

_logger = logging.getLogger(__name__)

_OURS = ("service", "safety_core")

_OTHERS = {
    "uvicorn": logging.INFO,  # start and stop
    "uvicorn.access": logging.WARNING,  # below: query strings, if an embedding application enables the access log
    "PIL": logging.WARNING,  # below: EXIF values
    "python_multipart": logging.ERROR,  # below: bytes of the body
}
"""Minimum severity for libraries whose lines are useful or may quote requests; for all others it is warning."""


class JsonFormatter(logging.Formatter):
    """Formats a line as JSON: time (UTC), level, logger, message, and the fields of the call."""

    def format(self, record: logging.LogRecord) -> str:
        """Format one line."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # No field may replace those that collectors filter by.
        return json.dumps(line | getattr(record, FIELDS, {}) | line, ensure_ascii=False, separators=(",", ":"))


class TextFormatter(logging.Formatter):
    """Formats the same line as text, for a terminal."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Format one line."""
        fields: dict[str, Any] = getattr(record, FIELDS, {})
        shown = " ".join(f"{name}={json.dumps(value, separators=(',', ':'))}" for name, value in fields.items())
        return f"{super().format(record)} {shown}".rstrip()


class RejectionLog:
    """Rate-limits the log lines of rejected requests, because such requests cost a client nothing.

    The other requests are counted in one line. Use from one event loop only.

    Args:
        per_second: average lines per second.
        burst: lines at once.
        clock: monotonic time in seconds.
    """

    def __init__(
        self, *, per_second: float = 10.0, burst: int = 50, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._lines, self._at = float(burst), clock()
        self._suppressed: Counter[str] = Counter()
        self._summary: asyncio.TimerHandle | None = None

    def log(self, fields: Mapping[str, Any]) -> None:
        """Write a line with these fields, or count it under its field ``error`` only."""
        now = self._clock()
        self._lines = min(float(self._burst), self._lines + (now - self._at) * self._per_second)
        self._at = now
        if self._lines >= 1:
            self._lines -= 1
            _logger.info("request", extra={FIELDS: fields})
            return
        self._suppressed[str(fields.get("error", "other"))] += 1
        if self._summary is None:
            self._summary = asyncio.get_running_loop().call_later(1.0, self.summarise)

    def summarise(self) -> None:
        """Log the number of requests that got no line since the last summary."""
        if self._summary is not None:
            self._summary.cancel()
            self._summary = None
        if self._suppressed:
            counted, self._suppressed = dict(self._suppressed), Counter()
            _logger.info("requests without a log line of their own", extra={FIELDS: {"suppressed": counted}})


def set_up_logging(level: str, log_format: LogFormat = "text") -> None:
    """Set up logging: our own lines from ``level`` on, and lines of libraries that cannot quote a request."""
    least = logging.getLevelNamesMapping()[level.upper()]
    root = logging.getLogger()
    if not root.handlers:  # an embedding application has its own handlers
        handler = logging.StreamHandler()
        handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
        root.addHandler(handler)
    root.setLevel(max(least, logging.WARNING))
    for name in _OURS:
        logging.getLogger(name).setLevel(least)
    for name, floor in _OTHERS.items():
        logging.getLogger(name).setLevel(max(least, floor))
    # Warnings bypass the handlers and contain numbers from the client's file; every distinct message is kept in memory.
    warnings.filterwarnings("ignore", module=r"PIL\.")
