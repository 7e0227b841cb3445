"""``POST /v1/classify``: the verdict alone; the language model never runs."""

from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from safety_core.engine.messages import GuardVerdict
from safety_core.policy.named_policies import ActivePolicy
from service.api.openapi.bodies import build_form_or_json_body
from service.api.openapi.responses import ERRORS
from service.api.requests import build_guard_request, read_request
from service.api.responses import Responses
from service.api.schemas.replies import ClassifyReply
from service.endpoints import CLASSIFY
from service.pipeline import Context, RequestContext, choose_policy, judge

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
    classified = await classify_request(context)
    return JSONResponse(responses.build_classification(classified.verdict, explain=classified.explain))


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """A request that was judged."""

    verdict: GuardVerdict
    """The verdict; its assessment is never None."""

    policy: ActivePolicy
    """The policy that the decision is based on."""

    explain: bool
    """Whether the client asked for an explanation."""


async def classify_request(context: RequestContext) -> Classification:
    """Read a request to a native endpoint and judge it.

    Raises:
        InputError: the request is invalid.
        SafeVLMError: as :func:`service.pipeline.judge`.
    """
    decoded = await read_request(context)
    policy = choose_policy(context, name=decoded.options.policy, language=decoded.options.language)
    (verdict,) = await judge(context, [build_guard_request(decoded, policy)])
    return Classification(verdict=verdict, policy=policy, explain=bool(decoded.options.explain))
