"""``POST /v1/classify``: the verdict alone; the language model never runs."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from safety_core.errors import NoVerdictError
from service.intake import guard_request, read_request
from service.record import record_of
from service.routes.docs import ERRORS, request_body
from service.ruling import rules_for
from service.schemas import ClassifyReply
from service.state import service_of, view_of
from service.streaming import unless_client_leaves

router = APIRouter()


@router.post(
    "/v1/classify",
    response_model=ClassifyReply,
    responses=ERRORS,
    openapi_extra=request_body(prompt_is_needed=False),
    summary="Judge images, a prompt, or both",
)
async def classify(request: Request) -> JSONResponse:
    """Risk type, level and decision, for all images together and for each. Takes what `/v1/chat` takes."""
    service = service_of(request)
    service.readiness.require()
    intake = await read_request(request, service)
    rules = rules_for(request, policy=intake.options.policy, language=intake.options.language)
    asked, record = guard_request(intake, rules), record_of(request)
    record.asked(asked)
    verdict = await unless_client_leaves(request, service.guard.assess(asked))
    await service.auditor.decided(record, [verdict])
    record.judged(verdict, decode_ms=intake.decode_ms)
    service.metrics.verdict(record, verdict)
    service.metrics.waited(record, verdict.queue_ms)
    if verdict.assessment is None:
        # A chat without a verdict is refused; a classification without one would be an answer that says nothing.
        raise NoVerdictError("the request could not be judged")
    return JSONResponse(view_of(request, decode_ms=intake.decode_ms).classification(verdict))
