"""``POST /v1/classify``: the verdict alone; the language model never runs."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from service.api.openapi.bodies import build_form_or_json_body
from service.api.openapi.responses import ERRORS
from service.api.requests import build_guard_request, read_request
from service.api.responses import Responses
from service.api.schemas.replies import ClassifyReply
from service.endpoints import CLASSIFY
from service.pipeline import Context, choose_policy, judge

router = APIRouter()


@router.api_route(
    CLASSIFY.path,
    methods=[CLASSIFY.method],
    response_model=ClassifyReply,
    responses=ERRORS,
    openapi_extra=build_form_or_json_body(has_reply=False),
    summary="Judge images, a prompt, or both",
)
async def classify(context: Context, responses: Responses) -> JSONResponse:
    """Risk type, level and decision, for all images together and for each. Takes the fields of `/v1/chat`."""
    decoded = await read_request(context)
    policy = choose_policy(context, name=decoded.options.policy, language=decoded.options.language)
    (verdict,) = await judge(context, [build_guard_request(decoded, policy)])
    return JSONResponse(responses.build_classification(verdict, explain=bool(decoded.options.explain)))
