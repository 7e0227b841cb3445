"""The durations and the memory of a server with safevlm-small, each beside the same parts without a server.

The bare parts are run before and after each figure of a round. If they show that other processes used the machine, the
bars hold for processor time instead, which is at least the duration that the figure has on an idle machine.
"""

import statistics
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from bench.contenders.bare_parts import BareParts, Cost, run_bare_parts
from bench.load.http_client import Request, run_closed_loop
from bench.load.servers import Server
from bench.paths import SMALL
from bench.reporting.estimates import Estimate, estimate_median
from bench.reporting.report import Bar, report_measurement
from bench.small.servers import CheckpointOption, check_checkpoint, require_answers, run_small_server
from bench.small.workload import LETTERING, QUESTION, SCENE, build_chat, build_classification, draw_picture

TOKENS = 48

BUSY = 1.2
"""Median duration of the bare parts, as a multiple of their shortest, above which the machine counts as busy."""


@dataclass(slots=True, kw_only=True)
class Figure:
    """One figure of all rounds, with its bar."""

    name: str
    part: str
    """Name of the bare part."""

    picture: str
    bar_s: float
    """Longest duration in seconds."""

    costs: list[Cost] = field(default_factory=list)
    """Of the server."""

    bare: list[Cost] = field(default_factory=list)
    """Of the bare part, the mean of before and after."""

    @property
    def is_busy(self) -> bool:
        """Whether the bare part shows that other processes used the machine."""
        return statistics.median(one.seconds for one in self.bare) > BUSY * min(one.seconds for one in self.bare)

    def estimate(self, name: str, costs: list[Cost] | None = None) -> Estimate:
        """Estimate the median in milliseconds of ``seconds`` or ``cpu_s``, by default of the server."""
        return estimate_median([1e3 * getattr(one, name) for one in (self.costs if costs is None else costs)])

    def estimate_ratio(self, name: str) -> Estimate:
        """Estimate the ratio to the bare part."""
        pairs = zip(self.costs, self.bare, strict=True)
        return estimate_median([getattr(one, name) / getattr(other, name) for one, other in pairs])

    def create_bar(self) -> Bar:
        """Create the bar: of the duration, or of the processor time on a busy machine."""
        if self.is_busy:
            return Bar(f"{self.name}, CPU ms", self.estimate("cpu_s").median, at_most=1e3 * self.bar_s)
        return Bar(f"{self.name}, ms", self.estimate("seconds").median, at_most=1e3 * self.bar_s)


def measure_small(
    rounds: Annotated[int, typer.Option(help="Number of turns.", min=5)] = 7,
    requests: Annotated[int, typer.Option(help="Requests of each kind in a turn.", min=1)] = 5,
    starts: Annotated[int, typer.Option(help="Number of server starts.", min=1)] = 5,
    checkpoint: CheckpointOption = SMALL,
) -> None:
    """safevlm-small: verdict with and without lettering, first token, tokens a second, time to ready, memory."""
    notes = check_checkpoint(checkpoint)
    figures = [
        Figure(name="verdict", part="verdict", picture=SCENE, bar_s=0.4),
        Figure(name="verdict with lettering", part="verdict", picture=LETTERING, bar_s=0.8),
        Figure(name="first token with a picture", part="first", picture=SCENE, bar_s=1.5),
        Figure(name="token of one client", part="tokens", picture=SCENE, bar_s=1 / 8),
    ]
    ready = Figure(name="ready", part="load", picture=SCENE, bar_s=20.0)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in (SCENE, LETTERING):
            (folder / name).write_bytes(draw_picture(name))
        bare = stack.enter_context(run_bare_parts(checkpoint))
        for _ in range(starts):
            before = bare.measure("load", folder, "")
            with run_small_server(checkpoint=checkpoint) as server:
                ready.costs.append(Cost(server.ready_s, server.cpu_s))
            ready.bare.append(before)
        plain = stack.enter_context(run_small_server(checkpoint=checkpoint))
        endless = stack.enter_context(run_small_server("--endless", checkpoint=checkpoint))
        for number in range(rounds + 1):
            for figure in figures if number % 2 else reversed(figures):
                cost, beside = _measure_beside(
                    figure, bare, folder, endless if figure.part == "tokens" else plain, requests
                )
                if number:  # the first is the warm-up
                    figure.costs.append(cost)
                    figure.bare.append(beside)
        memory_gib = plain.whole_rss_mb / 1024
    _report([*figures, ready], memory_gib, notes, {"rounds": rounds, "requests_a_round": requests, "starts": starts})


