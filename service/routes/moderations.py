"""``POST /v1/moderations``: verdicts in the protocol of OpenAI's clients; the language model never runs."""

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from safety_core.engine.messages import GuardRequest, GuardVerdict
from safety_core.errors import NoVerdictError, PromptError
from safety_core.policies import Rules
from safety_core.prompts import Turn, check_characters
from service.intake import read_json
from service.openai_schemas import ImagePart, Moderation, ModerationRequest, TextPart
from service.openai_views import moderation
from service.record import RequestRecord, record_of
from service.routes.completions import check_model
from service.routes.docs import ERRORS, NO_MODEL, json_body
from service.ruling import rules_for
from service.state import Service, service_of, view_of
from service.streaming import unless_client_leaves

router = APIRouter()


@router.post(
    "/v1/moderations",
    response_model=Moderation,
    responses={**ERRORS, **NO_MODEL},
    openapi_extra=json_body(ModerationRequest),
    summary="Judge texts and images, as OpenAI's clients do",
)
async def moderations(request: Request) -> JSONResponse:
    """One result for a text, one for each of several texts, one for texts and images that belong together.

    Our risk types stand under their own names, and under those of OpenAI that mean the same.
    """
    service = service_of(request)
    service.readiness.require()
    asked = await read_json(request, service, ModerationRequest)
    check_model(asked.model, service)
    requests, decode_ms = await _requests(service, asked, rules_for(request, policy=asked.policy, language=None))
    record = record_of(request)
    for one in requests:
        record.asked(one)
    verdicts = await unless_client_leaves(request, asyncio.gather(*map(service.guard.assess, requests)))
    await service.auditor.decided(record, verdicts)
    for verdict in verdicts:
        record.judged(verdict, decode_ms=decode_ms)
        count(service, record, verdict)
    return JSONResponse(moderation(view_of(request, decode_ms=decode_ms), service.guard.info, verdicts))


async def _requests(service: Service, asked: ModerationRequest, rules: Rules) -> tuple[list[GuardRequest], float]:
    """What to judge, and the milliseconds that decoding took."""
    given = [asked.input] if isinstance(asked.input, str) else asked.input
    texts = [part if isinstance(part, str) else part.text for part in given if isinstance(part, str | TextPart)]
    sources = [part.image_url.url for part in given if isinstance(part, ImagePart)]
    limit = service.settings.max_turns
    if len(given) > limit + len(sources):
        raise PromptError(f"At most {limit} texts are accepted.", code="too_many_inputs", param="input")
    together = bool(sources) or any(isinstance(part, TextPart) for part in given)
    items = ["\n".join(texts)] if together else texts
    if not given or (not sources and not all(text.strip() for text in items)):
        raise PromptError("There is nothing to judge.", code="input_empty", param="input")
    parts = tuple(texts) if together and len(texts) > 1 else ()
    turns = [(Turn(role="user", text=text, parts=parts),) if text.strip() else () for text in items]
    for one in turns:
        check_characters(one, service.settings.max_prompt_tokens)
    loaded = await service.pictures.load(sources)
    return [GuardRequest(images=loaded.images, turns=one, rules=rules) for one in turns], loaded.decode_ms


def count(service: Service, record: RequestRecord, verdict: GuardVerdict) -> None:
    """Count one of several verdicts; raises NoVerdictError where there is none."""
    service.metrics.verdict(record, verdict)
    service.metrics.waited(record, verdict.queue_ms)
    if verdict.assessment is None:
        # A chat without a verdict is refused; a moderation without one would be an answer that says nothing.
        raise NoVerdictError("the request could not be judged")
