"""Of several readings of a text (raw and normalised), the one that decides: the worst. A pure function; no torch."""

from collections.abc import Sequence
from dataclasses import dataclass

from safety_core.policy import Policy, Verdict, decide_worst
from safety_core.prompts import Turn
from safety_core.taxonomy import Taxonomy
from safety_core.types import PairScores, RiskScores

Turns = tuple[Turn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One reading of the text, judged with the pictures."""

    turns: Turns
    """The text; where it decides, it is what the language model gets."""

    pair: PairScores
    """Everything the head said."""

    verdict: Verdict
    """The decision."""

    scores: RiskScores | None
    """The view it came from; None where the scores are not all finite: then there is no verdict."""


def worst_reading(policy: Policy, taxonomy: Taxonomy, turns: Sequence[Turns], pairs: Sequence[PairScores]) -> Reading:
    """The reading that decides; one whose scores are not finite comes before any other.

    Args:
        policy: decides.
        taxonomy: the scores'.
        turns: the readings, at least one.
        pairs: the scores of each.

    Raises:
        ValueError: there are not as many scores as readings, or none.
    """
    judged = [
        Reading(turns=one, pair=pair, verdict=verdict, scores=scores)
        for one, pair in zip(turns, pairs, strict=True)
        for verdict, scores in [decide_worst(policy, taxonomy, pair)]
    ]
    return max(judged, key=lambda reading: (reading.scores is None, reading.verdict.gravity))
