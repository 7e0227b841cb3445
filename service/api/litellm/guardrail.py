"""``POST /beta/litellm_basic_guardrail_api``: verdicts in the protocol of LiteLLM's generic guardrails.

A proxy calls it before it sends a request to its model, and again with the model's answer. Every text and picture is
judged, in any field. Content that cannot be judged is an error, and texts that are too long are blocked. Only fields
that identify the caller, and never reach a model, are ignored.
"""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from safety_core.engine.judging.history import join_messages
from safety_core.engine.messages import MAX_REPLY_CHARACTERS, GuardRequest, GuardVerdict, ReplyRequest
from safety_core.errors import InputError
from safety_core.inputs.prompts import Turn
from safety_core.policy.policy import Decision
from service.api.classification import assessed
from service.api.litellm.extraction import Extracted, as_read
from service.api.litellm.history import dropped_texts, plain_history, replaced_texts
from service.api.openapi_fragments import ERRORS, json_body
from service.api.policies import rules_for
from service.api.requests import read_json
from service.api.schemas import Language, Picture, PolicyName, Sent
from service.api.text_windows import Assess, TooLongError, assess_in_windows, check_length
from service.container import service_of
from service.endpoints import GUARDRAIL
from service.ingress.body import create_image_count_error
from service.ingress.decode_pool import enforce_deadline
from service.sse import unless_client_leaves
from service.telemetry.request_record import record_of

router = APIRouter()

_ABOUT_THE_CALL = frozenset({"litellm_call_id", "litellm_trace_id", "litellm_version", "model", "request_headers"})
"""Fields of the protocol that no model reads."""

_ABOUT_THE_KEY = "user_api_key_"
"""Prefix of fields of ``request_data`` that no model reads."""

_CHARACTERS_PER_MARK = 4
"""Characters per comma or bracket that a conversation may have: JSON returned by tools has many of them."""

_MARKS_BESIDES = 16_384
"""Commas and brackets outside texts: ids, roles, tool schemas."""

_LARGE_BYTES = 64 * 1024
"""A larger body is searched in a thread, because it would block the event loop for milliseconds."""


class ProviderParams(BaseModel):
    """Our part of what a proxy's configuration may pass on."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    policy: PolicyName = None
    language: Language = None
    drop_refused_turns: bool = Field(
        default=False,
        description="Whether refused questions in a text-only conversation are replaced by a note, instead of blocking "
        "the whole request; only for the mode `pre_call`, because other modes ignore replaced texts.",
    )


class GuardrailRequest(BaseModel):
    """What LiteLLM sends."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    texts: list[str] | None = Field(default=None, description="Texts of the request, or of the answer.")
    images: list[Picture] | None = Field(default=None, description="Pictures as base64, data URLs or URLs.")
    structured_messages: list[dict[str, Any]] | None = Field(
        default=None, description="The conversation that they come from."
    )
    tools: list[Any] | None = Field(
        default=None, description="Definitions of tools; their names, descriptions and schemas are judged as texts."
    )
    tool_calls: list[Any] | None = Field(
        default=None, description="Calls of tools; their arguments are judged as texts."
    )
    request_data: dict[str, Any] | None = Field(
        default=None,
        description="Request data of the proxy; judged, except for identifiers and fields about the caller's key.",
    )
    input_type: Literal["request", "response"] = Field(default="request", description="Which of the two it is.")
    additional_provider_specific_params: ProviderParams | None = Field(
        default=None, description="What the proxy's configuration says for this guardrail."
    )


class GuardrailReply(Sent):
    """What LiteLLM then does."""

    action: Literal["BLOCKED", "NONE", "GUARDRAIL_INTERVENED"]
    blocked_reason: str | None = None
    texts: list[str] | None = None
    images: list[str] | None = None


@router.api_route(
    GUARDRAIL.path,
    methods=[GUARDRAIL.method],
    response_model=GuardrailReply,
    responses=ERRORS,
    openapi_extra=json_body(GuardrailRequest),
    summary="Judge what passes a LiteLLM proxy",
)
async def guardrail(request: Request) -> JSONResponse:
    """`BLOCKED` where the policy refuses, else `NONE`: texts and pictures are not changed.

    Every text in the request (messages, reasoning, tool definitions and calls, unknown fields) is judged with the
    others and by itself, together with all pictures, in overlapping windows if there is more than the guard reads at
    once; a response also in the short windows in which replies are judged while they are generated. Content that cannot
    be judged is an error, which LiteLLM treats as a block.

    With the parameter `drop_refused_turns`, refused questions of a text-only conversation are replaced together with
    their answers (`GUARDRAIL_INTERVENED`), and the rest decides.
    """
    service_of(request).readiness.require()
    try:
        return await _judged(request)
    except _TooMuchError as exc:
        reason = exc.reason  # no frame that holds the request's content
    return await _blocked(request, reason)


class _TooMuchError(Exception):
    """A request is more than is judged.

    Args:
        reason: which limit it exceeds.
    """

    def __init__(self, reason: InputError) -> None:
        super().__init__()
        self.reason = reason.with_traceback(None)


