"""Information in the response times of a server that reveals decisions but no risk scores.

An observer who sees no content, only the times of requests and responses, may try to distinguish refused from answered
requests, and repeated from new ones. Each figure is the area under the ROC curve: the probability that, of two
responses of different kinds, the expected one takes longer; 0.5 is a guess, 0 or 1 is certainty.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Annotated, Any

import numpy as np
import typer

from bench.load.http_client import Answer, Request, run_closed_loop
from bench.load.servers import run_safevlm_server
from bench.load.workload import ANSWERED, REFUSED, WEAPON, build_form, create_unique_picture, read_picture
from bench.reporting.estimates import estimate_median
from bench.reporting.report import report_measurement
from safety_core.evaluation.statistics.classification import build_auroc
from safety_core.evaluation.statistics.estimates import Bootstrap
from service.settings import Settings

CASES = {"allowed": ANSWERED, "cautioned": (WEAPON, "What is in this picture?"), "refused": REFUSED}
_WARM_UP = 3
"""Rounds that do not count; they also fill the cache with the repeated requests."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of request, and the time that an observer measures."""

    path: str
    fields: Mapping[str, object] = field(default_factory=dict)
    timed: Callable[[Answer], float | None] = lambda answer: answer.seconds

    def create_request(self, case: tuple[str, str], *, new: bool) -> Request:
        """Create the request of a case, with new bytes or identical to earlier ones."""
        name, prompt = case
        return build_form(
            self.path, [create_unique_picture(name) if new else read_picture(name)], prompt=prompt, **self.fields
        )


KINDS = {
    "classification": Kind("/v1/classify"),
    "chat of 1 token": Kind("/v1/chat", {"max_tokens": 1}),
    "chat of 16 tokens": Kind("/v1/chat", {"max_tokens": 16}),
    "first words of a stream": Kind("/v1/chat", {"max_tokens": 16, "stream": "true"}, lambda answer: answer.first_s),
}

QUESTIONS: dict[str, tuple[tuple[str, bool], tuple[str, bool]]] = {
    "refused or allowed, new": (("allowed", True), ("refused", True)),
    "refused or allowed, asked before": (("allowed", False), ("refused", False)),
    "cautioned or allowed, new": (("cautioned", True), ("allowed", True)),
    "allowed: new or asked before": (("allowed", True), ("allowed", False)),
    "refused: new or asked before": (("refused", True), ("refused", False)),
}
"""Pairs of request kinds, the expected longer one first; each is a case, and whether the request is new."""


def measure_latency_leak(
    rounds: Annotated[int, typer.Option(help="Number of times that everything is sent.", min=10)] = 200,
) -> None:
    """How well response times distinguish refused from answered and repeated from new requests."""
    sorts = [(kind, case, new) for kind in KINDS for case in CASES for new in (True, False)]
    seconds: dict[tuple[str, str, bool], list[float]] = {sort: [] for sort in sorts}
    # As shipped: replies are judged while they are generated, and verdicts are cached.
    window = Settings.model_fields["reply_window"].default
    with run_safevlm_server(expose_risk="false", reply_window=window) as server:
        for number in range(_WARM_UP + rounds):
            for kind, case, new in Random(number).sample(sorts, len(sorts)):
                request = KINDS[kind].create_request(CASES[case], new=new)
                (answer,) = run_closed_loop(server.url, [request], clients=1)
                took = KINDS[kind].timed(answer)
                if answer.status != 200 or answer.refused != (case == "refused") or took is None:
                    raise typer.BadParameter(f"{kind}, {case}: unexpected status or decision")
                if number >= _WARM_UP:
                    seconds[kind, case, new].append(took)
    ordered = {
        kind: {
            name: estimate_order(seconds[kind, *longer], seconds[kind, *shorter])
            for name, (longer, shorter) in QUESTIONS.items()
        }
        for kind in KINDS
    }
    report_measurement(
        "latency_leak",
        ("", *QUESTIONS),
        [(kind, *(_format_cell(found) for found in by.values())) for kind, by in ordered.items()],
        figures={
            "ordered": ordered,
            "ms": {
                kind: {
                    f"{case}, {'new' if new else 'asked before'}": estimate_median(
                        [1e3 * took for took in seconds[kind, case, new]]
                    )
                    for case in CASES
                    for new in (True, False)
                }
                for kind in KINDS
            },
            "rounds": rounds,
        },
        notes=["One request at a time on one machine; over a network or with other clients, times reveal less."],
    )


def estimate_order(longer: Sequence[float], shorter: Sequence[float]) -> dict[str, float]:
    """Estimate the probability that times of the first sample are longer, with a seeded 95 % bootstrap interval."""
    times = np.array([*longer, *shorter])
    is_longer = np.arange(len(times)) < len(longer)
    found = Bootstrap(range(len(times)), seed=0).estimate(
        build_auroc(times, is_longer, np.ones(len(times), dtype=np.bool_)), n=len(times)
    )
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    return {"auc": round(found.value, 4), "low": round(found.low, 4), "high": round(found.high, 4)}


def format_latency_table(record: Path) -> str:
    """Format a record as the Markdown table of ``docs/robustness.md``."""
    ordered: Mapping[str, Any] = json.loads(record.read_text(encoding="utf-8"))["figures"]["ordered"]
    lines = [f"| | {' | '.join(QUESTIONS)} |", "|---" * (len(QUESTIONS) + 1) + "|"]
    for kind, by in ordered.items():
        lines.append(f"| {kind} | {' | '.join(_format_cell(by[name]) for name in QUESTIONS)} |")
    return "\n".join(lines) + "\n"


def _format_cell(found: Mapping[str, float]) -> str:
    return f"{found['auc']:.2f} [{found['low']:.2f}, {found['high']:.2f}]"
