"""Servers to measure, each in its own process on a free local port."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import typer

from bench.paths import CHECKPOINT, ROOT
from service.server.openmp import SPIN_COUNT, SPIN_COUNT_VARIABLE

READY_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server that is ready."""

    url: str
    process: psutil.Process
    ready_s: float
    """Seconds from start to ready."""

    @property
    def cpu_s(self) -> float:
        """Processor time used so far, in seconds, child processes included."""
        times = [one.cpu_times() for one in (self.process, *self.process.children(recursive=True))]
        return float(sum(one.user + one.system for one in times))

    @property
    def rss_mb(self) -> float:
        """Resident memory in megabytes, without child processes."""
        return float(self.process.memory_info().rss) / 2**20

    @property
    def whole_rss_mb(self) -> float:
        """Resident memory in megabytes, child processes included."""
        processes = (self.process, *self.process.children(recursive=True))
        return float(sum(one.memory_info().rss for one in processes)) / 2**20


@contextmanager
def run_safevlm_server(*arguments: str, checkpoint: Path = CHECKPOINT, **settings: object) -> Iterator[Server]:
    """Run our server: ``python -m service`` or, with arguments, ``python -m bench.contenders.altered_server``.

    Args:
        arguments: options of :mod:`bench.contenders.altered_server`.
        checkpoint: the checkpoint to serve.
        settings: by their names in :class:`service.settings.Settings`.
    """
    port = find_free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SAFEVLM_")}
    # The output rail delays words on purpose, and is measured separately.
    given = {"port": port, "checkpoint": checkpoint, "device": "cpu", "reply_window": 0, **settings}
    command = [sys.executable, "-m", *(("bench.contenders.altered_server", *arguments) if arguments else ("service",))]
    environment = (
        {SPIN_COUNT_VARIABLE: SPIN_COUNT}
        | kept
        | {f"SAFEVLM_{name.upper()}": str(value) for name, value in given.items()}
    )
    with run_process(command, environment, f"http://127.0.0.1:{port}", "/readyz") as server:
        yield server


@contextmanager
def run_process(command: Sequence[str], environment: Mapping[str, str], url: str, ready: str) -> Iterator[Server]:
    """Start a server, wait until its path ``ready`` answers 200, and stop it at the end."""
    started = time.perf_counter()
    running = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield Server(url, psutil.Process(running.pid), _wait_until_ready(running, f"{url}{ready}", started))
    finally:
        running.terminate()
        try:
            running.wait(timeout=60)
        except subprocess.TimeoutExpired:
            running.kill()


def find_free_port() -> int:
    """Find a free local port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(running: "subprocess.Popen[str]", url: str, started: float) -> float:
    while time.perf_counter() - started < READY_WITHIN_S:
        if running.poll() is not None:
            raise typer.BadParameter(f"the server ended with status {running.returncode} before it was ready")
        try:
            if httpx.get(url, timeout=5).status_code == httpx.codes.OK:
                return time.perf_counter() - started
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise typer.BadParameter(f"the server was not ready within {READY_WITHIN_S:.0f} s")
