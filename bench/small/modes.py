"""Start-up, memory and time of a verdict of a server that only judges, compared with one that also answers.

Both serve the same checkpoint with the same settings, in turns. Each turn is a new server: memory is that of the server
and its children, once it is ready and after the verdicts.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from bench.load.http_client import run_closed_loop
from bench.paths import SMALL
from bench.reporting.estimates import estimate_median, estimate_ratio
from bench.reporting.report import Bar, report_measurement
from bench.small.servers import CheckpointOption, check_checkpoint, run_small_server, take_turns
from bench.small.workload import LETTERING, SCENE, build_classification

CHAT, GUARD = "chat", "guard"
"""Values of ``SAFEVLM_MODE``."""

FIGURES = {
    "ready_s": "seconds until ready",
    "ready_cpu_s": "CPU-seconds until ready",
    "ready_mib": "memory when ready, MiB",
    "served_mib": "memory after the verdicts, MiB",
    "verdict_ms": "verdict, ms",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What was measured of one server."""

    ready_s: float
    ready_cpu_s: float
    ready_mib: float
    served_mib: float
    verdict_ms: float


def measure_small_modes(
    rounds: Annotated[int, typer.Option(help="Number of servers of each mode.", min=5)] = 5,
    requests: Annotated[int, typer.Option(help="Verdicts of each server, half of them with lettering.", min=2)] = 10,
    checkpoint: CheckpointOption = SMALL,
) -> None:
    """safevlm-small: a server that only judges (SAFEVLM_MODE=guard) against one that also answers."""
    notes = check_checkpoint(checkpoint)
    servers: dict[str, Callable[[], Turn]] = {
        mode: partial(_measure_server, mode, checkpoint, requests) for mode in (CHAT, GUARD)
    }
    turns: dict[str, list[Turn]] = {mode: [] for mode in servers}
    for mode, turn in take_turns(servers, rounds):
        turns[mode].append(turn)
    measured = {
        name: {mode: [float(getattr(turn, name)) for turn in turns[mode]] for mode in (CHAT, GUARD)} for name in FIGURES
    }
    ratios = {name: estimate_ratio(values[GUARD], values[CHAT]) for name, values in measured.items()}
    report_measurement(
        "small_modes",
        ("figure", "chat", "guard", "guard / chat"),
        [
            (title, estimate_median(measured[name][CHAT]), estimate_median(measured[name][GUARD]), ratios[name])
            for name, title in FIGURES.items()
        ],
        figures={
            **{
                name: {
                    "chat": estimate_median(values[CHAT]),
                    "guard": estimate_median(values[GUARD]),
                    "guard_by_chat": ratios[name],
                }
                for name, values in measured.items()
            },
            "rounds": rounds,
            "requests_a_server": requests,
        },
        bars=[
            Bar("memory when ready, guard / chat", ratios["ready_mib"].median, at_most=1.0),
            Bar("seconds until ready, guard / chat", ratios["ready_s"].median, at_most=1.0),
        ],
        notes=notes,
    )


def _measure_server(mode: str, checkpoint: Path, requests: int) -> Turn:
    with run_small_server(checkpoint=checkpoint, mode=mode) as server:
        ready_cpu_s, ready_mib = server.cpu_s, server.whole_rss_mb
        pictures = (SCENE, LETTERING)
        asked = (build_classification(pictures[number % len(pictures)]) for number in range(requests))
        answers = run_closed_loop(server.url, asked, clients=1)
        if any(answer.status != 200 for answer in answers):
            raise typer.BadParameter(f"{mode}: a request failed")
        return Turn(
            ready_s=server.ready_s,
            ready_cpu_s=ready_cpu_s,
            ready_mib=ready_mib,
            served_mib=server.whole_rss_mb,
            verdict_ms=1e3 * statistics.median(answer.seconds for answer in answers),
        )
