"""HTTP servers in a thread of this process, for what only sockets show."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import uvicorn

from service.__main__ import LOOPBACK, create_config
from service.app import create_app
from service.server.bounded_server import BoundedServer
from service.server.connection_budget import ACCEPTED_AT_ONCE
from service.server.http_protocol import create_protocol_class
from service.server.timeouts import ConnectionTimeouts
from service.settings import Settings
from service.startup.guard_loading import load_configured_guard
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.paths import NANO_CHECKPOINT
from tests.helpers.server.processes import build_server_environment, find_free_port
from tests.helpers.waiting import wait_until


@contextmanager
def run_bounded_server(
    fake: FakeGuard,
    *,
    header_timeout_s: float = 20,
    send_timeout_s: float = 20,
    body_timeout_s: float = 20,
    keep_alive_timeout_s: float = 75,
    max_connections: int | None = None,
    **settings: Any,
) -> Iterator[int]:
    port = find_free_port()
    timeouts = ConnectionTimeouts(
        header_timeout_s=header_timeout_s,
        send_timeout_s=send_timeout_s,
        body_timeout_s=body_timeout_s,
        keep_alive_timeout_s=keep_alive_timeout_s,
    )
    config = uvicorn.Config(
        create_app(Settings(body_timeout_s=body_timeout_s, **settings), fake),
        port=port,
        log_config=None,
        lifespan="on",
        http=create_protocol_class(timeouts, max_connections=max_connections),
        proxy_headers=False,
        backlog=ACCEPTED_AT_ONCE,
    )
    server = BoundedServer(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()


@contextmanager
def run_threaded_server(fake: FakeGuard, **settings: Any) -> Iterator[str]:
    """Run an application with a fake guard under plain uvicorn; yields its URL.

    Its timeouts are long, so that requests held back by a test do not time out on a busy machine.
    """
    port, patient = find_free_port(), {"verdict_timeout_s": 600, "reply_timeout_s": 600, "body_timeout_s": 600}
    config = uvicorn.Config(create_app(Settings(**patient | settings), fake), port=port, log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        fake.gate.set()
        fake.between.set()
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()


@contextmanager
def run_nano_server(**settings: Any) -> Iterator[str]:
    """Load a guard and run its server as ``python -m service`` does; yields its URL.

    A process of its own would import torch again, which takes more than ten seconds; the shipped checkpoint is loaded
    in half of one.

    Args:
        settings: by their names in :class:`service.settings.Settings`; the checkpoint is the shipped one by default.
    """
    defaults: dict[str, Any] = {"checkpoint": NANO_CHECKPOINT, "device": "cpu", "port": find_free_port()}
    with patch.dict(os.environ, build_server_environment(), clear=True):
        chosen = Settings(**defaults | settings)
    server = BoundedServer(create_config(chosen, load_configured_guard(chosen), LOOPBACK))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started or not thread.is_alive())
    assert server.started, "the server did not start"
    try:
        yield f"http://{LOOPBACK}:{chosen.port}"
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()
