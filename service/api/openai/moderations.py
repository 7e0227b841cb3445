"""``POST /v1/moderations``: verdicts in the protocol of OpenAI's clients; the language model never runs."""

import re
from functools import partial

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from safety_core.engine.messages import GuardRequest
from safety_core.errors import PromptError
from safety_core.inputs.prompts import Turn
from safety_core.policy.book import ActivePolicy
from service.api.classification import assessed
from service.api.openai.completions import check_model
from service.api.openai.responses import moderation
from service.api.openai.schemas import ImagePart, Moderation, ModerationRequest, TextPart
from service.api.openapi_fragments import NO_MODEL, OPENAI_ERRORS, json_body
from service.api.policies import rules_for
from service.api.requests import read_json
from service.api.text_windows import assess_in_windows, check_length
from service.container import Service, service_of, view_of
from service.endpoints import MODERATIONS
from service.sse import unless_client_leaves
from service.telemetry.request_record import RequestRecord, record_of

router = APIRouter()


_OPENAI_MODEL = re.compile(r"(?:openai/)?(?:omni|text)-moderation-(?:latest|stable|\d{3}|\d{4}-\d{2}-\d{2})")
"""OpenAI's moderation models, the default of clients (LiteLLM adds the provider); they select the served model."""


@router.api_route(
    MODERATIONS.path,
    methods=[MODERATIONS.method],
    response_model=Moderation,
    responses={**OPENAI_ERRORS, **NO_MODEL},
    openapi_extra=json_body(ModerationRequest),
    summary="Judge texts and images, as OpenAI's clients do",
)
async def moderations(request: Request) -> JSONResponse:
    """One result for a text, one for each of several texts, or one for texts and images that belong together.

    Risk types are reported under their own names, and under OpenAI's names of equivalent categories. `model` in the
    reply is the served checkpoint, whichever of OpenAI's names was requested.
    """
    service = service_of(request)
    service.readiness.require()
    asked = await read_json(request, service, ModerationRequest)
    if asked.model is None or not _OPENAI_MODEL.fullmatch(asked.model):
        check_model(asked.model, service)
    record = record_of(request)
    rules = rules_for(request, policy=asked.policy, language=None)
    requests, decode_ms = await unless_client_leaves(request, _requests(service, asked, rules, record))
    verdicts = await assessed(
        request,
        requests,
        decode_ms=decode_ms,
        within=partial(assess_in_windows, limits=service.settings.window_limits, deadline=record.deadline),
    )
    return JSONResponse(moderation(view_of(request, decode_ms=decode_ms), service.guard.info, verdicts))


async def _requests(
    service: Service, asked: ModerationRequest, rules: ActivePolicy, record: RequestRecord
) -> tuple[list[GuardRequest], float]:
    """What to judge, and the milliseconds that decoding took."""
    given = [asked.input] if isinstance(asked.input, str) else asked.input
    texts = [part if isinstance(part, str) else part.text for part in given if isinstance(part, str | TextPart)]
    shown = [(index, part) for index, part in enumerate(given) if isinstance(part, ImagePart)]
    sources = [part.image_url.url for _, part in shown]
    limit = service.settings.max_turns
    if len(given) > limit + len(sources):
        raise PromptError(f"At most {limit} texts are accepted.", code="too_many_inputs", param="input")
    together = bool(sources) or any(isinstance(part, TextPart) for part in given)
    items = ["\n".join(texts)] if together else texts
    empty = next((index for index, text in enumerate(items) if not text.strip()), None)
    if not given or (not sources and empty is not None):
        place = "input" if together or len(items) < 2 else f"input.{empty}"
        raise PromptError("There is nothing to judge.", code="input_empty", param=place)
    parts = tuple(texts) if together and len(texts) > 1 else ()
    turns = [(Turn(role="user", text=text, parts=parts),) if text.strip() else () for text in items]
    check_length(texts, service.settings.window_limits)
    places = [f"input.{index}.image_url.url" for index, _ in shown]
    loaded = await service.image_loader.load(sources, record, places)
    return [GuardRequest(images=loaded.images, turns=one, rules=rules) for one in turns], loaded.decode_ms
