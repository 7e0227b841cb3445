"""Chats of several clients with safevlm-small, compared with ``transformers serve`` and with llama.cpp's server.

All replies have the same number of tokens. ``transformers serve`` runs the same backbone, with pictures; llama.cpp runs
the same language model in four bits, without pictures, so it is compared in chats of words alone. Neither judges. If
other processes used the machine, the bars hold for tokens a CPU-second.
"""

import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from bench.contenders.llama_cpp import MODEL_NAME, find_absence, read_version, run_llama_cpp
from bench.contenders.transformers_serve import run_transformers_serve, write_plain_llava
from bench.load.http_client import Request, run_closed_loop
from bench.load.servers import Server
from bench.paths import SMALL
from bench.reporting.estimates import estimate_median, estimate_ratio
from bench.reporting.records import measure_foreign_cores
from bench.reporting.report import NOISY, Bar, report_measurement
from bench.small.servers import CheckpointOption, check_checkpoint, require_answers, run_small_server, take_turns
from bench.small.workload import SCENE, build_chat, build_tale, build_transformers_chat

TOKENS = 48
AT_LEAST = 3
OURS, PLAIN, OURS_TEXT, LLAMA = "safevlm", "transformers serve", "safevlm, words", "llama.cpp, words"
PRECISIONS = ("float32", "bfloat16")

BARS = {(OURS, PLAIN, 1): 1.0, (OURS, PLAIN, 32): 3.0, (OURS_TEXT, LLAMA, 1): 0.5, (OURS_TEXT, LLAMA, 8): 1.0}
"""Smallest ratio of tokens a second, by our contender, the other one and the number of clients."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A server and its requests."""

    server: Server
    build: Callable[[], Request]
    clients: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """The speed of all clients together."""

    tokens_per_s: float
    tokens_per_cpu_s: float
    """For each second of processor time of the server."""


def measure_small_chat(
    rounds: Annotated[int, typer.Option(help="Number of turns.", min=5)] = 5,
    most: Annotated[int, typer.Option(help="Largest number of clients; the others are 1, 8 and 32.", min=1)] = 32,
    checkpoint: CheckpointOption = SMALL,
) -> None:
    """safevlm-small: tokens a second at 1, 8 and 32 clients, against `transformers serve` and llama.cpp's server."""
    notes = check_checkpoint(checkpoint)
    figures: dict[str, object] = {"rounds": rounds, "reply_tokens": TOKENS}
    numbers = count()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        plain = write_plain_llava(checkpoint, folder / "plain", endless=True, allow_untrained=True).resolve()
        precision = _find_faster_precision(plain)
        ours = stack.enter_context(run_small_server("--endless", checkpoint=checkpoint))
        contenders = {
            OURS: Contender(server=ours, build=lambda: build_chat(SCENE, max_tokens=TOKENS), clients=(1, 8, 32)),
            PLAIN: Contender(
                server=stack.enter_context(run_transformers_serve(plain, dtype=precision)),
                build=lambda: build_transformers_chat(SCENE, str(plain), max_tokens=TOKENS),
                clients=(1, 8, 32),
            ),
        }
        notes.append(f"{PLAIN} runs in {precision}, the faster of {' and '.join(PRECISIONS)} for one client")
        if (absence := find_absence()) is not None:
            notes.append(absence)
        else:
            contenders[OURS_TEXT] = Contender(
                server=ours,
                build=lambda: build_tale(next(numbers), checkpoint.resolve().name, max_tokens=TOKENS),
                clients=(1, 8),
            )
            contenders[LLAMA] = Contender(
                server=stack.enter_context(run_llama_cpp(folder)),
                build=lambda: build_tale(next(numbers), MODEL_NAME, max_tokens=TOKENS),
                clients=(1, 8),
            )
            figures["llama_cpp_python"] = read_version()
        speeds: dict[tuple[str, int], list[Speed]] = {}
        for key, speed in take_turns(dict(_list_measurements(contenders, most)), rounds):
            speeds.setdefault(key, []).append(speed)
    units = {"tokens_per_s": "tokens/s", "tokens_per_cpu_s": "tokens/CPU-second"}
    values = {
        unit: {key: [getattr(one, unit) for one in measured] for key, measured in speeds.items()} for unit in units
    }
    ratios = {
        unit: {
            (one, other, clients): estimate_ratio(values[unit][one, clients], values[unit][other, clients])
            for one, other in ((OURS, PLAIN), (OURS_TEXT, LLAMA))
            for clients in (1, 8, 32)
            if (other, clients) in speeds
        }
        for unit in units
    }
    table = [(*key, *(estimate_median(values[unit][key]) for unit in units)) for key in sorted(speeds)]
    table += [
        (f"{one} / {other}", clients, *(ratios[unit][one, other, clients] for unit in units))
        for one, other, clients in ratios["tokens_per_s"]
    ]
    for column, unit in enumerate(units, start=2):
        figures[unit] = {f"{row[0]}, {row[1]}": row[column] for row in table}
    used = "tokens_per_s"
    if (foreign := measure_foreign_cores()) > NOISY:
        used = "tokens_per_cpu_s"
        notes.append(
            f"the machine was busy: other processes used {foreign:.1f} cores, so the bars hold for CPU-seconds"
        )
    report_measurement(
        "small_chat",
        ("contender", "clients", *units.values()),
        table,
        figures=figures,
        bars=[
            Bar(
                f"{one} / {other}, {units[used]} at {_name_clients(clients)}",
                ratios[used][one, other, clients].median,
                at_least=bar,
            )
            for (one, other, clients), bar in BARS.items()
            if (one, other, clients) in ratios[used]
        ],
        notes=[*notes, "only safevlm judges; llama.cpp runs four-bit weights, and one request after another"],
    )


def _list_measurements(
    contenders: dict[str, Contender], most: int
) -> Iterator[tuple[tuple[str, int], Callable[[], Speed]]]:
    """List the measurements of a round; those that are compared follow each other."""
    for clients in (1, 8, 32):
        for name, contender in contenders.items():
            if clients in contender.clients and clients <= most:
                yield (name, clients), partial(_measure_speed, name, contender, clients)


def _measure_speed(name: str, contender: Contender, clients: int) -> Speed:
    """Measure the speed of some clients, who send each request after the reply to the one before."""
    wanted = (contender.build() for _ in range(max(AT_LEAST, clients)))
    cpu_s = contender.server.cpu_s
    answers = require_answers(name, run_closed_loop(contender.server.url, wanted, clients=clients), tokens=TOKENS)
    cpu_s = contender.server.cpu_s - cpu_s
    span = max(one.sent + one.seconds for one in answers) - min(one.sent for one in answers)
    tokens = sum(one.tokens for one in answers)
    return Speed(tokens_per_s=tokens / span, tokens_per_cpu_s=tokens / cpu_s)


def _find_faster_precision(plain: Path) -> str:
    """Find the precision in which ``transformers serve`` answers one client faster."""
    seconds = {}
    for precision in PRECISIONS:
        with run_transformers_serve(plain, dtype=precision) as server:
            wanted = (build_transformers_chat(SCENE, str(plain), max_tokens=TOKENS) for _ in range(AT_LEAST + 1))
            answers = require_answers(PLAIN, run_closed_loop(server.url, wanted, clients=1), tokens=TOKENS)
            seconds[precision] = statistics.median(answer.seconds for answer in answers[1:])
    return min(seconds, key=lambda precision: seconds[precision])


def _name_clients(clients: int) -> str:
    return "1 client" if clients == 1 else f"{clients} clients"
