"""Latency of a plain client and memory of the server during attacks.

The plain client sends one request at a time, each with a new picture, first to the idle server and then during the
attack. Both clients have the same address and, if the server requires no key, no key.
"""

import asyncio
import multiprocessing
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from bench.load.http_client import Answer, Connection, Request
from bench.load.servers import Server, run_safevlm_server
from bench.load.workload import ANSWERED, build_chat, build_classification
from bench.reporting.estimates import get_quantile
from bench.reporting.report import Bar, report_measurement
from bench.security.attacks import ATTACKS, run_attack
from service.access.api_keys import Scope, format_key_entry, generate_key

SLOWDOWN = 3.0
"""Largest ratio of the plain client's 95th percentile under attack to idle."""

_WARM_UP_S = 2.0
_PLAIN_TIMEOUT_S = 60.0
_PREPARING_S = 120.0
"""Longest time that an attacker may take to create its inputs."""

_SETTLE_S = 2.0
"""Seconds that an attack runs before the plain client is measured."""

_MEMORY_RATIO = 1.5
"""Largest ratio of memory a few seconds after an attack to memory before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The effect of one attack."""

    idle_ms: float
    """95th percentile of the plain client on the idle server, in milliseconds."""

    attacked_ms: float
    """The same during the attack."""

    statuses: Counter[int]
    """HTTP statuses of the plain client's responses during the attack."""

    rss_mb: tuple[float, float, float]
    """Resident memory in megabytes: before the attack, its peak, and a few seconds after it."""

    ready: bool
    """Whether the server was ready after the attack."""

    @property
    def slowdown(self) -> float:
        """Ratio of the 95th percentiles, attacked to idle."""
        return self.attacked_ms / self.idle_ms


def measure_hostile(
    seconds: Annotated[float, typer.Option(help="Duration of each attack in seconds.", min=3)] = 15,
    only: Annotated[str, typer.Option(help="Names of attacks, separated by commas; all if empty.")] = "",
) -> None:
    """Latency of a plain client while the server is attacked in every known way, compared with an idle server."""
    names = [name for name in ATTACKS if not only or name in only.split(",")]
    outcomes = {name: _measure_attack(name, seconds) for name in names}
    report_measurement(
        "hostile",
        ("attack", "idle p95, ms", "attacked p95, ms", "ratio", "plain statuses", "MB before, most, after"),
        [
            (
                ATTACKS[name].summary,
                one.idle_ms,
                one.attacked_ms,
                one.slowdown,
                ", ".join(f"{status}: {count}" for status, count in sorted(one.statuses.items())),
                ", ".join(f"{size:.0f}" for size in one.rss_mb),
            )
            for name, one in outcomes.items()
        ],
        figures={
            "attacks": {
                name: {
                    "idle_ms_p95": one.idle_ms,
                    "attacked_ms_p95": one.attacked_ms,
                    "slowdown": one.slowdown,
                    "statuses": {str(status): count for status, count in sorted(one.statuses.items())},
                    "rss_mb_before": one.rss_mb[0],
                    "rss_mb_most": one.rss_mb[1],
                    "rss_mb_after": one.rss_mb[2],
                    "ready_afterwards": one.ready,
                }
                for name, one in outcomes.items()
            },
            "seconds": seconds,
        },
        bars=[
            *(
                Bar(f"p95 beside {ATTACKS[name].summary} / idle", one.slowdown, at_most=SLOWDOWN)
                for name, one in outcomes.items()
            ),
            Bar(
                "replies to the plain client that are not 200",
                sum(count for one in outcomes.values() for status, count in one.statuses.items() if status != 200),
                at_most=0,
            ),
            Bar(
                "memory after an attack / before, worst",
                max(one.rss_mb[2] / one.rss_mb[0] for one in outcomes.values()),
                at_most=_MEMORY_RATIO,
            ),
            Bar(
                "attacks after which the server was not ready",
                sum(not one.ready for one in outcomes.values()),
                at_most=0,
            ),
        ],
        notes=["Attacker, server and plain client share the cores of one machine."],
    )


