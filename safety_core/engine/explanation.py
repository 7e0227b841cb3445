"""Explains a decision: all scores of the head, and the thresholds and actions of the policy. Pure functions; no torch.

Names of scores: ``image 1`` is an image with the prompt (or alone if there is no prompt), ``all`` everything together;
``images`` and ``text`` are the surfaces alone, which decide only if there are no other scores.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from safety_core.engine.messages import GuardVerdict
from safety_core.policy.named_policies import ActivePolicy
from safety_core.policy.policy import Action, Verdict, decide
from safety_core.scores import PairScores, RiskScores
from safety_core.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedScore:
    """One output of the head, with the decision of the policy on it."""

    name: str
    """Which images and texts the head read."""

    variant: int
    """Index of the text variant, in the order of ``Guard.prepare``."""

    scores: RiskScores
    """The head's output."""

    verdict: Verdict
    """The decision of the policy on these scores alone."""

    decides: bool
    """Whether the decision on the request takes these scores into account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedRule:
    """The threshold and action of the policy for one level of the type that was decided about."""

    level: int
    belief: float
    """s_k: belief in this level or worse, weighted by the share of the risk that enabled types hold."""

    threshold: float
    action: Action

    @property
    def reached(self) -> bool:
        """Whether the belief reaches the threshold; of the levels reached the highest one determines the action."""
        return self.belief >= self.threshold


def explain_scores(active: ActivePolicy, taxonomy: Taxonomy, variants: Sequence[PairScores]) -> list[ExplainedScore]:
    """All scores of all text variants, in the order in which they were computed."""
    return [
        ExplainedScore(
            name=name, variant=index, scores=scores, verdict=decide(active.policy, taxonomy, scores), decides=decides
        )
        for index, pair in enumerate(variants)
        for name, scores, decides in _name_scores(pair)
    ]


def explain_rules(active: ActivePolicy, verdict: Verdict) -> list[ExplainedRule]:
    """The thresholds and actions that led to a verdict; none if there were no scores to decide by."""
    policy = active.policy
    if verdict.type not in policy.thresholds:
        return []
    return [
        ExplainedRule(
            level=level,
            belief=verdict.level_scores[level],
            threshold=policy.thresholds[verdict.type][level],
            action=policy.actions[verdict.type][level],
        )
        for level in verdict.level_scores
    ]


def explain_verdict(active: ActivePolicy, taxonomy: Taxonomy, found: GuardVerdict) -> dict[str, Any]:
    """An explanation as JSON: the decision, the scores and the rule that determined it, and all other scores."""
    scores = explain_scores(active, taxonomy, found.variant_scores)
    deciding = find_deciding_score(scores)
    by_policy = found.others.get(active.name, found.verdict)
    return {
        "decision": found.verdict.decision.value,
        "reason": found.verdict.reason,
        "policy": {"name": active.name, "mode": active.mode.value, "decision": by_policy.decision.value},
        "others": {name: other.decision.value for name, other in found.others.items() if name != active.name},
        "type": by_policy.type,
        "level": by_policy.level,
        "readings": len(found.variant_scores),
        "decided_by": None if deciding is None else {"view": deciding.name, "reading": deciding.variant},
        "rules": [
            {
                "level": rule.level,
                "name": taxonomy.levels[rule.level],
                "belief": rule.belief,
                "threshold": rule.threshold,
                "reached": rule.reached,
                "action": rule.action.value,
            }
            for rule in explain_rules(active, by_policy)
        ],
        "off": sorted(set(taxonomy.risky_types) - active.policy.enabled),
        "refusal": found.refusal,
        "views": [
            {
                "view": one.name,
                "reading": one.variant,
                "decides": one.decides,
                "decision": one.verdict.decision.value,
                "type": one.verdict.type,
                "level": one.verdict.level,
                "type_scores": dict(zip(taxonomy.types, one.scores.types, strict=True)),
                "level_scores": dict(zip(taxonomy.levels, one.scores.levels, strict=True)),
                "beliefs": {str(level): belief for level, belief in one.verdict.level_scores.items()},
            }
            for one in scores
        ],
    }


def find_deciding_score(scores: Sequence[ExplainedScore]) -> ExplainedScore | None:
    """The scores that the decision is based on: the worst ones; None if there are none."""
    return max((one for one in scores if one.decides), key=lambda one: one.verdict.severity_key, default=None)


def _name_scores(pair: PairScores) -> Iterator[tuple[str, RiskScores, bool]]:
    for index, scores in enumerate(pair.per_image, start=1):
        yield f"image {index}", scores, True
    if pair.joint is not None:
        yield "all", pair.joint, True
    if pair.image is not None:
        yield "images", pair.image, pair.joint is None
    if pair.text is not None:
        yield "text", pair.text, not pair.per_image
