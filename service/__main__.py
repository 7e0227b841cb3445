"""``python -m service`` and ``safevlm-serve``: read the settings, load the guard, serve until told to stop."""

import logging
import signal
import sys

import uvicorn
from transformers.utils.logging import disable_progress_bar

from safety_core.errors import SafeVLMError
from service.app import create_app, load_configured_guard
from service.settings import read_settings
from service.spinning import spin_briefly

CANNOT_START = 2
"""Exit status where settings or checkpoint are not fit to serve."""

_OURS = ("service", "safety_core")

_OTHERS = {
    "uvicorn": logging.INFO,  # where it listens, when it stops
    "PIL": logging.WARNING,  # EXIF values below
    "python_multipart": logging.ERROR,  # bytes of the body below
}
"""Least severe lines of libraries that have something to say or to quote; every other library starts at warnings."""


def set_up_logging(level: str) -> None:
    """Write lines from ``level`` on of our own, whose texts we answer for; of others only what quotes no client."""
    least = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger().setLevel(max(least, logging.WARNING))
    for name in _OURS:
        logging.getLogger(name).setLevel(least)
    for name, floor in _OTHERS.items():
        logging.getLogger(name).setLevel(max(least, floor))


def main() -> int:
    """Run the server; returns the process's exit status."""
    spin_briefly()
    # As a container's first process it would otherwise not hear the signal while the model loads.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        settings = read_settings()
        set_up_logging(settings.log_level)
        disable_progress_bar()  # of loading weights: hundreds of redrawn lines in a log file
        guard = load_configured_guard(settings)
    except SafeVLMError as exc:
        print(f"safevlm-serve: {exc}", file=sys.stderr)
        return CANNOT_START
    config = uvicorn.Config(
        create_app(settings, guard),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,  # it would write query strings; service.traffic writes a line without them
        server_header=False,
        ws="none",  # none of our paths speaks it, and its handshakes are logged with their query strings
        lifespan="on",
        timeout_graceful_shutdown=int(settings.shutdown_timeout_s) + 1,
    )
    server = uvicorn.Server(config)
    # uvicorn raises the signal again once it has drained; a server that was told to stop and did has not failed.
    signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        server.run()
    except KeyboardInterrupt:
        return 0
    return 0 if server.started else CANNOT_START


if __name__ == "__main__":
    sys.exit(main())
