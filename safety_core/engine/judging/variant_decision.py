"""Decides by the worst of several text variants, such as the text as sent and normalised. Pure functions; no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from safety_core.inputs.conversation import Turn
from safety_core.policy.named_policies import ActivePolicy
from safety_core.policy.policy import Decision, Policy, Verdict, decide_worst
from safety_core.scores import PairScores, RiskScores
from safety_core.taxonomy import Taxonomy

Turns = tuple[Turn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedVariant:
    """One variant of the text, judged together with the images."""

    turns: Turns
    """The text; the language model reads it if this variant determines the decision."""

    pair: PairScores
    """All scores of the head."""

    verdict: Verdict
    """The decision on these scores."""

    scores: RiskScores | None
    """The scores that the decision is based on; None if any score is not finite, so that there is no verdict."""


def find_worst_variant(
    policy: Policy, taxonomy: Taxonomy, turns: Sequence[Turns], pairs: Sequence[PairScores]
) -> JudgedVariant:
    """Find the worst variant, which determines the decision; scores that are not finite are worse than any others.

    Args:
        policy: the policy to decide by.
        taxonomy: the taxonomy of the scores.
        turns: the variants of the text, at least one.
        pairs: the scores of each variant.

    Raises:
        ValueError: the numbers of variants and scores differ, or there are none.
    """
    judged = [
        JudgedVariant(turns=one, pair=pair, verdict=verdict, scores=scores)
        for one, pair in zip(turns, pairs, strict=True)
        for verdict, scores in [decide_worst(policy, taxonomy, pair)]
    ]
    return max(judged, key=lambda variant: (variant.scores is None, variant.verdict.severity_key))


def decide_variants(
    active: ActivePolicy, taxonomy: Taxonomy, turns: Sequence[Turns], pairs: Sequence[PairScores]
) -> tuple[JudgedVariant, Mapping[str, Verdict]]:
    """Find the worst variant with the enforced decision, and the decisions that are only recorded, by policy name.

    The policies beside the one in force are applied to the same scores. In shadow mode, the decision of the policy in
    force is only recorded as well, and the enforced decision is to allow, unless there is no verdict. Raises as
    :func:`find_worst_variant`.
    """
    worst = find_worst_variant(active.policy, taxonomy, turns, pairs)
    others = {
        policy.name: find_worst_variant(policy.policy, taxonomy, turns, pairs).verdict for policy in active.beside
    }
    if worst.scores is None or active.enforced:
        return worst, others
    return replace(worst, verdict=replace(worst.verdict, decision=Decision.ALLOWED)), {
        **others,
        active.name: worst.verdict,
    }
