"""From scores to a decision: a pure function, and the file that parameterises it.

With p the type scores, q the level scores and E the enabled risky types::

    w    = Σ_E p / Σ_risky p                  how much of the risk the operator cares about
    s_k  = w · Σ_{j≥k} q_j   (k = 1 … L-1)    belief in level k or worse
    t    = argmax_E p                         the type that the decision is about

The highest k with s_k ≥ thresholds[t][k] gives actions[t][k]; none gives ``allow``. The score of the safe type never
decides by itself. Scores that are not numbers decide too: refused, for want of a verdict.

The same ``policy.json`` serves server, evaluation and audit. Knows no torch, no HTTP and no texts of users.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Self, TypeVar

from safety_core.errors import ConfigError, PolicyError
from safety_core.files import read_json, why_unreadable
from safety_core.scores import PairScores, RiskScores
from safety_core.taxonomy import Taxonomy

FORMAT_VERSION = 1
"""Version of the JSON form."""

NO_VERDICT = "no_verdict"
"""``Verdict.reason`` of a refusal that comes from missing or meaningless scores, not from risk."""

_DEFAULT_THRESHOLD = 0.5
_DEFAULT_REFUSAL = "I can't help with that request."
_FIELDS = ("format_version", "enabled", "thresholds", "actions", "refusals", "fallback_refusal")

_Value = TypeVar("_Value")

_Place = tuple[str, ...]
"""Keys that lead to a field."""


class Action(StrEnum):
    """What a level of risk leads to."""

    ALLOW = "allow"
    CAUTION = "caution"
    REFUSE = "refuse"

    @property
    def decision(self) -> "Decision":
        """The decision that this action makes."""
        return _DECISION_OF[self]


class Decision(StrEnum):
    """What happens to a request."""

    ALLOWED = "allowed"
    CAUTIONED = "cautioned"
    REFUSED = "refused"

    @property
    def severity(self) -> int:
        """0 for allowed, 1 for cautioned, 2 for refused: the order in which the worst one wins."""
        return tuple(Decision).index(self)


_DECISION_OF = {Action.ALLOW: Decision.ALLOWED, Action.CAUTION: Decision.CAUTIONED, Action.REFUSE: Decision.REFUSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The decision about one set of scores, and why."""

    decision: Decision
    """What happens to the request."""

    type: str
    """The enabled risky type with the highest score (t); the safe type where no type is enabled or scores are unfit."""

    level: int
    """The level whose threshold was reached (k), 0 for none; with ``type`` it selects the hint."""

    unsafe_probability: float
    """s_1, or 1 where there is no verdict."""

    level_scores: Mapping[int, float]
    """s_k for k = 1 … L-1; empty where there is no verdict."""

    reason: str | None = None
    """``no_verdict`` where the scores were unfit to decide, else None."""

    @property
    def flagged(self) -> bool:
        """Whether anything but a plain answer follows."""
        return self.decision is not Decision.ALLOWED

    @property
    def gravity(self) -> tuple[int, float]:
        """Sorts verdicts: the graver the decision the greater, among equals the more probable risk."""
        return self.decision.severity, self.unsafe_probability


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Thresholds and actions for each risky type and level, as ``policy.json`` holds them.

    Raises:
        PolicyError: the parts speak of different types or levels, a threshold is not a number ≥ 0, or a text is empty.
    """

    thresholds: Mapping[str, Mapping[int, float]]
    """``thresholds[type][k]``: the least s_k that counts as level k; above 1 it never fires."""

    actions: Mapping[str, Mapping[int, Action]]
    """``actions[type][k]``: what level k leads to."""

    enabled: frozenset[str]
    """Risky types that may decide; the others are scored but change nothing."""

    refusals: Mapping[str, str]
    """What a refusal says, by type. It names neither the stage nor the product."""

    fallback_refusal: str = _DEFAULT_REFUSAL
    """What a refusal says when there is no type to speak of."""

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
                raise PolicyError("a text is needed", ("refusals", name))
        if not self.fallback_refusal.strip():
            raise PolicyError("a text is needed", ("fallback_refusal",))

    @classmethod
    def default(cls, taxonomy: Taxonomy) -> Self:
        """Every type on, thresholds one half, the worst level refused, the levels below it answered with caution."""
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

    @classmethod
    def from_dict(cls, data: Mapping[str, object], taxonomy: Taxonomy) -> Self:
        """Read the JSON form; every field must be there and speak of exactly the taxonomy's types and levels.

        Raises:
            PolicyError: naming the field at fault.
        """
        _same_keys(data, _FIELDS, ())
        if data["format_version"] != FORMAT_VERSION:
            raise PolicyError(f"{FORMAT_VERSION} is needed", ("format_version",))
        types, levels = taxonomy.risky_types, tuple(str(k) for k in range(1, len(taxonomy.levels)))
        enabled = _table(data["enabled"], types, ("enabled",), _boolean)
        return cls(
            thresholds=_tables(data["thresholds"], types, levels, ("thresholds",), _number),
            actions=_tables(data["actions"], types, levels, ("actions",), _action),
            enabled=frozenset(name for name, on in enabled.items() if on),
            refusals=_table(data["refusals"], types, ("refusals",), a_text),
            fallback_refusal=a_text(data["fallback_refusal"], ("fallback_refusal",)),
        )

    def to_dict(self) -> dict[str, object]:
        """The JSON form that :meth:`from_dict` reads; levels are keyed by their number as a string."""
        return {
            "format_version": FORMAT_VERSION,
            "enabled": {name: name in self.enabled for name in self.thresholds},
            "thresholds": {name: {str(k): value for k, value in by.items()} for name, by in self.thresholds.items()},
            "actions": {name: {str(k): value.value for k, value in by.items()} for name, by in self.actions.items()},
            "refusals": dict(self.refusals),
            "fallback_refusal": self.fallback_refusal,
        }

    @classmethod
    def load(cls, path: Path, taxonomy: Taxonomy) -> Self:
        """Read ``policy.json``; raises ConfigError where it is unreadable or malformed."""
        try:
            data = read_json(path)
        except (OSError, ValueError) as exc:
            raise ConfigError(f"policy: {path.name} {why_unreadable(exc, 'JSON')}") from exc
        return cls.from_dict(a_mapping(data, ()), taxonomy)

    def overlaid(self, changes: Mapping[str, object], taxonomy: Taxonomy) -> Self:
        """This policy with some fields replaced, at any depth: what is not named stays as calibrated.

        Raises:
            PolicyError: a field is unknown or malformed.
        """
        return self.from_dict(_merged(self.to_dict(), changes, ()), taxonomy)

    @property
    def digest(self) -> str:
        """Equal policies have equal ones."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    def at_least(self, threshold: float) -> Self:
        """This policy with no threshold below a value: for scores that are less sure than those it was set on."""
        raised = {
            name: {level: max(value, threshold) for level, value in by.items()} for name, by in self.thresholds.items()
        }
        return replace(self, thresholds=raised)

    def refusal_for(self, verdict: Verdict) -> str:
        """What to say to a client whose request was refused."""
        return self.refusals.get(verdict.type, self.fallback_refusal)


