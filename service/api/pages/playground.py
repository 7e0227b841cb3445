"""``/playground``: the page, and the endpoints that only the page uses.

These endpoints change with the page, and the OpenAPI document does not contain them. If clients see no risks, they
return neither scores nor thresholds.
"""

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from safety_core.engine.explanation import explain_verdict
from service import playground
from service.api.chat import send_reply
from service.api.pages.about import describe_page
from service.api.pages.conversations import build_chat_request, build_guard_request, read_conversation
from service.api.pages.policy_trial import PolicyTrial, count_elements, decide_trial
from service.api.responses import Responses
from service.endpoints import (
    PLAYGROUND,
    PLAYGROUND_ABOUT,
    PLAYGROUND_CHAT,
    PLAYGROUND_DECISIONS,
    PLAYGROUND_EXAMPLE,
    PLAYGROUND_FILE,
    PLAYGROUND_JUDGEMENT,
    PLAYGROUND_MODEL_CARD,
)
from service.pipeline import Context, choose_policy, judge, read_json
from service.playground.examples import read_example

router = APIRouter(include_in_schema=False)


@router.api_route(PLAYGROUND.path, methods=[PLAYGROUND.method])
async def send_page() -> Response:
    """The page."""
    return await send_file(playground.PAGE)


@router.api_route(PLAYGROUND_ABOUT.path, methods=[PLAYGROUND_ABOUT.method])
async def describe_server(context: Context) -> JSONResponse:
    """The model, the limits of a request, policies to choose and to try, and examples to begin with."""
    return JSONResponse(describe_page(context))


@router.api_route(PLAYGROUND_MODEL_CARD.path, methods=[PLAYGROUND_MODEL_CARD.method])
async def send_model_card(context: Context) -> Response:
    """The model card of the checkpoint, as text."""
    card = context.service.guard.info.model_card
    if not card:
        raise HTTPException(404)
    return Response(card, media_type="text/plain", headers=playground.HEADERS)


@router.api_route(PLAYGROUND_EXAMPLE.path, methods=[PLAYGROUND_EXAMPLE.method])
async def send_example(name: str) -> Response:
    """The picture of an example."""
    try:
        data, media_type = read_example(name)
    except KeyError as exc:
        raise HTTPException(404) from exc
    return Response(data, media_type=media_type, headers=playground.HEADERS)


@router.api_route(PLAYGROUND_CHAT.path, methods=[PLAYGROUND_CHAT.method])
async def answer_conversation(context: Context, responses: Responses) -> Response:
    """Judge a conversation, then answer or refuse it, with the replies and events of `/v1/chat`."""
    decoded = await read_conversation(context)
    policy = choose_policy(context, name=decoded.options.policy, language=decoded.options.language)
    return await send_reply(context, responses, build_chat_request(decoded, context, policy), decoded.options)


@router.api_route(PLAYGROUND_JUDGEMENT.path, methods=[PLAYGROUND_JUDGEMENT.method])
async def explain_judgement(context: Context, responses: Responses) -> JSONResponse:
    """The reply of `/v1/classify` about a conversation, with its explanation: every view, every score, every rule.

    The verdict comes from the cache if the conversation was just sent to `/playground/chat` with `explain`.
    """
    decoded = await read_conversation(context)
    policy = choose_policy(context, name=decoded.options.policy, language=decoded.options.language)
    (verdict,) = await judge(context, [build_guard_request(decoded, policy)])
    reply = responses.build_classification(verdict, explain=True)
    if context.settings.expose_risk:
        reply["why"] = explain_verdict(policy, context.service.guard.info.taxonomy, verdict)
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
