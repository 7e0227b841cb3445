"""Servers as processes of their own."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.helpers.paths import ROOT


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A server as a process."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    """What it writes; a file, because a full pipe would stop it."""

    def stop(self) -> int:
        """Ask it to stop, as an orchestrator would; returns its exit status."""
        self.process.terminate()
        return self.process.wait(timeout=120)


def build_server_environment(**settings: object) -> dict[str, str]:
    """The environment of a server: this one's without its own ``SAFEVLM_*``, with ``settings`` in its place."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SAFEVLM_")}
    return {**kept, **{f"SAFEVLM_{name.upper()}": str(value) for name, value in settings.items()}}


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


@contextmanager
def run_server(
    checkpoint: Path, *, timeout_s: float = 240, environment: Mapping[str, str] | None = None, **settings: object
) -> Iterator[ServerProcess]:
    """``python -m service`` on a free port, ready to serve; gone at the end.

    Args:
        checkpoint: what it serves.
        timeout_s: seconds that it may take to become ready.
        environment: variables besides its settings.
        settings: further settings, by their names in :class:`service.settings.Settings`.
    """
    port = find_free_port()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "server.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "service"],
                cwd=ROOT,
                env={
                    **build_server_environment(port=port, checkpoint=checkpoint, device="cpu", **settings),
                    **(environment or {}),
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        server = ServerProcess(url=f"http://127.0.0.1:{port}", process=process, log=log)
        try:
            _wait_until_ready(server, timeout_s)
            yield server
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def _wait_until_ready(server: ServerProcess, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise AssertionError(f"the server ended: {server.log.read_text()}")
        try:
            if httpx.get(f"{server.url}/readyz", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("the server did not become ready")