def level_scores(policy: Policy, taxonomy: Taxonomy, scores: RiskScores) -> dict[int, float]:
    """s_k for k = 1 … L-1: belief in level k or worse, weighed by the share of the risk that enabled types hold."""
    risky = {name: p for name, p in zip(taxonomy.types, scores.types, strict=True) if name != taxonomy.safe_type}
    total = sum(risky.values())
    if len(scores.levels) != len(taxonomy.levels):
        raise ValueError(f"{len(scores.levels)} level scores for {len(taxonomy.levels)} levels")
    if not policy.enabled:
        weight = 0.0
    elif total > 0:
        weight = sum(p for name, p in risky.items() if name in policy.enabled) / total
    else:
        weight = 1.0  # no type score survived rounding: let the levels speak
    return {k: weight * sum(scores.levels[k:]) for k in range(1, len(taxonomy.levels))}


def decide(policy: Policy, taxonomy: Taxonomy, scores: RiskScores) -> Verdict:
    """Judge one view of a request; scores that are not numbers are refused with reason ``no_verdict``."""
    if not scores.finite:
        return no_verdict(taxonomy)
    beliefs = level_scores(policy, taxonomy, scores)
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
    """Judge everything the head said about a request: the worst view decides.

    Returns:
        The worst verdict (by decision, then by s_1) and the scores it came from; those are None where there is no
        verdict: nothing to judge, or a score anywhere in the pair that is not a number.
    """
    said = (*pair.per_image, *(scores for scores in (pair.joint, pair.image, pair.text) if scores is not None))
    if not pair.deciding or not all(scores.finite for scores in said):
        return no_verdict(taxonomy), None
    judged = [(decide(policy, taxonomy, scores), scores) for scores in pair.deciding]
    return max(judged, key=lambda entry: entry[0].gravity)


