"""Log lines as JSON objects, one a line: for machines that collect them, and for people with ``jq``."""

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
"""Name of the ``extra`` of a log call that holds what a line says besides its message."""

_logger = logging.getLogger(__name__)

_OURS = ("service", "safety_core")

_OTHERS = {
    "uvicorn": logging.INFO,  # where it listens, when it stops
    "uvicorn.access": logging.WARNING,  # query strings below, where whoever embeds the server has them written
    "PIL": logging.WARNING,  # EXIF values below
    "python_multipart": logging.ERROR,  # bytes of the body below
}
"""Least severe lines of libraries that have something to say or to quote; every other library starts at warnings."""


class JsonFormatter(logging.Formatter):
    """A line is time (UTC), level, logger, message, and the fields of the call."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # No field may hide what collectors filter by.
        return json.dumps(line | getattr(record, FIELDS, {}) | line, ensure_ascii=False, separators=(",", ":"))


class TextFormatter(logging.Formatter):
    """The same for a terminal."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        fields: dict[str, Any] = getattr(record, FIELDS, {})
        shown = " ".join(f"{name}={json.dumps(value, separators=(',', ':'))}" for name, value in fields.items())
        return f"{super().format(record)} {shown}".rstrip()


class RejectionLog:
    """Rate-limits log lines of rejected requests, which cost a client nothing; the rest are summed up in one line.

    For one event loop.

    Args:
        per_second: average lines a second.
        burst: lines at once.
        clock: seconds that only grow.
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
        """Write a line with these fields, or only count it under its field ``error``."""
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
        """Log the number of requests without a line since the last summary."""
        if self._summary is not None:
            self._summary.cancel()
            self._summary = None
        if self._suppressed:
            counted, self._suppressed = dict(self._suppressed), Counter()
            _logger.info("requests without a log line of their own", extra={FIELDS: {"suppressed": counted}})


def set_up_logging(level: str, form: LogFormat = "text") -> None:
    """Write lines from ``level`` on of our own, whose texts we answer for; of others only what quotes no client."""
    least = logging.getLevelNamesMapping()[level.upper()]
    root = logging.getLogger()
    if not root.handlers:  # whoever embeds the server has its own
        handler = logging.StreamHandler()
        handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
        root.addHandler(handler)
    root.setLevel(max(least, logging.WARNING))
    for name in _OURS:
        logging.getLogger(name).setLevel(least)
    for name, floor in _OTHERS.items():
        logging.getLogger(name).setLevel(max(least, floor))
    # Written past every handler, with numbers from the client's file, and each new text is remembered for good.
    warnings.filterwarnings("ignore", module=r"PIL\.")
