"""Classifications from many clients at once, compared with the same work without a server in the best fixed batch.

The load generator shares the server's cores. The fair measure of the cost of serving is therefore the server's own
processor time per request.
"""

import statistics
from typing import Annotated

import typer

from bench.contenders.offline import Offline, run_offline
from bench.load.http_client import run_closed_loop
from bench.load.servers import Server, run_safevlm_server
from bench.load.workload import build_classification as request
from bench.reporting.estimates import Estimate, estimate_median, estimate_ratio, get_quantile
from bench.reporting.report import Bar, Plot, Series, report_measurement

CLIENTS = (1, 8, 64)
BATCHES = (1, 2, 4, 8, 16, 32)


def measure_classify(
    rounds: Annotated[int, typer.Option(help="Number of turns.", min=3)] = 8,
    requests: Annotated[int, typer.Option(help="Requests of each contender in a turn.", min=64)] = 192,
) -> None:
    """Throughput, latency and processor time of classifications at 1, 8 and 64 clients, against offline batches."""
    with run_safevlm_server(cache_mb=0) as server, run_offline() as bare:
        best = _find_best_batch(bare)
        turns = [_take_turn(server, bare, requests, best) for _ in range(rounds + 1)][1:]  # the first is the warm-up
    table: list[tuple[object, ...]] = []
    figures: dict[str, object] = {"best_batch": best, "rounds": rounds, "requests_a_round": requests}
    for name in turns[0]:
        of = {key: estimate_median([turn[name][key] for turn in turns]) for key in turns[0][name]}
        figures[name] = of
        table.append((name, of["per_s"], of["p50_ms"], of["p95_ms"], of["cpu_ms"]))
    cpu = estimate_ratio(
        [turn["64 clients"]["cpu_ms"] for turn in turns], [turn["offline"]["cpu_ms"] for turn in turns]
    )
    alone = estimate_ratio(
        [turn["1 client"]["p50_ms"] for turn in turns], [turn["one by one"]["p50_ms"] for turn in turns]
    )
    figures |= {"cpu_ratio_64_clients": cpu, "p50_ratio_1_client": alone}
    report_measurement(
        "classify",
        ("contender", "requests/s", "p50, ms", "p95, ms", "CPU ms a request"),
        table,
        figures=figures,
        bars=[
            Bar("CPU time a request at 64 clients / offline", cpu.median, at_most=1.5),
            Bar("p50 at 1 client / decode and forward alone", alone.median, at_most=1.5),
        ],
        plot=_create_plot(figures),
        notes=[f"offline: batches of {best}, the fastest of {BATCHES}"],
    )


def _take_turn(server: Server, bare: Offline, requests: int, best: int) -> dict[str, dict[str, float]]:
    """Measure every contender once."""
    turn = {
        _name_clients(clients): _measure_server(server, clients, requests if clients > 1 else requests // 4)
        for clients in CLIENTS
    }
    turn["offline"] = _measure_offline(bare, requests, best)
    turn["one by one"] = _measure_offline(bare, requests // 4, 1)
    return turn


def _measure_server(server: Server, clients: int, requests: int) -> dict[str, float]:
    cpu = server.cpu_s
    answers = run_closed_loop(server.url, (request() for _ in range(requests)), clients=clients)
    used = server.cpu_s - cpu
    if any(answer.status != 200 for answer in answers):
        raise typer.BadParameter("a request failed")
    span = max(answer.sent + answer.seconds for answer in answers) - min(answer.sent for answer in answers)
    latencies = [1e3 * answer.seconds for answer in answers]
    return {
        "per_s": len(answers) / span,
        "p50_ms": statistics.median(latencies),
        "p95_ms": get_quantile(latencies, 0.95),
        "cpu_ms": 1e3 * used / len(answers),
    }


def _measure_offline(bare: Offline, pictures: int, batch: int) -> dict[str, float]:
    made = bare.judge(pictures, batch)
    latencies = [1e3 * seconds for seconds in made["latencies_s"]]
    return {
        "per_s": pictures / made["seconds"],
        "p50_ms": statistics.median(latencies),
        "p95_ms": get_quantile(latencies, 0.95),
        "cpu_ms": 1e3 * made["cpu_s"] / pictures,
    }


def _find_best_batch(bare: Offline) -> int:
    """Find the fixed batch size with the highest throughput, with two tries each."""
    seconds: dict[int, list[float]] = {batch: [] for batch in BATCHES}
    for _ in range(3):
        for batch in BATCHES:
            seconds[batch].append(bare.judge(96, batch)["seconds"])
    return min(BATCHES, key=lambda batch: min(seconds[batch][1:]))


def _name_clients(clients: int) -> str:
    return f"{clients} client{'s' if clients > 1 else ''}"


def _create_plot(figures: dict[str, object]) -> Plot:
    def per_s(name: str) -> float:
        of = figures[name]
        assert isinstance(of, dict)
        estimate = of["per_s"]
        assert isinstance(estimate, Estimate)
        return estimate.median

    return Plot(
        title="Classifications a second",
        x="clients",
        y="requests/s",
        series=[
            Series("server", list(CLIENTS), [per_s(_name_clients(clients)) for clients in CLIENTS]),
            Series("offline, best batch", [CLIENTS[0], CLIENTS[-1]], [per_s("offline")] * 2),
        ],
        logarithmic=True,
    )
