"""How much is tried: what CI has time for, or what whoever runs ``make fuzz`` asks for.

FUZZ_CASES is the number of damaged files that are decoded, FUZZ_SEED which ones; everything else follows from them.
"""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Bounds of one run; the defaults are CI's."""

    seed: int = 0
    """Which of endlessly many runs."""

    decoded: int = 15_000
    """Damaged files that are decoded."""

    served: int = 400
    """Damaged files that are sent to a server."""

    examples: int = 8
    """Requests made up for each operation and each kind of data, besides those that every run makes."""

    scenarios: int = 8
    """Sequences of requests."""

    keyless_edges: bool = False
    """Whether the edges of every field are tried on a server without keys too, not only on one with keys."""


PER_MILLION = Bounds(decoded=1_000_000, served=17_500, examples=625, scenarios=500, keyless_edges=True)
"""What `make fuzz` tries by default; other numbers of cases change the rest in proportion."""


def bounds() -> Bounds:
    """The bounds of this run."""
    seed, cases = int(os.environ.get("FUZZ_SEED", "0")), os.environ.get("FUZZ_CASES", "")
    if not cases:
        return Bounds(seed=seed)
    share = int(cases) / PER_MILLION.decoded
    return Bounds(
        seed=seed,
        decoded=int(cases),
        served=max(1, round(share * PER_MILLION.served)),
        examples=max(1, round(share * PER_MILLION.examples)),
        scenarios=max(1, round(share * PER_MILLION.scenarios)),
        keyless_edges=True,
    )
