"""Of several readings of a text (raw and normalised), the one that decides: the worst. Pure functions; no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from safety_core.inputs.prompts import Turn
from safety_core.policy.book import ActivePolicy
from safety_core.policy.policy import Decision, Policy, Verdict, decide_worst
from safety_core.scores import PairScores, RiskScores
from safety_core.taxonomy import Taxonomy

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
    return max(judged, key=lambda reading: (reading.scores is None, reading.verdict.severity_key))


def ruled(
    rules: ActivePolicy, taxonomy: Taxonomy, turns: Sequence[Turns], pairs: Sequence[PairScores]
) -> tuple[Reading, Mapping[str, Verdict]]:
    """The reading that decides, with the decision that has consequences, and what was decided without any.

    Policies beside the one in force are asked about the same scores. In shadow mode it is among them, and what has
    consequences is that everything is allowed, unless there is no verdict. Raises as :func:`worst_reading`.
    """
    worst = worst_reading(rules.policy, taxonomy, turns, pairs)
    others = {one.name: worst_reading(one.policy, taxonomy, turns, pairs).verdict for one in rules.beside}
    if worst.scores is None or rules.enforced:
        return worst, others
    return replace(worst, verdict=replace(worst.verdict, decision=Decision.ALLOWED)), {
        **others,
        rules.name: worst.verdict,
    }
