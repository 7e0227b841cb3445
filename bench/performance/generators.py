"""Three generators compared: the reference path, transformers' continuous batching, and the engine's generator.

All generate the same replies from the same prompts, in turns, each in its own process. Then one prompt of eight
contains a number that is not finite, and the other seven replies are compared with those without it.
"""

from contextlib import ExitStack
from typing import Annotated

import typer

from bench.contenders.generation import WAYS, run_contender
from bench.reporting.estimates import estimate_median, estimate_ratio
from bench.reporting.report import report_measurement

COMPANY = 8


def measure_generators(
    rounds: Annotated[int, typer.Option(help="Number of turns.", min=3)] = 5,
    replies: Annotated[int, typer.Option(help="Replies generated at a time.", min=2)] = 32,
    tokens: Annotated[int, typer.Option(help="Tokens of each reply.", min=2)] = 64,
) -> None:
    """The engine's generator against one reply at a time and transformers' continuous batching."""
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    equal: dict[str, int] = {}
    unharmed: dict[str, int] = {}
    with ExitStack() as stack:
        contenders = {name: stack.enter_context(run_contender(name)) for name in WAYS}
        for number in range(rounds + 1):
            for name, one in contenders.items():
                made = one.generate(replies, tokens)
                if number:  # the first is the warm-up
                    seconds[name].append(made["seconds"])
        expected = contenders["sequential"].generate(replies, tokens)["tokens_of"]
        alone = contenders["sequential"].generate(COMPANY, tokens)["tokens_of"]
        for name, one in contenders.items():
            equal[name] = _count_equal(one.generate(replies, tokens)["tokens_of"], expected)
            unharmed[name] = _count_equal(one.generate(COMPANY, tokens, poison=True)["tokens_of"][1:], alone[1:])
    speed = {name: [replies * tokens / one for one in values] for name, values in seconds.items()}
    report_measurement(
        "generators",
        ("generator", "tokens/s", "own / this", f"equal, of {replies}", f"unharmed, of {COMPANY - 1}"),
        [
            (name, estimate_median(speed[name]), estimate_ratio(speed["own"], speed[name]), equal[name], unharmed[name])
            for name in WAYS
        ],
        figures={
            "tokens_per_s": {name: estimate_median(values) for name, values in speed.items()},
            "own_by": {name: estimate_ratio(speed["own"], values) for name, values in speed.items()},
            "equal_replies": equal,
            "replies": replies,
            "tokens": tokens,
            "unharmed_beside_a_broken_prompt": unharmed,
            "beside_a_broken_prompt": COMPANY - 1,
        },
    )


def _count_equal(made: list[list[int]], expected: list[list[int]]) -> int:
    return sum(one == other for one, other in zip(made, expected, strict=True))
