"""Bounds of a fuzzing run: the defaults are sized for CI, the environment variables for ``make fuzz``.

FUZZ_CASES is the number of damaged files to decode and determines the other bounds; FUZZ_SEED selects the files.
"""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Bounds of one run; the defaults are those of CI."""

    seed: int = 0
    """Seed of the run; each seed gives other files."""

    decoded: int = 15_000
    """Number of damaged files to decode."""

    served: int = 400
    """Number of damaged files to send to a server."""

    examples: int = 8
    """Random requests for each operation and each kind of data, in addition to the fixed ones."""

    scenarios: int = 8
    """Number of request sequences."""

    keyless_edges: bool = False
    """Whether a server without keys also gets the edge values of every field; a server with keys always does."""


PER_MILLION = Bounds(decoded=1_000_000, served=17_500, examples=625, scenarios=500, keyless_edges=True)
"""Bounds of ``make fuzz`` by default; with another number of cases, the other bounds change in proportion."""


def bounds() -> Bounds:
    """Read the bounds of this run from the environment."""
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
