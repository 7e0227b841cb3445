"""Why something was decided: every view that the head scored, under every threshold and rule. Pure functions; no torch.

Names of views: ``image 1`` is a picture with the prompt (or by itself where there is none), ``all`` everything
together, ``images`` and ``text`` the surfaces by themselves, which decide only where nothing else can.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from safety_core.engine.messages import GuardVerdict
from safety_core.policy.book import ActivePolicy
from safety_core.policy.policy import Action, Verdict, decide
from safety_core.scores import PairScores, RiskScores
from safety_core.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One output of the head, and what the policy makes of it."""

    name: str
    """What was looked at."""

    reading: int
    """Which reading of the text it was seen with, from 0, in the order of ``Guard.prepare``."""

    scores: RiskScores
    """The head's output."""

    verdict: Verdict
    """The policy's word on it alone."""

    decides: bool
    """Whether a decision takes it into account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What the policy says of one level of the type that was decided about."""

    level: int
    belief: float
    """s_k: belief in this level or worse, weighed by the share of the risk that enabled types hold."""

    threshold: float
    action: Action

    @property
    def reached(self) -> bool:
        """Whether the belief reaches the threshold; of the levels reached the highest one acts."""
        return self.belief >= self.threshold


def views_of(rules: ActivePolicy, taxonomy: Taxonomy, readings: Sequence[PairScores]) -> list[View]:
    """Every view under every reading, in the order in which they were scored."""
    return [
        View(name=name, reading=index, scores=scores, verdict=decide(rules.policy, taxonomy, scores), decides=decides)
        for index, pair in enumerate(readings)
        for name, scores, decides in _named(pair)
    ]


def rules_of(rules: ActivePolicy, verdict: Verdict) -> list[Rule]:
    """The rules that a verdict came from; none where there was nothing to decide by."""
    policy = rules.policy
    if verdict.type not in policy.thresholds:
        return []
    return [
        Rule(
            level=level,
            belief=verdict.level_scores[level],
            threshold=policy.thresholds[verdict.type][level],
            action=policy.actions[verdict.type][level],
        )
        for level in verdict.level_scores
    ]


def explained(rules: ActivePolicy, taxonomy: Taxonomy, found: GuardVerdict) -> dict[str, Any]:
    """An explanation as JSON: the decision, the view and the rule that made it, and all that was scored."""
    views = views_of(rules, taxonomy, found.readings)
    deciding = worst(views)
    by_rules = found.others.get(rules.name, found.verdict)
    return {
        "decision": found.verdict.decision.value,
        "reason": found.verdict.reason,
        "policy": {"name": rules.name, "mode": rules.mode.value, "decision": by_rules.decision.value},
        "others": {name: other.decision.value for name, other in found.others.items() if name != rules.name},
        "type": by_rules.type,
        "level": by_rules.level,
        "readings": len(found.readings),
        "decided_by": None if deciding is None else {"view": deciding.name, "reading": deciding.reading},
        "rules": [
            {
                "level": rule.level,
                "name": taxonomy.levels[rule.level],
                "belief": rule.belief,
                "threshold": rule.threshold,
                "reached": rule.reached,
                "action": rule.action.value,
            }
            for rule in rules_of(rules, by_rules)
        ],
        "off": sorted(set(taxonomy.risky_types) - rules.policy.enabled),
        "refusal": found.refusal,
        "views": [
            {
                "view": view.name,
                "reading": view.reading,
                "decides": view.decides,
                "decision": view.verdict.decision.value,
                "type": view.verdict.type,
                "level": view.verdict.level,
                "type_scores": dict(zip(taxonomy.types, view.scores.types, strict=True)),
                "level_scores": dict(zip(taxonomy.levels, view.scores.levels, strict=True)),
                "beliefs": {str(level): belief for level, belief in view.verdict.level_scores.items()},
            }
            for view in views
        ],
    }


def worst(views: Sequence[View]) -> View | None:
    """The view that a decision is made by; None where there is none."""
    return max((view for view in views if view.decides), key=lambda view: view.verdict.severity_key, default=None)


def _named(pair: PairScores) -> Iterator[tuple[str, RiskScores, bool]]:
    for index, scores in enumerate(pair.per_image, start=1):
        yield f"image {index}", scores, True
    if pair.joint is not None:
        yield "all", pair.joint, True
    if pair.image is not None:
        yield "images", pair.image, pair.joint is None
    if pair.text is not None:
        yield "text", pair.text, not pair.per_image
