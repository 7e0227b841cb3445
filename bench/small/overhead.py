"""Cost of the guard of safevlm-small for chats that are answered: time to first token, guarded over unguarded.

The unguarded server judges nothing and reads no lettering. The guarded one is measured with and without the reader, and
with the reader also on a picture that shows words.
"""

import statistics
from collections.abc import Callable
from contextlib import ExitStack
from typing import Annotated

import typer

from bench.load.http_client import run_closed_loop
from bench.paths import SMALL
from bench.reporting.estimates import estimate_median, estimate_ratio
from bench.reporting.report import report_measurement
from bench.small.servers import CheckpointOption, check_checkpoint, require_answers, run_small_server, take_turns
from bench.small.workload import LETTERING, SCENE, build_chat

TOKENS = 8

UNGUARDED = "unguarded"

GUARDED = {
    "guarded, without the reader": ("unread", SCENE),
    "guarded, with the reader": ("read", SCENE),
    "guarded, with the reader, lettering": ("read", LETTERING),
}
"""Server and picture by the name of the contender."""


def measure_small_overhead(
    starts: Annotated[int, typer.Option(help="Number of starts of all servers.", min=1)] = 4,
    rounds: Annotated[int, typer.Option(help="Turns after each start.", min=3)] = 3,
    requests: Annotated[int, typer.Option(help="Requests of each contender in a turn.", min=1)] = 6,
    checkpoint: CheckpointOption = SMALL,
) -> None:
    """safevlm-small: time to first token, guarded against unguarded, with and without the reader of lettering."""
    notes = check_checkpoint(checkpoint)
    first_ms: dict[str, list[float]] = {name: [] for name in _list_contenders()}
    for _ in range(starts):
        with ExitStack() as stack:
            urls = {
                name: stack.enter_context(run_small_server(*options, checkpoint=checkpoint, read_pictures=read)).url
                for name, options, read in (
                    (UNGUARDED, ("--endless", "--unguarded"), "false"),
                    ("unread", ("--endless",), "false"),
                    ("read", ("--endless",), "auto"),
                )
            }
            for name, milliseconds in take_turns(_create_measurements(urls, requests), rounds):
                first_ms[name].append(milliseconds)
    ratios = {name: estimate_ratio(first_ms[name], first_ms[_get_baseline(name)]) for name in GUARDED}
    report_measurement(
        "small_overhead",
        ("chat", "first token, ms", "guarded / unguarded"),
        [(name, estimate_median(values), ratios.get(name, "")) for name, values in first_ms.items()],
        figures={
            "first_token_ms": {name: estimate_median(values) for name, values in first_ms.items()},
            "by_unguarded": dict(ratios),
            "starts": starts,
            "rounds_a_start": rounds,
            "requests_a_round": requests,
        },
        notes=notes,
    )


def _list_contenders() -> dict[str, tuple[str, str]]:
    """List server and picture of each contender: the unguarded server sees both pictures, too."""
    unguarded = {_name_unguarded(picture): (UNGUARDED, picture) for picture in (SCENE, LETTERING)}
    return unguarded | GUARDED


def _get_baseline(name: str) -> str:
    return _name_unguarded(GUARDED[name][1])


def _name_unguarded(picture: str) -> str:
    return UNGUARDED if picture == SCENE else f"{UNGUARDED}, {picture}"


def _create_measurements(urls: dict[str, str], requests: int) -> dict[str, Callable[[], float]]:
    def create(name: str, server: str, picture: str) -> Callable[[], float]:
        return lambda: _measure_first_ms(name, urls[server], picture, requests)

    return {name: create(name, *case) for name, case in _list_contenders().items()}


def _measure_first_ms(name: str, url: str, picture: str, requests: int) -> float:
    wanted = [build_chat(picture, max_tokens=TOKENS) for _ in range(requests)]
    answers = require_answers(name, run_closed_loop(url, wanted, clients=1), tokens=TOKENS)
    return 1e3 * statistics.median(answer.first_s for answer in answers if answer.first_s is not None)
