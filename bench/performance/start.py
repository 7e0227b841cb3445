"""Time until a server is ready, and latency of one classification at a time.

The server runs in its own process, as ``make serve`` starts it. A client on the same machine waits for ``/readyz`` and
then classifies one picture at a time.
"""

import statistics
import time
from pathlib import Path
from typing import Annotated

import httpx
import typer

from bench.load.servers import run_safevlm_server
from bench.load.workload import WEAPON, read_picture
from bench.paths import CHECKPOINT
from bench.reporting.records import write_record

WARM_UP = 10


def measure_start(
    checkpoint: Annotated[Path, typer.Option(help="Checkpoint directory.")] = CHECKPOINT,
    starts: Annotated[int, typer.Option(help="Number of server starts.", min=1)] = 5,
    requests: Annotated[int, typer.Option(help="Classifications by the last server.", min=10)] = 200,
) -> None:
    """Time to ready, and latency of one classification at a time."""
    ready: list[float] = []
    latencies: list[float] = []
    for number in range(starts):
        with run_safevlm_server(checkpoint=checkpoint) as server:
            ready.append(server.ready_s)
            if number == starts - 1:
                latencies = _classify(server.url, requests)
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
    typer.echo(write_record("start", figures))


def _classify(url: str, requests: int) -> list[float]:
    """Measure the seconds of each classification; all prompts differ, so that no verdict comes from the cache."""
    seconds = []
    with httpx.Client(base_url=url, timeout=60) as client:
        for number in range(WARM_UP + requests):
            begun = time.perf_counter()
            reply = client.post(
                "/v1/classify",
                files={"image": ("picture.png", read_picture(WEAPON), "image/png")},
                data={"prompt": f"How do I make {number} of these?"},
            )
            seconds.append(time.perf_counter() - begun)
            reply.raise_for_status()
    return seconds[WARM_UP:]
