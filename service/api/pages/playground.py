"""``/playground``: a page that shows what the guard saw, and what it asks beside ``/v1/chat``.

Its own paths are no interface for others: they change with the page, and the OpenAPI document leaves them out. Where
clients are told no risk, they tell neither scores nor thresholds.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.exceptions import HTTPException

from safety_core.engine.explanation import explained
from safety_core.errors import InputError, PolicyError
from safety_core.policy.book import ActivePolicy
from safety_core.policy.documents import overlay_policy
from safety_core.policy.policy import Policy, Verdict, decide_worst
from safety_core.scores import PairScores, RiskScores
from safety_core.taxonomy import Taxonomy
from service import playground
from service.api.classification import classified
from service.api.policies import choices_of, rules_for
from service.api.requests import read_json
from service.api.schemas import PolicyName
from service.container import service_of
from service.endpoints import (
    PLAYGROUND,
    PLAYGROUND_ABOUT,
    PLAYGROUND_DECISIONS,
    PLAYGROUND_EXAMPLE,
    PLAYGROUND_FILE,
    PLAYGROUND_JUDGEMENT,
)

router = APIRouter(include_in_schema=False)

_MAX_REQUESTS = 64
_MAX_VIEWS = 4096
"""Of all requests: each picture and all of them together, in every reading of a text and with every sentence. The page
sends the newest requests that fit in."""

_MARKS_PER_VIEW = 8
"""Commas and brackets of a view beside its scores."""

_MARKS_BESIDES = 1024
"""Those of changes and requests."""


@router.api_route(PLAYGROUND.path, methods=[PLAYGROUND.method])
async def page() -> Response:
    """The page."""
    return await file(playground.PAGE)


@router.api_route(PLAYGROUND_ABOUT.path, methods=[PLAYGROUND_ABOUT.method])
async def about(request: Request) -> JSONResponse:
    """What is served, what a request may have, which policies it may choose, and pictures to begin with."""
    service = service_of(request)
    info, settings, book = service.guard.info, service.settings, service.policies.content
    told = settings.expose_risk
    return JSONResponse(
        {
            "model": info.checkpoint,
            "description": info.description,
            "types": list(info.taxonomy.types),
            "levels": list(info.taxonomy.levels),
            "safe_type": info.taxonomy.safe_type,
            "max_images": settings.max_images,
            "max_tokens": settings.max_tokens,
            "wants_key": settings.requires_api_keys,
            "exposes_risk": told,
            "policies": [
                _policy(book.select(name), told=told) for name in choices_of(request) if name in book.policies
            ],
            "examples": [{"file": example.file, "prompt": example.prompt} for example in playground.EXAMPLES],
        }
    )


@router.api_route(PLAYGROUND_EXAMPLE.path, methods=[PLAYGROUND_EXAMPLE.method])
async def example(name: str) -> Response:
    """One of the example pictures."""
    try:
        picture = playground.read_example(name)
    except KeyError as exc:
        raise HTTPException(404) from exc
    return Response(picture, media_type="image/png", headers=playground.HEADERS)


@router.api_route(PLAYGROUND_JUDGEMENT.path, methods=[PLAYGROUND_JUDGEMENT.method])
async def judgement(request: Request) -> JSONResponse:
    """What `/v1/classify` says of the same, and why: every view, every belief, every rule.

    The verdict is known already where the same was just asked of `/v1/chat`.
    """
    service, found = service_of(request), await classified(request)
    said = found.view.classification(found.verdict)
    if service.settings.expose_risk:
        said["why"] = explained(found.rules, service.guard.info.taxonomy, found.verdict)
    return JSONResponse(said)


class ScoredView(BaseModel):
    """What the head said of one view."""

    model_config = ConfigDict(strict=True, extra="forbid")

    types: list[Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]]
    levels: list[Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]]


class WhatIf(BaseModel):
    """Requests that were judged, and a policy with changes."""

    model_config = ConfigDict(extra="forbid")

    policy: PolicyName = None
    changes: dict[str, Any] = {}
    requests: list[list[ScoredView]] = Field(max_length=_MAX_REQUESTS)

    @field_validator("requests")
    @classmethod
    def _few(cls, requests: list[list[ScoredView]]) -> list[list[ScoredView]]:
        if sum(map(len, requests)) > _MAX_VIEWS:
            raise ValueError(f"at most {_MAX_VIEWS} views are accepted")
        return requests


@router.api_route(PLAYGROUND_DECISIONS.path, methods=[PLAYGROUND_DECISIONS.method])
async def decisions(request: Request) -> JSONResponse:
    """What a policy with changes would have decided about requests that were judged; nothing is kept and counted."""
    service = service_of(request)
    if not service.settings.expose_risk:
        raise HTTPException(404)
    taxonomy = service.guard.info.taxonomy
    marks = _MAX_VIEWS * (len(taxonomy.types) + len(taxonomy.levels) + _MARKS_PER_VIEW) + _MARKS_BESIDES
    asked = await read_json(request, service, WhatIf, max_bytes=PLAYGROUND_DECISIONS.max_body_bytes, max_marks=marks)
    policy = _changed(rules_for(request, policy=asked.policy, language=None).policy, asked.changes, taxonomy)
    return JSONResponse(
        {
            "decisions": [
                {
                    "decision": verdict.decision.value,
                    "type": verdict.type if verdict.level else taxonomy.safe_type,
                    "level": verdict.level,
                }
                for verdict in (_decided(policy, taxonomy, views) for views in asked.requests)
            ]
        }
    )


@router.api_route(PLAYGROUND_FILE.path, methods=[PLAYGROUND_FILE.method])
async def file(name: str) -> Response:
    """Part of the page."""
    try:
        data, media_type = playground.read_file(name)
    except KeyError as exc:
        raise HTTPException(404) from exc
    return Response(data, media_type=media_type, headers=playground.HEADERS)


def _policy(rules: ActivePolicy, *, told: bool) -> dict[str, Any]:
    if not told:
        return {"name": rules.name}
    fields = rules.policy.to_dict()
    return {"name": rules.name, "mode": rules.mode.value} | {
        field: fields[field] for field in ("enabled", "thresholds", "actions")
    }


def _changed(policy: Policy, changes: dict[str, Any], taxonomy: Taxonomy) -> Policy:
    try:
        return overlay_policy(policy, changes, taxonomy)
    except PolicyError as exc:  # its message quotes what the client sent
        raise InputError("The changes are none that a policy takes.", code="invalid_field", param="changes") from exc


def _decided(policy: Policy, taxonomy: Taxonomy, views: list[ScoredView]) -> Verdict:
    for view in views:
        if (len(view.types), len(view.levels)) != (len(taxonomy.types), len(taxonomy.levels)):
            raise InputError("The scores are not this model's.", code="invalid_field", param="requests")
    scores = tuple(RiskScores(types=tuple(view.types), levels=tuple(view.levels)) for view in views)
    verdict, _ = decide_worst(policy, taxonomy, PairScores(joint=None, per_image=scores, image=None, text=None))
    return verdict
