"""Load for several minutes: memory must not grow after the first minutes."""

import statistics
import time
from typing import Annotated

import typer

from bench.load.http_client import run_closed_loop
from bench.load.servers import run_safevlm_server
from bench.load.workload import ANSWERED, REFUSED, build_chat, build_classification
from bench.reporting.report import Bar, Plot, Series, report_measurement

SETTLED = 0.3
"""Share of the time after which buffers and caches should have reached their size."""


def measure_soak(
    minutes: Annotated[float, typer.Option(help="Duration in minutes.", min=0.5)] = 10,
    clients: Annotated[int, typer.Option(help="Clients at a time.", min=1)] = 16,
) -> None:
    """Chats, refusals and classifications for ten minutes; memory over time."""
    minute, rss_mb, served, failed = [], [], 0, 0
    with run_safevlm_server(cache_mb=16) as server:
        begun = time.perf_counter()
        while (elapsed := (time.perf_counter() - begun) / 60) < minutes:
            mixed = [
                build_chat(ANSWERED),
                build_chat(REFUSED),
                build_classification(),
                build_chat(ANSWERED, max_tokens=8),
            ] * clients
            answers = run_closed_loop(server.url, mixed, clients=clients)
            served += len(answers)
            failed += sum(answer.status != 200 for answer in answers)
            minute.append(elapsed)
            rss_mb.append(server.rss_mb)
    settled = [mb for at, mb in zip(minute, rss_mb, strict=True) if at >= SETTLED * minutes]
    half = len(settled) // 2
    growth = statistics.median(settled[half:]) / statistics.median(settled[:half])
    report_measurement(
        "soak",
        ("minutes", "requests", "failed", "first, MB", "settled, MB", "end, MB"),
        [(minutes, served, failed, rss_mb[0], statistics.median(settled[:half]), statistics.median(settled[half:]))],
        figures={"minutes": minutes, "requests": served, "failed": failed, "growth": growth, "rss_mb": rss_mb},
        bars=[
            Bar("memory, last third / middle third", growth, at_most=1.03),
            Bar("requests that failed", failed, at_most=0),
        ],
        plot=Plot(title="Memory of the server", x="minutes", y="MB", series=[Series("resident", minute, rss_mb)]),
    )