def _measure_attack(name: str, seconds: float) -> Outcome:
    attack = ATTACKS[name]
    with tempfile.TemporaryDirectory() as folder, _run_server(attack.with_keys, Path(folder)) as (server, headers):

        def plain() -> Request:
            one = build_chat(ANSWERED, max_tokens=8, stream=False) if attack.chats else build_classification(ANSWERED)
            return Request(path=one.path, body=one.body, content_type=one.content_type, headers=headers)

        _run_plain_client(server, plain, _WARM_UP_S)
        idle = _run_plain_client(server, plain, seconds)
        before_mb = server.rss_mb
        context = multiprocessing.get_context("spawn")
        began = context.Event()
        attacker = context.Process(target=run_attack, args=(name, server.url, began), daemon=True)
        attacker.start()
        with _sample_memory(server) as peak_mb:
            try:
                if not began.wait(_PREPARING_S):
                    raise RuntimeError(f"the attack {name} did not start")
                time.sleep(_SETTLE_S)
                attacked = _run_plain_client(server, plain, seconds)
            finally:
                attacker.kill()
                attacker.join()
        ready = _has_recovered(server, plain)
        return Outcome(
            idle_ms=1e3 * get_quantile([one.seconds for one in idle], 0.95),
            attacked_ms=1e3 * get_quantile([one.seconds for one in attacked], 0.95),
            statuses=Counter(one.status for one in attacked),
            rss_mb=(before_mb, max(peak_mb), server.rss_mb),
            ready=ready,
        )


def _run_plain_client(server: Server, plain: Callable[[], Request], seconds: float) -> list[Answer]:
    """Send plain requests one after the other for some seconds; a broken connection counts as status 0."""
    return asyncio.run(_send_in_turn(server.url, plain, seconds))


async def _send_in_turn(url: str, plain: Callable[[], Request], seconds: float) -> list[Answer]:
    connection, answers = Connection(url), list[Answer]()
    begun = time.perf_counter()
    while not answers or time.perf_counter() - begun < seconds:
        sent = time.perf_counter()
        try:
            async with asyncio.timeout(_PLAIN_TIMEOUT_S):
                answers.append(await connection.post(plain()))
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            took = time.perf_counter() - sent
            answers.append(Answer(status=0, sent=sent, seconds=took, first_s=None, tokens=0, refused=False))
            await connection.close()
    await connection.close()
    return answers


def _has_recovered(server: Server, plain: Callable[[], Request], within_s: float = 30.0) -> bool:
    """Wait until the server answers plain requests again and has had time to release memory."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if all(one.status == 200 for one in _run_plain_client(server, plain, 0.5)):
            time.sleep(5.0)
            return True
    return False


@contextmanager
def _run_server(with_keys: bool, folder: Path) -> Iterator[tuple[Server, bytes]]:
    """Run a server; yields it with the header lines of the plain client."""
    if not with_keys:
        with run_safevlm_server(cache_mb=0) as server:
            yield server, b""
        return
    key = generate_key()
    file = folder / "keys.yaml"
    file.write_text(format_key_entry("plain", key, [Scope.CHAT, Scope.CLASSIFY]), encoding="utf-8")
    with run_safevlm_server(cache_mb=0, api_keys_file=file) as server:
        yield server, f"authorization: Bearer {key}\r\n".encode()


@contextmanager
def _sample_memory(server: Server) -> Iterator[list[float]]:
    """Samples of the server's memory in megabytes, taken while the context is open."""
    samples = [server.rss_mb]
    done = threading.Event()

    def sample() -> None:
        while not done.wait(0.05):
            samples.append(server.rss_mb)

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield samples
    finally:
        done.set()
        sampler.join()
