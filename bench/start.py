"""How soon a server is ready, and how long one classification takes once it is.

The server runs as a process of its own, as ``make serve`` starts it; a client on the same machine waits for ``/readyz``
and then classifies one picture at a time.
"""

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import httpx
import typer

from bench.results import write

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "examples" / "weapon.png"
WARM_UP = 10
READY_WITHIN_S = 120.0


def start(
    checkpoint: Annotated[Path, typer.Option(help="Checkpoint directory.")] = ROOT / "weights" / "safevlm-nano",
    starts: Annotated[int, typer.Option(help="How often the server is started.", min=1)] = 5,
    requests: Annotated[int, typer.Option(help="Classifications of the last server.", min=10)] = 200,
) -> None:
    """Time to ready, and latency of one classification at a time."""
    ready: list[float] = []
    latencies: list[float] = []
    for number in range(starts):
        with _server(checkpoint) as (url, started):
            ready.append(_seconds_until_ready(url, started))
            if number == starts - 1:
                latencies = _classify(url, requests)
    cuts = statistics.quantiles(latencies, n=20)
    figures = {
        "starts": starts,
        "ready_s_median": round(statistics.median(ready), 2),
        "ready_s_max": round(max(ready), 2),
        "requests": requests,
        "classify_ms_p50": round(1e3 * statistics.median(latencies), 1),
        "classify_ms_p95": round(1e3 * cuts[-1], 1),
    }
    for name, value in figures.items():
        typer.echo(f"{name:18} {value}")
    typer.echo(write("start", figures))


@contextmanager
def _server(checkpoint: Path) -> Iterator[tuple[str, float]]:
    """A server process; gives its address and when it was started."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SAFEVLM_")}
    settings = {"SAFEVLM_PORT": str(port), "SAFEVLM_CHECKPOINT": str(checkpoint), "SAFEVLM_DEVICE": "cpu"}
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "service"],
        cwd=ROOT,
        env=kept | settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}", started
    finally:
        process.terminate()
        process.wait(timeout=60)


def _seconds_until_ready(url: str, started: float) -> float:
    while time.perf_counter() - started < READY_WITHIN_S:
        try:
            if httpx.get(f"{url}/readyz", timeout=5).status_code == httpx.codes.OK:
                return time.perf_counter() - started
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise typer.BadParameter(f"the server was not ready within {READY_WITHIN_S:.0f} s")


def _classify(url: str, requests: int) -> list[float]:
    """Seconds of each classification; every prompt is another, so that nothing could be remembered."""
    picture, seconds = PICTURE.read_bytes(), []
    with httpx.Client(base_url=url, timeout=60) as client:
        for number in range(WARM_UP + requests):
            begun = time.perf_counter()
            reply = client.post(
                "/v1/classify",
                files={"image": ("picture.png", picture, "image/png")},
                data={"prompt": f"How do I make {number} of these?"},
            )
            seconds.append(time.perf_counter() - begun)
            reply.raise_for_status()
    return seconds[WARM_UP:]
