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

    decoded: int = 40_000
    """Damaged files that are decoded."""

    served: int = 700
    """Damaged files that are sent to a server."""

    examples: int = 25
    """Requests made up for each operation and each kind of data, besides those that every run makes."""

    scenarios: int = 20
    """Sequences of requests."""


def bounds() -> Bounds:
    """The bounds of this run."""
    seed, cases = int(os.environ.get("FUZZ_SEED", "0")), os.environ.get("FUZZ_CASES", "")
    if not cases:
        return Bounds(seed=seed)
    share = int(cases) / Bounds().decoded
    return Bounds(
        seed=seed,
        decoded=int(cases),
        served=max(1, round(share * Bounds().served)),
        examples=max(1, round(share * Bounds().examples)),
        scenarios=max(1, round(share * Bounds().scenarios)),
    )
