"""Ten times the capacity of the server for a minute: rejections, and latencies of accepted requests.

Capacity is measured first, in the same run, with exactly as many clients as the server accepts requests; each sends its
next chat when the last one is answered.
"""

import statistics
from collections.abc import Iterator
from typing import Annotated

import typer

from bench.load.http_client import Request, run_closed_loop, run_open_loop
from bench.load.servers import run_safevlm_server
from bench.load.workload import ANSWERED, build_chat
from bench.reporting.estimates import get_quantile
from bench.reporting.report import Bar, report_measurement

TOKENS = 32
FACTOR = 10


def measure_overload(
    seconds: Annotated[float, typer.Option(help="Duration of the overload in seconds.", min=5)] = 60,
    accepted: Annotated[int, typer.Option(help="Requests that the server accepts at a time.", min=1)] = 32,
) -> None:
    """Ten times the capacity for a minute: rejected share, latencies, memory."""
    with run_safevlm_server("--endless", cache_mb=0, max_requests=accepted) as server:
        run_closed_loop(server.url, _create_chats(2 * accepted), clients=accepted)
        before_mb = server.rss_mb
        full = run_closed_loop(server.url, _create_chats(12 * accepted), clients=accepted)
        span = max(one.sent + one.seconds for one in full) - min(one.sent for one in full)
        capacity = len(full) / span
        answers = run_open_loop(
            server.url, lambda _: build_chat(ANSWERED, max_tokens=TOKENS), rate=FACTOR * capacity, seconds=seconds
        )
        after_mb = server.rss_mb
    rejected = [1e3 * one.seconds for one in answers if one.status == 429]
    served = [1e3 * one.seconds for one in answers if one.status == 200]
    others = len(answers) - len(rejected) - len(served)
    at_capacity = [1e3 * one.seconds for one in full]
    slower = statistics.median(served) / statistics.median(at_capacity)
    figures: dict[str, object] = {
        "capacity_per_s": capacity,
        "offered_per_s": FACTOR * capacity,
        "sent": len(answers),
        "rejected_share": len(rejected) / len(answers),
        "other_statuses": others,
        "rejection_ms_p50": statistics.median(rejected),
        "rejection_ms_p99": get_quantile(rejected, 0.99),
        "accepted_per_s": len(served) / seconds,
        "accepted_ms_p50": statistics.median(served),
        "accepted_ms_p95": get_quantile(served, 0.95),
        "at_capacity_ms_p50": statistics.median(at_capacity),
        "at_capacity_ms_p95": get_quantile(at_capacity, 0.95),
        "accepted_latency_ratio": slower,
        "rss_mb_before": before_mb,
        "rss_mb_after": after_mb,
        "seconds": seconds,
        "accepted_at_a_time": accepted,
    }
    report_measurement(
        "overload",
        ("figure", "value"),
        list(figures.items()),
        figures=figures,
        bars=[
            Bar("p99 of rejections, ms", get_quantile(rejected, 0.99), at_most=100),
            Bar("latency of accepted / at capacity, medians", slower, at_most=1.5),
            Bar("memory after / before", after_mb / before_mb, at_most=1.1),
            Bar("replies with another status than 200 and 429", others, at_most=0),
        ],
    )


def _create_chats(count: int) -> Iterator[Request]:
    return (build_chat(ANSWERED, max_tokens=TOKENS) for _ in range(count))
