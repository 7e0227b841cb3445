"""``python -m service`` and ``safevlm-serve``: read the settings, load the guard, and serve until a signal arrives."""

import gc
import logging
import signal
import sys
from collections.abc import Sequence

import uvicorn

from safety_core.engine.guard_info import GuardInfo
from safety_core.engine.protocols import GuardLike
from safety_core.errors import ConfigError, SafeVLMError
from safety_core.library_warnings import suppress_library_warnings
from service.access.addresses import is_loopback_interface
from service.access.api_keys import KeySet, Scope, format_key_entry, generate_key, parse_keys, read_keys
from service.app import create_app
from service.policies import check_policies, check_policy_file, read_policies
from service.server.bounded_server import BoundedServer
from service.server.connection_budget import ACCEPTED_AT_ONCE
from service.server.http_protocol import create_protocol_class
from service.server.openmp import limit_spinning
from service.server.timeouts import ConnectionTimeouts
from service.settings import Settings
from service.settings.environment import read_settings
from service.startup.guard_loading import load_configured_guard
from service.telemetry.audit import check_audit_log
from service.telemetry.logs import set_up_logging

_logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"

CANNOT_START = 2
"""Exit status if the settings are invalid or the checkpoint cannot be served."""


def choose_host(settings: Settings, keys: KeySet) -> str:
    """Choose the address to listen on: only that of this machine, unless requests need an API key."""
    if keys or is_loopback_interface(settings.host):
        return settings.host
    _logger.warning("no API keys are configured: listening on %s only, not on %s", LOOPBACK, settings.host)
    return LOOPBACK


def format_announcements(settings: Settings, info: GuardInfo) -> list[str]:
    """Format the log lines for the time when the server listens."""
    lines = [f"serving {info.checkpoint} on {info.device}: {{url}}/v1 (documentation: {{url}}/docs)"]
    lines += ["playground: {url}/playground"] if settings.playground else []
    return [*lines, f"{info.checkpoint}: {info.description}"] if info.description else lines


def print_new_key(arguments: Sequence[str]) -> int:
    """``new-key NAME [SCOPE …]``: print a new key, and its entry for the key file; returns the exit status."""
    name, scopes, key = next(iter(arguments), ""), list(arguments[1:]) or [Scope.CHAT, Scope.CLASSIFY], generate_key()
    entry = format_key_entry(name, key, scopes)
    try:
        parse_keys(entry, "new-key")
    except ConfigError as exc:
        print(f"safevlm-serve: {exc}; new-key NAME [{' '.join(Scope)}]", file=sys.stderr)
        return CANNOT_START
    print(f"# Key (shown only once): {key}\n{entry}", end="")
    return 0


def load_server() -> BoundedServer:
    """Read the settings, load the guard, and create the server.

    Raises:
        SafeVLMError: the settings are invalid, or the checkpoint cannot be served.
    """
    settings = read_settings()
    set_up_logging(settings.log_level, settings.log_format)
    from transformers.utils.logging import disable_progress_bar  # takes seconds; must follow suppress_library_warnings

    disable_progress_bar()  # the progress bar writes hundreds of lines to a log file while weights are loaded
    keys = read_keys(settings.api_keys_file, settings.api_keys)
    host = choose_host(settings, keys)
    check_policy_file(settings)
    check_audit_log(settings)
    guard = load_configured_guard(settings)
    # The guard lives as long as the process. A full collection would visit all of its objects, which takes a quarter of
    # a second in which no request is served.
    gc.collect()
    gc.freeze()
    check_policies(keys, read_policies(settings, guard.info))
    return BoundedServer(create_config(settings, guard, host), format_announcements(settings, guard.info))


def create_config(settings: Settings, guard: GuardLike, host: str) -> uvicorn.Config:
    """Create the configuration of the HTTP server."""
    return uvicorn.Config(
        create_app(settings, guard),
        host=host,
        port=settings.port,
        log_config=None,
        access_log=False,  # contains query strings; service.middleware.admission logs requests instead
        server_header=False,
        http=create_protocol_class(
            ConnectionTimeouts(
                header_timeout_s=settings.header_timeout_s,
                body_timeout_s=settings.body_timeout_s,
                exchange_timeout_s=settings.exchange_timeout_s,
                send_timeout_s=settings.send_timeout_s,
                keep_alive_timeout_s=settings.keep_alive_timeout_s,
            ),
            max_connections=settings.max_connections,
            trusted_proxies=settings.trusted_proxies,
        ),
        backlog=ACCEPTED_AT_ONCE,
        proxy_headers=False,  # service.middleware.auth evaluates the proxies' headers, according to the settings
        ws="none",  # no endpoint supports WebSocket, and uvicorn logs handshakes with their query strings
        lifespan="on",
        timeout_graceful_shutdown=int(settings.shutdown_timeout_s) + 1,
    )


def main() -> int:
    """Run the server, or ``new-key``; returns the exit status of the process."""
    if sys.argv[1:2] == ["new-key"]:
        return print_new_key(sys.argv[2:])
    if sys.argv[1:]:
        print("safevlm-serve: settings are read from the environment; the only command is new-key", file=sys.stderr)
        return CANNOT_START
    limit_spinning()
    suppress_library_warnings()
    # Without a handler, process 1 of a container would ignore the signal while the model is loaded.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server = load_server()
    except SafeVLMError as exc:
        print(f"safevlm-serve: {exc}", file=sys.stderr)
        return CANNOT_START
    except KeyboardInterrupt:  # while the model is loaded
        return 0
    # uvicorn raises the signal again after all requests have finished; a requested stop is not a failure.
    signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        server.run()
    except KeyboardInterrupt:
        return 0
    return 0 if server.started else CANNOT_START


if __name__ == "__main__":
    sys.exit(main())
