"""Applies a changed policy to earlier requests, whose scores the page sends back. Knows no HTTP and no model."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from safety_core.errors import InputError, PolicyError
from safety_core.policy.documents import overlay_policy
from safety_core.policy.policy import NOVEL, Policy, Verdict, decide_worst
from safety_core.scores import Novelty, PairScores, RiskScores
from safety_core.taxonomy import Taxonomy
from service.api.schemas.fields import PolicyName

_MAX_REQUESTS = 64
_MAX_VIEWS = 4096
"""Maximum views of all requests together: each image and all images together, in every variant of a text and with every
sentence. The page sends the newest requests that fit.
"""

_ELEMENTS_PER_VIEW = 8
"""Commas and brackets of a view beside its scores."""

_OTHER_ELEMENTS = 1024
"""Commas and brackets of changes and requests."""


_Score = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class ScoredView(BaseModel):
    """The scores of one view."""

    model_config = ConfigDict(strict=True, extra="forbid")

    types: list[_Score]
    levels: list[_Score]


class PolicyTrial(BaseModel):
    """Requests that were judged, and changes to a policy."""

    model_config = ConfigDict(extra="forbid")

    policy: PolicyName = None
    changes: dict[str, Any] = {}
    requests: list[list[ScoredView]] = Field(max_length=_MAX_REQUESTS)
    novelties: list[_Score | None] = Field(default=[], max_length=_MAX_REQUESTS)
    """Novelty of each request, or None where it was not measured; empty if it was measured for none."""

    @field_validator("requests")
    @classmethod
    def _check_views(cls, requests: list[list[ScoredView]]) -> list[list[ScoredView]]:
        if sum(map(len, requests)) > _MAX_VIEWS:
            raise ValueError(f"at most {_MAX_VIEWS} views are accepted")
        return requests

    @model_validator(mode="after")
    def _check_novelties(self) -> Self:
        if self.novelties and len(self.novelties) != len(self.requests):
            raise ValueError("one novelty for each request is needed")
        return self


def count_elements(taxonomy: Taxonomy) -> int:
    """Count the commas and brackets that the largest accepted body has."""
    return _MAX_VIEWS * (len(taxonomy.types) + len(taxonomy.levels) + _ELEMENTS_PER_VIEW) + _OTHER_ELEMENTS


def decide_trial(trial: PolicyTrial, policy: Policy, taxonomy: Taxonomy) -> list[dict[str, Any]]:
    """Compute the decision of the changed policy on each request.

    Raises:
        InputError: ``invalid_field``; the changes or the scores do not fit the model.
    """
    changed = _overlay_changes(policy, trial.changes, taxonomy)
    novelties = trial.novelties or [None] * len(trial.requests)
    verdicts = [
        _decide(changed, taxonomy, views, novelty) for views, novelty in zip(trial.requests, novelties, strict=True)
    ]
    return [
        {
            "decision": verdict.decision.value,
            "type": verdict.type if verdict.level else taxonomy.safe_type,
            "level": verdict.level,
            **({"reason": NOVEL} if verdict.reason == NOVEL else {}),
        }
        for verdict in verdicts
    ]


def _overlay_changes(policy: Policy, changes: dict[str, Any], taxonomy: Taxonomy) -> Policy:
    try:
        return overlay_policy(policy, changes, taxonomy)
    except PolicyError as exc:  # the message quotes the client's values
        raise InputError("The changes do not fit a policy.", code="invalid_field", param="changes") from exc


def _decide(policy: Policy, taxonomy: Taxonomy, views: list[ScoredView], novelty: float | None) -> Verdict:
    for view in views:
        if (len(view.types), len(view.levels)) != (len(taxonomy.types), len(taxonomy.levels)):
            raise InputError("The scores are not those of this model.", code="invalid_field", param="requests")
    scores = tuple(RiskScores(types=tuple(view.types), levels=tuple(view.levels)) for view in views)
    pair = PairScores(
        joint=None,
        per_image=scores,
        image=None,
        text=None,
        novelty=None if novelty is None else Novelty(text=novelty),  # only the score counts, not the input
    )
    verdict, _ = decide_worst(policy, taxonomy, pair)
    return verdict
