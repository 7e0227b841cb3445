"""Computes the decision on a request from the scores of the safety head: a pure function, and its parameters.

With p the type scores, q the level scores and E the enabled risky types::

    w    = Σ_E p / Σ_risky p                  share of the risk that belongs to enabled types
    s_k  = w · Σ_{j≥k} q_j   (k = 1 … L-1)    probability of level k or worse
    t    = argmax_E p                         the risk type of the decision

The highest k with s_k ≥ thresholds[t][k] selects actions[t][k]; if there is none, the action is ``allow``. The score of
the safe type alone never determines the decision. If scores are not finite, there is no verdict, and the request is
refused.

A request whose novelty reaches ``novelty.threshold`` gets at least ``novelty.action``, whatever its risk.

The server, the evaluation and the audit use the same ``policy.json``, which ``documents`` reads. Knows no files, no
torch, no HTTP and no texts of users.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from safety_core.errors import PolicyError
from safety_core.scores import Novelty, PairScores, RiskScores
from safety_core.taxonomy import Taxonomy

FORMAT_VERSION = 1
"""Version of the JSON form."""

NO_VERDICT = "no_verdict"
"""``Verdict.reason`` of a refusal because scores are missing or not finite."""

NOVEL = "novel"
"""``Verdict.reason`` of a decision that the novelty of the request determined, not its risk."""

_DEFAULT_THRESHOLD = 0.5
_DEFAULT_REFUSAL = "I can't help with that request."


class Action(StrEnum):
    """Consequence of a level of risk."""

    ALLOW = "allow"
    CAUTION = "caution"
    REFUSE = "refuse"

    @property
    def decision(self) -> "Decision":
        """The decision for this action."""
        return _DECISION_OF[self]


class Decision(StrEnum):
    """Outcome of judging a request."""

    ALLOWED = "allowed"
    CAUTIONED = "cautioned"
    REFUSED = "refused"

    @property
    def severity(self) -> int:
        """0 for allowed, 1 for cautioned, 2 for refused; the most severe of several decisions counts."""
        return tuple(Decision).index(self)


_DECISION_OF = {Action.ALLOW: Decision.ALLOWED, Action.CAUTION: Decision.CAUTIONED, Action.REFUSE: Decision.REFUSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The decision about one set of scores, and its reason."""

    decision: Decision
    """Outcome for the request."""

    type: str
    """The enabled risky type with the highest score (t); the safe type if no type is enabled or there is no verdict."""

    level: int
    """The level whose threshold was reached (k), 0 for none; with ``type`` it selects the hint."""

    unsafe_probability: float
    """s_1, or 1 if there is no verdict."""

    level_scores: Mapping[int, float]
    """s_k for k = 1 … L-1; empty if there is no verdict."""

    reason: str | None = None
    """``no_verdict`` if scores are missing or not finite, ``novel`` if only the novelty led to the decision, otherwise
    None."""

    @property
    def flagged(self) -> bool:
        """Whether the request is cautioned or refused."""
        return self.decision is not Decision.ALLOWED

    @property
    def severity_key(self) -> tuple[int, float]:
        """Sort key: the severity of the decision, then the probability of the risk."""
        return self.decision.severity, self.unsafe_probability


