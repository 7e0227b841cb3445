"""McNemar's exact test on paired outcomes of two systems. Knows nothing of models, suites or risk.

Shapes: P pairs.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from safety_core.evaluation.statistics.estimates import BoolArray, FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """Result of the test on the pairs of two systems, each handled correctly or not."""

    only_first: int
    """Number of pairs that only the first system handles correctly."""

    only_second: int
    """Number of pairs that only the second system handles correctly."""

    n: int
    """Number of pairs scored in both systems."""

    p_value: float
    """Two-sided exact binomial probability of a split at least this uneven; 1.0 if the systems never disagree."""

    def to_dict(self) -> dict[str, float | int]:
        """Return the JSON form."""
        return asdict(self)


def run_mcnemar_test(first_P: FloatArray, second_P: FloatArray, applies_P: BoolArray) -> McNemar:
    """Run McNemar's exact test on per-pair outcomes: 1 correct, 0 wrong, NaN unscored (left out).

    Source: McNemar, Psychometrika 12 (1947); the exact binomial form.
    """
    scored_P = applies_P & ~np.isnan(first_P) & ~np.isnan(second_P)
    only_first = int((scored_P & (first_P > second_P)).sum())
    only_second = int((scored_P & (second_P > first_P)).sum())
    discordant = only_first + only_second
    tail = sum(math.comb(discordant, k) for k in range(min(only_first, only_second) + 1))
    # Integers until the last step: 2^n exceeds the range of floats at about a thousand discordant pairs.
    p_value = min(1.0, 2 * tail / 2**discordant)
    return McNemar(only_first=only_first, only_second=only_second, n=int(scored_P.sum()), p_value=p_value)