def no_verdict(taxonomy: Taxonomy) -> Verdict:
    """The refusal of a request that could not be judged."""
    return Verdict(
        decision=Decision.REFUSED,
        type=taxonomy.safe_type,
        level=0,
        unsafe_probability=1.0,
        level_scores={},
        reason=NO_VERDICT,
    )


def a_mapping(value: object, place: _Place) -> dict[str, object]:
    """A mapping with string keys; YAML writes level 3 as a number, JSON as a string, and both mean the same."""
    if not isinstance(value, Mapping):
        raise PolicyError("a mapping is needed", place)
    return {str(key): entry for key, entry in value.items()}


def a_text(value: object, place: _Place) -> str:
    """A text that says something, and that can be sent; raises PolicyError."""
    if not isinstance(value, str) or not value.strip():
        raise PolicyError("a text is needed", place)
    try:
        value.encode()
    except UnicodeEncodeError as exc:  # of an emoji's two escapes YAML makes two halves that are no characters
        raise PolicyError("a text of whole characters is needed; write them as they are", place) from exc
    return value


def _same_keys(data: Mapping[str, object], keys: tuple[str, ...], place: _Place) -> None:
    missing, unknown = sorted(set(keys) - set(data)), sorted(set(data) - set(keys))
    if missing or unknown:
        raise PolicyError(f"missing {missing}, unknown {unknown}", place)


def _table(
    value: object, keys: tuple[str, ...], place: _Place, read: Callable[[object, _Place], _Value]
) -> dict[str, _Value]:
    data = a_mapping(value, place)
    _same_keys(data, keys, place)
    return {key: read(data[key], (*place, key)) for key in keys}


def _tables(
    value: object,
    types: tuple[str, ...],
    levels: tuple[str, ...],
    place: _Place,
    read: Callable[[object, _Place], _Value],
) -> dict[str, dict[int, _Value]]:
    rows = _table(value, types, place, lambda row, inner: _table(row, levels, inner, read))
    return {name: {int(k): entry for k, entry in row.items()} for name, row in rows.items()}


def _boolean(value: object, place: _Place) -> bool:
    if not isinstance(value, bool):
        raise PolicyError("true or false is needed", place)
    return value


def _number(value: object, place: _Place) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PolicyError("a number is needed", place)
    try:
        return float(value)
    except OverflowError as exc:
        raise PolicyError("a smaller number is needed", place) from exc


def _action(value: object, place: _Place) -> Action:
    if not isinstance(value, str) or value not in tuple(Action):
        raise PolicyError(f"one of {[action.value for action in Action]} is needed", place)
    return Action(value)


def _merged(base: Mapping[str, object], changes: Mapping[str, object], place: _Place) -> dict[str, object]:
    result = dict(base)
    for key, change in changes.items():
        inner = (*place, str(key))
        if key not in result:
            raise PolicyError("unknown field", inner)
        old = result[key]
        result[key] = _merged(old, a_mapping(change, inner), inner) if isinstance(old, Mapping) else change
    return result
