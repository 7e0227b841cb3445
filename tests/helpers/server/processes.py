"""Servers and requests for the service's tests: in this process with a fake guard, or as a process of its own."""

import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from PIL import ExifTags, Image
from starlette.testclient import TestClient

from safety_core.engine.messages import GuardLike
from service.app import create_app
from service.endpoints import ENDPOINTS
from service.settings import Settings

ROOT = Path(__file__).parents[2]

MODEL_LABELS = {endpoint.path: endpoint.label for endpoint in ENDPOINTS if endpoint.reaches_model}
"""Paths whose requests reach the model, and their labels in metrics."""


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(size: tuple[int, int] = (12, 8), colour: str = "red") -> bytes:
    return encoded(Image.new("RGB", size, colour), "PNG")


def jpeg_saying(words: str) -> bytes:
    """A JPEG whose metadata quote ``words``."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = words
    exif[ExifTags.Base.ImageDescription] = words
    return encoded(Image.new("RGB", (12, 8), "red"), "JPEG", exif=exif, comment=words.encode())


def base64_png(colour: str = "red") -> str:
    return base64.b64encode(png(colour=colour)).decode()


@contextmanager
def served(guard: GuardLike, **settings: Any) -> Iterator[TestClient]:
    """A client of an application in this process."""
    with TestClient(create_app(Settings(**settings), guard), raise_server_exceptions=True) as client:
        yield client


def events(body: str) -> list[tuple[str, dict[str, Any]]]:
    """The events of an SSE body."""
    found = []
    for block in body.split("\n\n")[:-1]:
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def metric(exposition: str, name: str, **labels: str) -> float:
    """One sample of a Prometheus exposition; 0 where it does not exist yet."""
    shown = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    start = f"{name}{{{shown}}} " if labels else f"{name} "
    values = [float(line.removeprefix(start)) for line in exposition.splitlines() if line.startswith(start)]
    return values[0] if values else 0.0


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


def server_environment(**settings: object) -> dict[str, str]:
    """The environment of a server: this one's without its own ``SAFEVLM_*``, with ``settings`` in its place."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SAFEVLM_")}
    return {**kept, **{f"SAFEVLM_{name.upper()}": str(value) for name, value in settings.items()}}


def replace_file(file: Path, content: str | bytes) -> None:
    """Change a file that a server watches as one step: written in place, it would be empty for a moment."""
    new = file.with_name(f"{file.name}.new")
    new.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.replace(new, file)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


@contextmanager
def running_server(
    checkpoint: Path, *, timeout_s: float = 240, environment: Mapping[str, str] | None = None, **settings: object
) -> Iterator[ServerProcess]:
    """``python -m service`` on a free port, ready to serve; gone at the end.

    Args:
        checkpoint: what it serves.
        timeout_s: seconds that it may take to become ready.
        environment: variables besides its settings.
        settings: further settings, by their names in :class:`service.settings.Settings`.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "server.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "service"],
                cwd=ROOT,
                env={
                    **server_environment(port=port, checkpoint=checkpoint, device="cpu", **settings),
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
