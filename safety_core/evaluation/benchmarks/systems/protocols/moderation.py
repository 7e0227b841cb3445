"""A moderation endpoint as a system: verdicts with scores of categories; it gives no replies.

Flagged is refused and everything else is allowed, because the protocol has no third verdict. A server of this project
says more in its field ``safevlm``, which is used where it is there: the decision with cautions, the type, all scores.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from safety_core.evaluation.benchmarks.endpoints.client import MALFORMED, EndpointClient
from safety_core.evaluation.benchmarks.endpoints.messages import build_parts
from safety_core.evaluation.benchmarks.run_files import DecisionName, SystemInfo
from safety_core.evaluation.benchmarks.suites.items import Item
from safety_core.evaluation.benchmarks.systems.protocols.category_names import find_moderation_type
from safety_core.evaluation.benchmarks.systems.system import Result
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class _Risk(_Model):
    """Scores as a server of this project gives them."""

    type: str
    type_scores: dict[str, float]
    level_scores: dict[str, float]


class _OwnVerdict(_Model):
    decision: DecisionName
    risk: _Risk | None = None


class _ModerationResult(_Model):
    flagged: bool
    category_scores: dict[str, float] = Field(default_factory=dict)
    safevlm: _OwnVerdict | None = None


class _Moderation(_Model):
    results: list[_ModerationResult] = Field(min_length=1, max_length=1)


class ModerationEndpoint:
    """Asks a moderation endpoint.

    Args:
        client: the endpoint.
        model: name of the model; None if the server has one only.
        name: name of the system in reports.
        taxonomy: names of our types and levels.
    """

    policy: Mapping[str, Any] | None = None

    def __init__(
        self, client: EndpointClient, *, model: str | None, name: str, taxonomy: Taxonomy = DEFAULT_TAXONOMY
    ) -> None:
        self._client = client
        self._taxonomy = taxonomy
        self.info = SystemInfo(name=name, kind="endpoint", protocol="moderation", model=model)

    def answer(self, item: Item) -> Result:
        """Send the user's texts and the pictures, and return the verdict.

        The protocol has no conversations, so all turns of the user are sent as one text.
        """
        try:
            content: Any = build_parts(item)
        except OSError:
            return Result(error="picture_unreadable")
        if not item.pictures:
            content = "\n\n".join(turn.text for turn in item.turns if turn.role == "user")
        body = {"input": content, **({"model": self.info.model} if self.info.model else {})}
        response = self._client.post("/moderations", body)
        if response.problem is not None:
            return Result(error=response.problem)
        try:
            (result,) = _Moderation.model_validate(response.data).results
        except ValidationError:
            return Result(error=MALFORMED)
        return self._convert(result, response.seconds)

    def _convert(self, result: _ModerationResult, seconds: float) -> Result:
        own = result.safevlm
        if own is not None and own.risk is not None:
            return self._convert_own(own.decision, own.risk, seconds)
        scores: dict[str, float] = {}
        for category, score in result.category_scores.items():
            kind = find_moderation_type(category, self._taxonomy)
            if kind is not None and math.isfinite(score):
                scores[kind] = max(scores.get(kind, 0.0), score)
        # A category without a type of ours still counts for the belief that something is wrong.
        known = [score for score in result.category_scores.values() if 0 <= score <= 1]
        decision: DecisionName = own.decision if own is not None else "refused" if result.flagged else "allowed"
        return Result(
            decision=decision,
            risk=max(known, default=None),
            risk_type=max(scores, key=scores.__getitem__) if scores and decision != "allowed" else None,
            type_scores=scores or None,
            seconds=seconds,
        )

    def _convert_own(self, decision: DecisionName, risk: _Risk, seconds: float) -> Result:
        levels = tuple(risk.level_scores.get(name, 0.0) for name in self._taxonomy.levels)
        return Result(
            decision=decision,
            risk=min(1.0, max(0.0, 1 - levels[0])),
            risk_type=risk.type if decision != "allowed" and risk.type in self._taxonomy.risky_types else None,
            type_scores=risk.type_scores,
            level_scores=levels,
            seconds=seconds,
        )
