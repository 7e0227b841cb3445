"""Cost of the guard for chats that are answered, compared with the lower bound set by its safety tokens.

The guarded and the unguarded server share backbone, HTTP, queues and batching; they take turns, with one client each.
Both are started several times, because the memory layout makes a process a few percent faster or slower for its
whole life.
"""

import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Annotated

import typer

from bench.load.http_client import Answer, run_closed_loop
from bench.load.servers import run_safevlm_server
from bench.load.workload import ANSWERED, build_chat
from bench.paths import CHECKPOINT
from bench.reporting.estimates import estimate_median, estimate_ratio
from bench.reporting.report import Bar, Plot, Series, report_measurement
from safety_core.inputs.conversation import Turn
from safety_core.model.checkpoint.checkpoint import load_checkpoint

TOKENS = 48


def measure_overhead(
    starts: Annotated[int, typer.Option(help="Number of starts of both servers.", min=1)] = 8,
    rounds: Annotated[int, typer.Option(help="Turns after each start.", min=3)] = 3,
    requests: Annotated[int, typer.Option(help="Requests to each server in a turn.", min=1)] = 12,
) -> None:
    """Guarded against unguarded chat: time to first token, tokens a second."""
    measured: dict[str, list[list[Answer]]] = {"guarded": [], "unguarded": []}
    for start in range(starts):
        for name, answers in _take_turns(rounds, requests, guarded_first=start % 2 == 0):
            measured[name].append(answers)
    first = {name: [_get_first_ms(turn) for turn in turns] for name, turns in measured.items()}
    speed = {name: [_get_tokens_per_s(turn) for turn in turns] for name, turns in measured.items()}
    first_ratio = estimate_ratio(first["guarded"], first["unguarded"])
    speed_ratio = estimate_ratio(speed["guarded"], speed["unguarded"])
    words, patches, tokens = _count_positions()
    floor = (words + patches + tokens) / (words + patches)
    asked = starts * rounds * requests
    rows = [
        (name, estimate_median(first[name]), estimate_median(speed[name]), asked) for name in ("guarded", "unguarded")
    ]
    report_measurement(
        "overhead",
        ("chat", "first token, ms", "tokens/s", "requests"),
        [*rows, ("guarded / unguarded", first_ratio, speed_ratio, ""), ("floor (T+N+S)/(T+N)", floor, "", "")],
        figures={
            "first_token_ms": {name: estimate_median(values) for name, values in first.items()},
            "tokens_per_s": {name: estimate_median(values) for name, values in speed.items()},
            "first_token_ratio": first_ratio,
            "tokens_per_s_ratio": speed_ratio,
            "floor": floor,
            "positions": {"words": words, "patches": patches, "safety_tokens": tokens},
            "starts": starts,
            "rounds_a_start": rounds,
            "requests_a_round": requests,
            "reply_tokens": TOKENS,
        },
        bars=[
            Bar("time to first token, guarded / unguarded", first_ratio.median, at_most=1.25),
            Bar("tokens/s, guarded / unguarded", speed_ratio.median, at_least=0.97),
        ],
        plot=Plot(
            title="Time to first token, by round",
            x="round",
            y="ms",
            series=[Series(name, list(range(1, len(values) + 1)), values) for name, values in first.items()],
        ),
    )


def _take_turns(rounds: int, requests: int, *, guarded_first: bool) -> Iterator[tuple[str, list[Answer]]]:
    """Start both servers, warm them up, and send requests in turns."""
    options = {"guarded": ["--endless"], "unguarded": ["--endless", "--unguarded"]}
    names = list(options) if guarded_first else list(reversed(options))
    with ExitStack() as servers:
        urls = {name: servers.enter_context(run_safevlm_server(*options[name], cache_mb=0)).url for name in names}
        for number in range(rounds + 1):
            for name in names if number % 2 else reversed(names):
                wanted = [build_chat(ANSWERED, max_tokens=TOKENS) for _ in range(requests)]
                answers = run_closed_loop(urls[name], wanted, clients=1)
                if number:  # the first is the warm-up
                    yield name, answers


def _get_first_ms(answers: Sequence[Answer]) -> float:
    return 1e3 * statistics.median(answer.first_s for answer in answers if answer.first_s is not None)


def _get_tokens_per_s(answers: Sequence[Answer]) -> float:
    """Speed of decoding alone, measured from the first piece."""
    return statistics.median(
        (answer.tokens - 1) / (answer.seconds - answer.first_s) for answer in answers if answer.first_s is not None
    )


def _count_positions() -> tuple[int, int, int]:
    """Count the positions of the prompt: words, image patches, safety tokens."""
    model = load_checkpoint(CHECKPOINT)
    encoded = model.prompts.encode([Turn(role="user", text=ANSWERED[1])], 1)
    return len(encoded.input_ids) - 1, model.dims.patches, model.config.num_safety_tokens