@dataclass(frozen=True, slots=True, kw_only=True)
class NoveltyRule:
    """The consequence of a request that lies outside of what the checkpoint was trained on.

    Raises:
        PolicyError: the threshold is not a number ≥ 0.
    """

    threshold: float = 0.99
    """The minimum novelty that has this consequence; a threshold above 1 is never reached."""

    action: Action = Action.ALLOW
    """The consequence: the decision is at least as severe."""

    def __post_init__(self) -> None:
        if not math.isfinite(self.threshold) or self.threshold < 0:
            raise PolicyError("a number of at least 0 is needed", ("novelty", "threshold"))

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        return {"threshold": self.threshold, "action": self.action.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Thresholds and actions for each risky type and level, as ``policy.json`` holds them.

    Raises:
        PolicyError: the parts have different types or levels, a threshold is not a number ≥ 0, or a text is empty.
    """

    thresholds: Mapping[str, Mapping[int, float]]
    """``thresholds[type][k]``: the minimum s_k that counts as level k; a threshold above 1 is never reached."""

    actions: Mapping[str, Mapping[int, Action]]
    """``actions[type][k]``: the consequence of level k."""

    enabled: frozenset[str]
    """Risky types that affect decisions; other types are scored, but have no effect."""

    refusals: Mapping[str, str]
    """Text of a refusal by type; it mentions neither the component that refused nor the product."""

    fallback_refusal: str = _DEFAULT_REFUSAL
    """Text of a refusal without a type."""

    novelty: NoveltyRule = NoveltyRule()
    """The consequence of a request that is unlike the training data; none by default."""

    def __post_init__(self) -> None:
        types = set(self.thresholds)
        for name, part in (("actions", self.actions), ("refusals", self.refusals)):
            if set(part) != types:
                raise PolicyError(f"types differ from thresholds: {sorted(set(part) ^ types)}", (name,))
        if not self.enabled <= types:
            raise PolicyError(f"unknown types {sorted(self.enabled - types)}", ("enabled",))
        for name in types:
            if set(self.thresholds[name]) != set(self.actions[name]):
                raise PolicyError("levels differ from thresholds", ("actions", name))
            for level, threshold in self.thresholds[name].items():
                if not math.isfinite(threshold) or threshold < 0:
                    raise PolicyError("a number of at least 0 is needed", ("thresholds", name, str(level)))
            if not self.refusals[name].strip():
                raise PolicyError("a non-blank string is needed", ("refusals", name))
        if not self.fallback_refusal.strip():
            raise PolicyError("a non-blank string is needed", ("fallback_refusal",))

    @classmethod
    def create_default(cls, taxonomy: Taxonomy) -> Self:
        """Create a policy with all types enabled and thresholds of 0.5, which refuses only the worst level."""
        worst = len(taxonomy.levels) - 1
        levels = range(1, worst + 1)
        return cls(
            thresholds={name: dict.fromkeys(levels, _DEFAULT_THRESHOLD) for name in taxonomy.risky_types},
            actions={
                name: {k: Action.REFUSE if k == worst else Action.CAUTION for k in levels}
                for name in taxonomy.risky_types
            },
            enabled=frozenset(taxonomy.risky_types),
            refusals=dict.fromkeys(taxonomy.risky_types, _DEFAULT_REFUSAL),
        )

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form that ``documents.parse_policy`` reads; the key of a level is its number as a string."""
        return {
            "format_version": FORMAT_VERSION,
            "enabled": {name: name in self.enabled for name in self.thresholds},
            "thresholds": {name: {str(k): value for k, value in by.items()} for name, by in self.thresholds.items()},
            "actions": {name: {str(k): value.value for k, value in by.items()} for name, by in self.actions.items()},
            "refusals": dict(self.refusals),
            "fallback_refusal": self.fallback_refusal,
            # Omitted if it has no consequence, so that older code can read the file.
            **({} if self.novelty == NoveltyRule() else {"novelty": self.novelty.to_dict()}),
        }

    @property
    def digest(self) -> str:
        """SHA-256 of the JSON form; equal policies have equal digests."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    def raise_thresholds(self, minimum: float) -> Self:
        """Raise all thresholds to at least a minimum, for scores that are less reliable than the calibration data."""
        raised = {
            name: {level: max(value, minimum) for level, value in by.items()} for name, by in self.thresholds.items()
        }
        return replace(self, thresholds=raised)

    def get_refusal(self, verdict: Verdict) -> str:
        """Return the text for a request that was refused."""
        if verdict.reason == NOVEL:
            return self.fallback_refusal
        return self.refusals.get(verdict.type, self.fallback_refusal)


def compute_level_scores(policy: Policy, taxonomy: Taxonomy, scores: RiskScores) -> dict[int, float]:
    """Compute s_k for k = 1 … L-1: probability of level k or worse, times the enabled types' share of the risk."""
    risky = {name: p for name, p in zip(taxonomy.types, scores.types, strict=True) if name != taxonomy.safe_type}
    total = sum(risky.values())
    if len(scores.levels) != len(taxonomy.levels):
        raise ValueError(f"{len(scores.levels)} level scores for {len(taxonomy.levels)} levels")
    if not policy.enabled:
        weight = 0.0
    elif total > 0:
        weight = sum(p for name, p in risky.items() if name in policy.enabled) / total
    else:
        weight = 1.0  # all type scores were rounded to 0: only the levels count
    return {k: weight * sum(scores.levels[k:]) for k in range(1, len(taxonomy.levels))}


def decide(policy: Policy, taxonomy: Taxonomy, scores: RiskScores) -> Verdict:
    """Judge one view of a request; scores that are not finite lead to a refusal with reason ``no_verdict``."""
    if not scores.finite:
        return refuse_without_verdict(taxonomy)
    beliefs = compute_level_scores(policy, taxonomy, scores)
    enabled = [(p, name) for name, p in zip(taxonomy.types, scores.types, strict=True) if name in policy.enabled]
    if not enabled:
        return Verdict(
            decision=Decision.ALLOWED,
            type=taxonomy.safe_type,
            level=0,
            unsafe_probability=beliefs[1],
            level_scores=beliefs,
        )
    kind = max(enabled, key=lambda entry: entry[0])[1]
    reached = max((k for k, belief in beliefs.items() if belief >= policy.thresholds[kind][k]), default=0)
    return Verdict(
        decision=policy.actions[kind][reached].decision if reached else Decision.ALLOWED,
        type=kind,
        level=reached,
        unsafe_probability=beliefs[1],
        level_scores=beliefs,
    )


def decide_worst(policy: Policy, taxonomy: Taxonomy, pair: PairScores) -> tuple[Verdict, RiskScores | None]:
    """Judge all views of a request; the most severe verdict counts.

    Returns:
        The worst verdict (by decision, then by s_1), made more severe where the policy has a consequence for novelty,
            and its scores. The scores are None if there is no verdict: there
            is nothing to judge, or a score is not finite.
    """
    single = (scores for scores in (pair.joint, pair.image, pair.text) if scores is not None)
    views = (*pair.per_image, *pair.images_alone, *pair.lettering, *single)
    if not pair.deciding or not all(scores.finite for scores in views):
        return refuse_without_verdict(taxonomy), None
    judged = [(decide(policy, taxonomy, scores), scores) for scores in pair.deciding]
    verdict, worst = max(judged, key=lambda entry: entry[0].severity_key)
    return _apply_novelty(policy, verdict, pair.novelty), worst


def _apply_novelty(policy: Policy, verdict: Verdict, novelty: Novelty | None) -> Verdict:
    """Make a decision as severe as the policy wants it for the novelty of the request."""
    rule = policy.novelty
    if novelty is None or novelty.score < rule.threshold or rule.action.decision.severity <= verdict.decision.severity:
        return verdict
    return replace(verdict, decision=rule.action.decision, reason=NOVEL)


def refuse_without_verdict(taxonomy: Taxonomy) -> Verdict:
    """Create the verdict for a request that could not be judged: refused."""
    return Verdict(
        decision=Decision.REFUSED,
        type=taxonomy.safe_type,
        level=0,
        unsafe_probability=1.0,
        level_scores={},
        reason=NO_VERDICT,
    )
