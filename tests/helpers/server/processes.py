"""Servers in processes of their own."""

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
    """A server process."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    """File of its output; a pipe could fill up and block the server."""

    def stop(self) -> int:
        """Terminate it like an orchestrator; returns the exit status."""
        self.process.terminate()
        return self.process.wait(timeout=120)


def build_server_environment(**settings: object) -> dict[str, str]:
    """The environment of a server: that of this process, with ``settings`` instead of its ``SAFEVLM_*``."""
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
    """Run ``python -m service`` on a free port, wait until it is ready, and kill it at the end.

    Args:
        checkpoint: the checkpoint to serve.
        timeout_s: longest time until ready.
        environment: further environment variables.
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
