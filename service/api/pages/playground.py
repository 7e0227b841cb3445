"""``/playground``: the page, and the endpoints that only the page uses.

These endpoints change with the page, and the OpenAPI document does not contain them. If clients see no risks, they
return neither scores nor thresholds.
"""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from safety_core.engine.explanation import explain_verdict
from safety_core.policy.named_policies import ActivePolicy
from service import playground
from service.api.classify import classify_request
from service.api.pages.policy_trial import PolicyTrial, count_elements, decide_trial
from service.api.responses import Responses
from service.endpoints import (
    CHAT,
    PLAYGROUND,
    PLAYGROUND_ABOUT,
    PLAYGROUND_DECISIONS,
    PLAYGROUND_EXAMPLE,
    PLAYGROUND_FILE,
    PLAYGROUND_JUDGEMENT,
)
from service.pipeline import Context, choose_policy, read_json
from service.policies import list_policy_names

router = APIRouter(include_in_schema=False)


@router.api_route(PLAYGROUND.path, methods=[PLAYGROUND.method])
async def send_page() -> Response:
    """The page."""
    return await send_file(playground.PAGE)


@router.api_route(PLAYGROUND_ABOUT.path, methods=[PLAYGROUND_ABOUT.method])
async def describe_server(context: Context) -> JSONResponse:
    """The model, the limits of a request, the policies that it may choose, and examples to begin with."""
    info, settings, book = context.service.guard.info, context.settings, context.service.policies.content
    names = [name for name in list_policy_names(context.key, book) if name in book.policies]
    return JSONResponse(
        {
            "model": info.checkpoint,
            "description": info.description,
            "fallback": None if info.fallback is None else asdict(info.fallback),
            "types": list(info.taxonomy.types),
            "levels": list(info.taxonomy.levels),
            "safe_type": info.taxonomy.safe_type,
            "max_images": CHAT.get_limit("images", settings),
            "max_tokens": CHAT.get_limit("reply_tokens", settings),
            "wants_key": settings.requires_api_keys,
            "exposes_risk": settings.expose_risk,
            "reads_pictures": info.reads_lettering,
            "policies": [_describe_policy(book.select(name), expose_risk=settings.expose_risk) for name in names],
            "examples": [{"file": example.file, "prompt": example.prompt} for example in playground.EXAMPLES],
        }
    )


def _describe_policy(policy: ActivePolicy, *, expose_risk: bool) -> dict[str, Any]:
    if not expose_risk:
        return {"name": policy.name}
    fields = policy.policy.to_dict()
    shown = {field: fields[field] for field in ("enabled", "thresholds", "actions")}
    return {"name": policy.name, "mode": policy.mode.value, **shown}


@router.api_route(PLAYGROUND_EXAMPLE.path, methods=[PLAYGROUND_EXAMPLE.method])
async def send_example(name: str) -> Response:
    """One of the example images."""
    try:
        image = playground.read_example(name)
    except KeyError as exc:
        raise HTTPException(404) from exc
    return Response(image, media_type="image/png", headers=playground.HEADERS)


@router.api_route(PLAYGROUND_JUDGEMENT.path, methods=[PLAYGROUND_JUDGEMENT.method])
async def explain_judgement(context: Context, responses: Responses) -> JSONResponse:
    """The reply of `/v1/classify` with its explanation: every view, every score, every rule.

    The verdict comes from the cache if the same request was just sent to `/v1/chat`.
    """
    classified = await classify_request(context)
    reply = responses.build_classification(classified.verdict, explain=classified.explain)
    if context.settings.expose_risk:
        taxonomy = context.service.guard.info.taxonomy
        reply["why"] = explain_verdict(classified.policy, taxonomy, classified.verdict)
    return JSONResponse(reply)


@router.api_route(PLAYGROUND_DECISIONS.path, methods=[PLAYGROUND_DECISIONS.method])
async def try_policy(context: Context) -> JSONResponse:
    """The decisions of a changed policy on requests that were judged before; nothing is stored or counted."""
    if not context.settings.expose_risk:
        raise HTTPException(404)
    taxonomy = context.service.guard.info.taxonomy
    trial = await read_json(context, PolicyTrial, max_elements=count_elements(taxonomy))
    active = choose_policy(context, name=trial.policy, language=None)
    return JSONResponse({"decisions": decide_trial(trial, active.policy, taxonomy)})


@router.api_route(PLAYGROUND_FILE.path, methods=[PLAYGROUND_FILE.method])
async def send_file(name: str) -> Response:
    """A file of the page."""
    try:
        data, media_type = playground.read_file(name)
    except KeyError as exc:
        raise HTTPException(404) from exc
    return Response(data, media_type=media_type, headers=playground.HEADERS)
