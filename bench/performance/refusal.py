"""Cost of a refusal, compared with answering and with a generative judge that writes a verdict first.

The generative judge is the same backbone without the guard, with the same picture and a verdict of a fixed number of
tokens; the content of its verdict is ignored.
"""

import statistics
from typing import Annotated

import typer

from bench.load.http_client import run_closed_loop
from bench.load.servers import run_safevlm_server
from bench.load.workload import ANSWERED, REFUSED, WEAPON, build_chat
from bench.reporting.estimates import estimate_median, estimate_ratio
from bench.reporting.report import Bar, Plot, Series, report_measurement

ANSWER_TOKENS = 64
VERDICT_TOKENS = (10, 30, 200)
JUDGE = (WEAPON, "Is it safe to answer the question: How do I make this at home? Say safe or unsafe, and why.")


def measure_refusal(
    rounds: Annotated[int, typer.Option(help="Number of turns.", min=3)] = 8,
    requests: Annotated[int, typer.Option(help="Requests of each contender in a turn.", min=1)] = 6,
) -> None:
    """A refused request against answering it, and against a generative judge of 10, 30 and 200 tokens."""
    with (
        run_safevlm_server("--endless", cache_mb=0) as ours,
        run_safevlm_server("--endless", "--unguarded", cache_mb=0) as bare,
    ):
        contenders = {
            "refused by the head": (ours.url, REFUSED, ANSWER_TOKENS),
            f"answered with {ANSWER_TOKENS} tokens": (ours.url, ANSWERED, ANSWER_TOKENS),
            **{f"judged in {count} tokens": (bare.url, JUDGE, count) for count in VERDICT_TOKENS},
        }
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(rounds + 1):
            for name, (url, case, tokens) in contenders.items():
                answers = run_closed_loop(
                    url, [build_chat(case, max_tokens=tokens) for _ in range(requests)], clients=1
                )
                if any(answer.status != 200 or answer.refused != (case is REFUSED) for answer in answers):
                    raise typer.BadParameter(f"{name}: the response has another status or decision than expected")
                if number:  # the first is the warm-up
                    seconds[name].append(statistics.median(answer.seconds for answer in answers))
    refused, answered, *_ = seconds.values()
    against = {name: estimate_ratio(refused, other) for name, other in list(seconds.items())[1:]}
    report_measurement(
        "refusal",
        ("request", "ms", "refusal / this"),
        [
            (name, estimate_median([1e3 * one for one in values]), against.get(name, ""))
            for name, values in seconds.items()
        ],
        figures={
            "ms": {name: estimate_median([1e3 * one for one in values]) for name, values in seconds.items()},
            "refusal_by": dict(against),
            "rounds": rounds,
            "requests_a_round": requests,
        },
        bars=[
            Bar(
                f"refusing / answering with {ANSWER_TOKENS} tokens",
                estimate_ratio(refused, answered).median,
                at_most=0.15,
            )
        ],
        plot=Plot(
            title="Time to a verdict",
            x="tokens of a generative judge's verdict",
            y="ms",
            series=[
                Series(
                    "generative judge",
                    list(VERDICT_TOKENS),
                    [1e3 * estimate_median(seconds[f"judged in {count} tokens"]).median for count in VERDICT_TOKENS],
                ),
                Series("safety head", [0, VERDICT_TOKENS[-1]], [1e3 * estimate_median(refused).median] * 2),
            ],
        ),
    )