async def _judged(request: Request) -> JSONResponse:
    service, record = service_of(request), record_of(request)
    limits = service.settings.window_limits
    max_marks = limits.max_judged_characters // _CHARACTERS_PER_MARK + _MARKS_BESIDES
    asked = await read_json(request, service, GuardrailRequest, max_marks=max_marks)
    params = asked.additional_provider_specific_params or ProviderParams()
    rules = rules_for(request, policy=params.policy, language=params.language)
    size = request.headers.get("content-length", "")
    small = size.isdigit() and int(size) <= _LARGE_BYTES
    if small:
        found = extracted(asked)
    else:
        async with enforce_deadline(record.deadline):
            found = await asyncio.get_running_loop().run_in_executor(service.parsers, partial(extracted, asked))
    if not found.texts and not found.pictures:
        return JSONResponse(GuardrailReply(action="NONE").sent())
    if asked.input_type == "response":
        limits = replace(limits, max_judged_characters=min(limits.max_judged_characters, MAX_REPLY_CHARACTERS))
    try:
        check_length(found.texts, limits)
    except TooLongError as exc:
        raise _TooMuchError(exc) from None
    if len(found.pictures) > service.settings.max_images:
        raise _TooMuchError(create_image_count_error(service.settings.max_images))
    loaded = await unless_client_leaves(request, service.image_loader.load(found.pictures, record))
    turns = tuple(Turn(role="user", text=text) for text in found.texts)
    wanted = [GuardRequest(images=loaded.images, turns=turns, rules=rules)]
    if asked.input_type == "response" and turns:
        wanted.append(ReplyRequest(turns=turns, rules=rules))
    in_windows = partial(assess_in_windows, limits=limits, deadline=record.deadline)

    history = None
    if params.drop_refused_turns and asked.input_type == "request" and not found.pictures:
        history = plain_history(asked.texts or [], asked.structured_messages or [])

    async def judge(assess: Assess, one: GuardRequest) -> GuardVerdict:
        # A reply is judged in the output rail's short windows too: harm must not be thinned by its length.
        verdict = await (
            assess(one) if isinstance(one, ReplyRequest) else in_windows(assess, one, together=found.user_texts)
        )
        if history is None or verdict.verdict.decision is not Decision.REFUSED or verdict.assessment is None:
            return verdict
        try:
            reduced = await assess(GuardRequest(turns=join_messages(history), messages=history, rules=rules))
        except InputError:  # longer than is judged at once
            return verdict
        if reduced.verdict.decision is Decision.REFUSED or not reduced.dropped_messages:
            return verdict
        # What is left must pass as any request does: in windows, with tools and all else that the model will read.
        # A text that stands elsewhere as well is not taken out there.
        refusals = [{"refusal": one["refusal"]} for one in asked.structured_messages or [] if one.get("refusal")]
        elsewhere = extracted(asked.model_copy(update={"texts": None, "structured_messages": refusals})).texts
        left_out = dropped_texts(history, reduced.dropped_messages).difference(elsewhere)
        turns = tuple(Turn(role="user", text=text) for text in found.texts if text not in left_out)
        users = [text for text in found.user_texts if text not in left_out]
        again = await in_windows(assess, replace(one, turns=turns), together=users)
        return replace(again, dropped_messages=reduced.dropped_messages)

    verdicts = await assessed(request, wanted, decode_ms=loaded.decode_ms, within=judge)
    worst = max(verdicts, key=lambda one: one.verdict.severity_key)
    if worst.verdict.decision is Decision.REFUSED:
        return JSONResponse(GuardrailReply(action="BLOCKED", blocked_reason=worst.refusal).sent())
    if history is not None and worst.dropped_messages:
        texts = replaced_texts(history, worst.dropped_messages)
        return JSONResponse(GuardrailReply(action="GUARDRAIL_INTERVENED", texts=texts).sent())
    return JSONResponse(GuardrailReply(action="NONE").sent())


async def _blocked(request: Request, reason: InputError) -> JSONResponse:
    """`BLOCKED` for more than is judged.

    An error passes where the proxy is told to go on after errors; nothing that a client can bring about may.
    """
    service, record = service_of(request), record_of(request)
    record.error = reason.code
    service.metrics.rejected.labels(reason.code).inc()
    await service.error_budget.delay_error(record)
    return JSONResponse(GuardrailReply(action="BLOCKED", blocked_reason=reason.message).sent())


def extracted(asked: GuardrailRequest) -> Extracted:
    """All texts and pictures in a request that a model may read; raises InputError if some content cannot be judged."""
    found = Extracted()
    found.add_texts(map(as_read, asked.texts or []))
    found.add_pictures(asked.images or [])
    found.add_messages(asked.structured_messages or [])
    found.add_tool_calls(asked.tool_calls)
    found.add_tools(asked.tools)
    others = {name: value for name, value in (asked.model_extra or {}).items() if name not in _ABOUT_THE_CALL}
    found.add_others(others)
    found.add_others(
        {name: value for name, value in (asked.request_data or {}).items() if not _names_somebody(name, value)}
    )
    return found


def _names_somebody(name: str, value: Any) -> bool:
    """Whether a field of ``request_data`` identifies the caller: an identifier, or any field of the proxy's key."""
    return name.startswith(_ABOUT_THE_KEY) or (isinstance(value, str) and not any(map(str.isspace, value)))
