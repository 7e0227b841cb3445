"""Chats from many clients at once, compared with ``transformers serve`` and with our server without batching.

Every reply has exactly the requested number of tokens, so that all contenders generate the same number. All contenders
run the same backbone; only our server judges requests.
"""

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from bench.contenders.transformers_serve import run_transformers_serve, write_plain_llava
from bench.load.http_client import Request, run_closed_loop
from bench.load.servers import run_safevlm_server
from bench.load.workload import ANSWERED, build_openai_chat
from bench.load.workload import build_chat as our_chat
from bench.paths import CHECKPOINT
from bench.reporting.estimates import Estimate, estimate_median, estimate_ratio
from bench.reporting.report import Bar, Plot, Series, report_measurement

CLIENTS = (1, 8, 32)
TOKENS = 64
AT_LEAST = 10
OURS, UNBATCHED, PLAIN = "safevlm", "safevlm, one at a time", "transformers serve"

Measured = dict[tuple[str, int], dict[str, list[float]]]


def measure_chat(
    rounds: Annotated[int, typer.Option(help="Number of turns.", min=3)] = 5,
    requests: Annotated[int, typer.Option(help="Requests of each client in a turn.", min=1)] = 2,
) -> None:
    """Tokens a second and time to first token at 1, 8 and 32 clients, against `transformers serve` and no batching."""
    with (
        tempfile.TemporaryDirectory() as folder,
        run_safevlm_server("--endless", cache_mb=0) as ours,
        run_safevlm_server("--endless", cache_mb=0, max_replies=1, max_batch=1) as unbatched,
        run_transformers_serve(write_plain_llava(CHECKPOINT, Path(folder), endless=True)) as plain,
    ):
        contenders: dict[str, tuple[str, Callable[[], Request]]] = {
            OURS: (ours.url, lambda: our_chat(ANSWERED, max_tokens=TOKENS)),
            UNBATCHED: (unbatched.url, lambda: our_chat(ANSWERED, max_tokens=TOKENS)),
            PLAIN: (plain.url, lambda: build_openai_chat(ANSWERED, str(Path(folder).resolve()), max_tokens=TOKENS)),
        }
        measured = _take_turns(contenders, rounds, requests)
    figures: dict[str, object] = {"rounds": rounds, "requests_a_client": requests, "reply_tokens": TOKENS}
    table: list[tuple[object, ...]] = []
    for (name, clients), of in measured.items():
        speed, first = estimate_median(of["tokens_per_s"]), estimate_median(of["first_ms"])
        figures[f"{name}, {clients}"] = {"tokens_per_s": speed, "first_ms": first}
        table.append((name, clients, speed, first))
    ratios = {
        (other, clients): estimate_ratio(
            measured[OURS, clients]["tokens_per_s"], measured[other, clients]["tokens_per_s"]
        )
        for other in (UNBATCHED, PLAIN)
        for clients in CLIENTS
    }
    figures |= {f"{OURS} / {other}, {clients}": value for (other, clients), value in ratios.items()}
    table += [(f"{OURS} / {other}", clients, value, "") for (other, clients), value in ratios.items()]
    report_measurement(
        "chat",
        ("contender", "clients", "tokens/s", "first token, ms"),
        table,
        figures=figures,
        bars=[
            Bar(f"tokens/s at 32 clients / {PLAIN}", ratios[PLAIN, 32].median, at_least=3.0),
            Bar(f"tokens/s at 1 client / {PLAIN}", ratios[PLAIN, 1].median, at_least=1.0),
        ],
        plot=_create_plot(measured),
        notes=[f"{PLAIN} judges nothing, and answers one picture's chat after another"],
    )


def _take_turns(contenders: dict[str, tuple[str, Callable[[], Request]]], rounds: int, requests: int) -> Measured:
    measured: Measured = {
        (name, clients): {"tokens_per_s": [], "first_ms": []} for name in contenders for clients in CLIENTS
    }
    for number in range(rounds + 1):
        for clients in CLIENTS:
            turn = list(contenders.items())
            for name, (url, make) in turn if number % 2 else reversed(turn):
                # Several requests in a row, because caches are cold after the other contenders' turns.
                count = max(AT_LEAST, clients * requests)
                answers = run_closed_loop(url, (make() for _ in range(count)), clients=clients)
                if any(answer.status != 200 or answer.tokens != TOKENS for answer in answers):
                    raise typer.BadParameter(f"{name}: a reply failed or has another length")
                span = max(one.sent + one.seconds for one in answers) - min(one.sent for one in answers)
                if number:  # the first is the warm-up
                    of = measured[name, clients]
                    of["tokens_per_s"].append(sum(one.tokens for one in answers) / span)
                    of["first_ms"].append(1e3 * statistics.median(one.first_s or one.seconds for one in answers))
    return measured


def _create_plot(measured: Measured) -> Plot:
    def speeds(name: str) -> list[float]:
        estimates: list[Estimate] = [estimate_median(measured[name, clients]["tokens_per_s"]) for clients in CLIENTS]
        return [estimate.median for estimate in estimates]

    return Plot(
        title="Tokens a second, all clients together",
        x="clients",
        y="tokens/s",
        series=[Series(name, list(CLIENTS), speeds(name)) for name in (OURS, UNBATCHED, PLAIN)],
        logarithmic=True,
    )