def _measure_beside(figure: Figure, bare: BareParts, folder: Path, server: Server, requests: int) -> tuple[Cost, Cost]:
    """Measure a figure of the server, and its bare part before and after."""

    def run_bare() -> list[Cost]:
        return [bare.measure(figure.part, folder / figure.picture, QUESTION, TOKENS - 1) for _ in range(2)]

    beside = run_bare()
    cost = _measure_tokens(figure, server) if figure.part == "tokens" else _measure_requests(figure, server, requests)
    beside += run_bare()
    count = TOKENS - 1 if figure.part == "tokens" else 1
    return cost, Cost(
        *(statistics.median(getattr(one, name) for one in beside) / count for name in ("seconds", "cpu_s"))
    )


def _measure_requests(figure: Figure, server: Server, requests: int) -> Cost:
    """Measure the requests of a figure, one after another; a chat ends with its first token."""
    build: Callable[[], Request] = (
        (lambda: build_chat(figure.picture, max_tokens=1))
        if figure.part == "first"
        else (lambda: build_classification(figure.picture))
    )
    cpu_s = server.cpu_s
    answers = run_closed_loop(server.url, (build() for _ in range(requests)), clients=1)
    if figure.part == "first":
        require_answers(figure.name, answers)
    elif any(answer.status != 200 for answer in answers):
        raise typer.BadParameter(f"{figure.name}: a request failed")
    seconds = [answer.seconds if answer.first_s is None else answer.first_s for answer in answers]
    return Cost(statistics.median(seconds), (server.cpu_s - cpu_s) / requests)


def _measure_tokens(figure: Figure, server: Server) -> Cost:
    """Measure a token after the first: the difference of a chat of many tokens and one of a single token."""
    costs = []
    for tokens in (1, TOKENS):
        cpu_s = server.cpu_s
        answers = run_closed_loop(server.url, [build_chat(figure.picture, max_tokens=tokens)], clients=1)
        require_answers(figure.name, answers, tokens=tokens)
        costs.append(Cost(answers[0].seconds, server.cpu_s - cpu_s))
    first, whole = costs
    return Cost((whole.seconds - first.seconds) / (TOKENS - 1), (whole.cpu_s - first.cpu_s) / (TOKENS - 1))


def _report(figures: list[Figure], memory_gib: float, notes: list[str], settings: dict[str, object]) -> None:
    busy = [figure.name for figure in figures if figure.is_busy]
    if busy:
        notes.append(
            f"the machine was busy during: {', '.join(busy)}. The bare parts took more than {BUSY:g} times their "
            "shortest duration, so these bars hold for processor time"
        )
    bars = [figure.create_bar() for figure in figures]
    speed = next(figure for figure in figures if figure.part == "tokens")
    kind = "CPU-second" if speed.is_busy else "s"
    tokens_per_s = 1e3 / speed.estimate("cpu_s" if speed.is_busy else "seconds").median
    bars[figures.index(speed)] = Bar(f"tokens/{kind} of one client", tokens_per_s, at_least=8.0)
    bars.append(Bar("memory, GiB", memory_gib, at_most=2.5))
    report_measurement(
        "small",
        ("figure", "ms", "CPU ms", "bare, ms", "bare, CPU ms", "ms / bare", "CPU / bare"),
        [
            (
                *(figure.name, figure.estimate("seconds"), figure.estimate("cpu_s")),
                *(figure.estimate("seconds", figure.bare), figure.estimate("cpu_s", figure.bare)),
                *(figure.estimate_ratio("seconds"), figure.estimate_ratio("cpu_s")),
            )
            for figure in figures
        ],
        figures={
            **{
                figure.name: {
                    "ms": figure.estimate("seconds"),
                    "cpu_ms": figure.estimate("cpu_s"),
                    "bare_ms": figure.estimate("seconds", figure.bare),
                    "bare_cpu_ms": figure.estimate("cpu_s", figure.bare),
                    "by_bare": figure.estimate_ratio("seconds"),
                    "cpu_by_bare": figure.estimate_ratio("cpu_s"),
                    "busy": figure.is_busy,
                }
                for figure in figures
            },
            "memory_gib": memory_gib,
            **settings,
        },
        bars=bars,
        notes=notes,
    )
