"""Explains a decision: all scores of the head, and the thresholds and actions of the policy. Pure functions; no torch.

Names of scores: ``image 1`` is one image with the prompt, if there is one; ``all`` is everything together; ``images``
and ``text`` are single surfaces, which determine the decision only if there are no other scores. ``lettering 1`` is
the lettering that was read in one image, ``lettering`` that of all images, both also ``with text``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from safety_core.engine.messages import GuardVerdict
from safety_core.lettering.reading import Line
from safety_core.lettering.request_texts import LetteringSource
from safety_core.policy.named_policies import ActivePolicy
from safety_core.policy.policy import Action, Verdict, decide
from safety_core.scores import PairScores, RiskScores
from safety_core.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedScore:
    """One output of the head, with the decision of the policy on it."""

    name: str
    """Name of the images and texts that the head read."""

    variant: int
    """Index of the text variant, in the order of ``Guard.prepare``."""

    scores: RiskScores
    """The head's output."""

    verdict: Verdict
    """The decision of the policy on these scores only."""

    decides: bool
    """Whether the decision on the request takes these scores into account."""

    source: LetteringSource | None = None
    """Origin of the lettering; None if the scores are not those of lettering."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedRule:
    """The threshold and action of the policy for one level of the decision's type."""

    level: int
    belief: float
    """s_k: probability of this level or worse, weighted by the enabled types' share of the risk."""

    threshold: float
    action: Action

    @property
    def reached(self) -> bool:
        """Whether the belief reaches the threshold; the highest such level determines the action."""
        return self.belief >= self.threshold


def explain_scores(
    active: ActivePolicy,
    taxonomy: Taxonomy,
    variants: Sequence[PairScores],
    lettering_sources: Sequence[LetteringSource] = (),
) -> list[ExplainedScore]:
    """List all scores of all text variants, in the order in which they were computed.

    The scores of lettering do not depend on the text variant, so they are listed once, after those of the first one.
    """
    explained = [
        ExplainedScore(
            name=name, variant=index, scores=scores, verdict=decide(active.policy, taxonomy, scores), decides=decides
        )
        for index, pair in enumerate(variants)
        for name, scores, decides in _name_scores(pair)
    ]
    lettering = [
        ExplainedScore(
            name=_name_lettering(source),
            variant=0,
            scores=scores,
            verdict=decide(active.policy, taxonomy, scores),
            decides=True,
            source=source,
        )
        for pair in variants[:1]
        for scores, source in zip(pair.lettering, lettering_sources, strict=False)
    ]
    return [
        *(score for score in explained if score.variant == 0),
        *lettering,
        *(score for score in explained if score.variant),
    ]


def explain_rules(active: ActivePolicy, verdict: Verdict) -> list[ExplainedRule]:
    """List the thresholds and actions that led to a verdict; empty if there were no scores."""
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


def explain_verdict(active: ActivePolicy, taxonomy: Taxonomy, judged: GuardVerdict) -> dict[str, Any]:
    """Build an explanation as JSON: the decision, the scores and the rule that determined it, and all other scores."""
    scores = explain_scores(active, taxonomy, judged.variant_scores, judged.lettering_sources)
    deciding = find_deciding_score(scores)
    by_policy = judged.others.get(active.name, judged.verdict)
    return {
        "decision": judged.verdict.decision.value,
        "reason": judged.verdict.reason,
        "policy": {"name": active.name, "mode": active.mode.value, "decision": by_policy.decision.value},
        "others": {name: other.decision.value for name, other in judged.others.items() if name != active.name},
        "type": by_policy.type,
        "level": by_policy.level,
        "readings": len(judged.variant_scores),
        "decided_by": None if deciding is None else _describe_deciding(deciding, judged.lettering),
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
        **_explain_novelty(active, judged),
        "off": sorted(set(taxonomy.risky_types) - active.policy.enabled),
        "refusal": judged.refusal,
        # The views are then those of the remaining conversation.
        **({"dropped_messages": list(judged.dropped_messages)} if judged.dropped_messages else {}),
        "views": [
            {
                "view": score.name,
                "reading": score.variant,
                "decides": score.decides,
                "decision": score.verdict.decision.value,
                "type": score.verdict.type,
                "level": score.verdict.level,
                "type_scores": dict(zip(taxonomy.types, score.scores.types, strict=True)),
                "level_scores": dict(zip(taxonomy.levels, score.scores.levels, strict=True)),
                "beliefs": {str(level): belief for level, belief in score.verdict.level_scores.items()},
            }
            for score in scores
        ],
    }


def _explain_novelty(active: ActivePolicy, judged: GuardVerdict) -> dict[str, Any]:
    """Describe the novelty of a request and the rule for it; nothing if it was not measured."""
    novelty = None if judged.assessment is None else judged.assessment.novelty
    if novelty is None:
        return {}
    rule = active.policy.novelty
    return {
        "novelty": {
            "score": novelty.score,
            "text": novelty.text,
            "image": novelty.image,
            "threshold": rule.threshold,
            "reached": novelty.score >= rule.threshold,
            "action": rule.action.value,
        }
    }


def find_deciding_score(scores: Sequence[ExplainedScore]) -> ExplainedScore | None:
    """Find the scores that the decision is based on, which are the worst; None if there are none."""
    return max((score for score in scores if score.decides), key=lambda score: score.verdict.severity_key, default=None)


def _describe_deciding(score: ExplainedScore, lettering: Sequence[Sequence[Line]]) -> dict[str, Any]:
    """Describe the scores that the decision is based on, with the places of the lettering if they are of lettering."""
    named: dict[str, Any] = {"view": score.name, "reading": score.variant}
    if score.source is not None:
        named["boxes"] = [
            {"image": image, "box": list(line.box)} for image in score.source.images for line in lettering[image]
        ]
    return named


def _name_lettering(source: LetteringSource) -> str:
    place = "lettering" if source.joint else f"lettering {source.images[0] + 1}"
    return f"{place} with text" if source.with_prompt else place


def _name_scores(pair: PairScores) -> Iterator[tuple[str, RiskScores, bool]]:
    for index, scores in enumerate(pair.per_image, start=1):
        yield f"image {index}", scores, True
    if pair.joint is not None:
        yield "all", pair.joint, True
    if pair.image is not None:
        yield "images", pair.image, pair.joint is None
    for index, scores in enumerate(pair.images_alone, start=1):
        yield f"image {index} alone", scores, True
    if pair.text is not None:
        yield "text", pair.text, pair.text_decides or not pair.per_image
