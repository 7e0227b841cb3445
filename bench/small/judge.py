"""Cost of a verdict of safevlm-small, compared with asking the same backbone and letting it write ten tokens.

The judge is the unguarded server with the question that the evaluation asks it; the content of its verdict is ignored.
It reads no lettering, so the bar compares it with the guard without its reader.
"""

import statistics
from collections.abc import Callable
from contextlib import ExitStack
from typing import Annotated

import typer

from bench.load.http_client import Request, run_closed_loop
from bench.paths import SMALL
from bench.reporting.estimates import estimate_median, estimate_ratio
from bench.reporting.report import Bar, report_measurement
from bench.small.servers import CheckpointOption, check_checkpoint, run_small_server, take_turns
from bench.small.workload import QUESTION, SCENE, build_chat, build_classification
from safety_core.small.evaluation.systems.generative_judge import ANSWER_TOKENS
from safety_core.small.evaluation.systems.generative_judge import QUESTION as JUDGE_QUESTION

UNREAD, READ = "guard, without the reader", "guard, with the reader"
JUDGE = f"generative judge, {ANSWER_TOKENS} tokens"


def measure_small_judge(
    rounds: Annotated[int, typer.Option(help="Number of turns.", min=5)] = 8,
    requests: Annotated[int, typer.Option(help="Requests of each contender in a turn.", min=1)] = 5,
    checkpoint: CheckpointOption = SMALL,
) -> None:
    """safevlm-small: a verdict against a generative judge of 10 tokens on the same backbone."""
    notes = check_checkpoint(checkpoint)
    asked = JUDGE_QUESTION.format(picture="The message comes with the picture.\n", text=QUESTION)
    with ExitStack() as stack:

        def start(*options: str, read: str) -> str:
            return stack.enter_context(run_small_server(*options, checkpoint=checkpoint, read_pictures=read)).url

        unread, read = start("--endless", read="false"), start("--endless", read="auto")
        judge = start("--endless", "--unguarded", read="false")
        contenders: dict[str, Callable[[], float]] = {
            UNREAD: lambda: _measure_seconds(unread, lambda: build_classification(SCENE), requests),
            READ: lambda: _measure_seconds(read, lambda: build_classification(SCENE), requests),
            JUDGE: lambda: _measure_seconds(
                judge, lambda: build_chat(SCENE, max_tokens=ANSWER_TOKENS, prompt=asked, stream=False), requests
            ),
        }
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for name, value in take_turns(contenders, rounds):
            seconds[name].append(value)
    ratios = {name: estimate_ratio(seconds[name], seconds[JUDGE]) for name in (UNREAD, READ)}
    report_measurement(
        "small_judge",
        ("verdict", "ms", "this / generative judge"),
        [
            (name, estimate_median([1e3 * one for one in values]), ratios.get(name, ""))
            for name, values in seconds.items()
        ],
        figures={
            "ms": {name: estimate_median([1e3 * one for one in values]) for name, values in seconds.items()},
            "by_judge": dict(ratios),
            "rounds": rounds,
            "requests_a_round": requests,
        },
        bars=[Bar(f"a verdict without the reader / {JUDGE}", ratios[UNREAD].median, at_most=0.3)],
        notes=notes,
    )


def _measure_seconds(url: str, build: Callable[[], Request], requests: int) -> float:
    answers = run_closed_loop(url, (build() for _ in range(requests)), clients=1)
    if any(answer.status != 200 for answer in answers):
        raise typer.BadParameter("a request failed")
    return statistics.median(answer.seconds for answer in answers)
