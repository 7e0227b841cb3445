"""Which generator to keep: the plain path one by one, transformers' continuous batching, or the engine's own.

All make the same replies from the same prompts, in turns, each in a process of its own. Then one prompt of eight holds
a number that is not finite: how many of the other seven replies still are what they were.
"""

from contextlib import ExitStack
from typing import Annotated

import typer

from bench.contenders.generation import WAYS, contender
from bench.report import tell
from bench.stats import median, ratio

COMPANY = 8


def generators(
    rounds: Annotated[int, typer.Option(help="Times that the contenders take turns.", min=3)] = 5,
    replies: Annotated[int, typer.Option(help="Replies at a time.", min=2)] = 32,
    tokens: Annotated[int, typer.Option(help="Tokens of each.", min=2)] = 64,
) -> None:
    """The engine's generator against one reply at a time and transformers' continuous batching."""
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    equal: dict[str, int] = {}
    unharmed: dict[str, int] = {}
    with ExitStack() as stack:
        contenders = {name: stack.enter_context(contender(name)) for name in WAYS}
        for number in range(rounds + 1):
            for name, one in contenders.items():
                made = one.make(replies, tokens)
                if number:  # the first is the warm-up
                    seconds[name].append(made["seconds"])
        expected = contenders["sequential"].make(replies, tokens)["tokens_of"]
        alone = contenders["sequential"].make(COMPANY, tokens)["tokens_of"]
        for name, one in contenders.items():
            equal[name] = _same(one.make(replies, tokens)["tokens_of"], expected)
            unharmed[name] = _same(one.make(COMPANY, tokens, poison=True)["tokens_of"][1:], alone[1:])
    speed = {name: [replies * tokens / one for one in values] for name, values in seconds.items()}
    tell(
        "generators",
        ("generator", "tokens/s", "own / this", f"equal, of {replies}", f"unharmed, of {COMPANY - 1}"),
        [(name, median(speed[name]), ratio(speed["own"], speed[name]), equal[name], unharmed[name]) for name in WAYS],
        figures={
            "tokens_per_s": {name: median(values) for name, values in speed.items()},
            "own_by": {name: ratio(speed["own"], values) for name, values in speed.items()},
            "equal_replies": equal,
            "replies": replies,
            "tokens": tokens,
            "unharmed_beside_a_broken_prompt": unharmed,
            "beside_a_broken_prompt": COMPANY - 1,
        },
    )


def _same(made: list[list[int]], expected: list[list[int]]) -> int:
    return sum(one == other for one, other in zip(made, expected, strict=True))
