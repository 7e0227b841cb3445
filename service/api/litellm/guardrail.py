"""``POST /beta/litellm_basic_guardrail_api``: verdicts in the protocol of LiteLLM's generic guardrails.

A proxy calls it before it sends a request to its model, and again with the model's answer. Every text and image is
judged, in any field. Texts that are too long and images whose lettering is not read completely are blocked; other
content that cannot be judged is an error.
"""

import asyncio
from dataclasses import dataclass, replace
from functools import partial

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from safety_core.engine.judging.conversation_rounds import join_messages
from safety_core.engine.messages import (
    MAX_REPLY_CHARACTERS,
    ClientMessage,
    GuardRequest,
    GuardVerdict,
    ReplyRequest,
)
from safety_core.errors import InputError, UnreadError
from safety_core.inputs.conversation import Turn
from safety_core.policy.named_policies import ActivePolicy
from safety_core.policy.policy import Decision
from service.api.litellm.extraction import ExtractedContent, extract_content
from service.api.litellm.history import find_dropped_texts, parse_plain_history, replace_dropped_texts
from service.api.litellm.schemas import GuardrailReply, GuardrailRequest, ProviderParams
from service.api.openapi.bodies import build_json_body
from service.api.openapi.responses import ERRORS
from service.api.text_windows import TooLongError, WindowLimits, assess_in_windows, check_length, create_window_limits
from service.endpoints import GUARDRAIL
from service.errors import build_error_reply
from service.ingress.body import create_image_count_error
from service.ingress.request_resources import enforce_deadline
from service.pipeline import Assess, Context, RequestContext, choose_policy, judge, load_images, read_json

router = APIRouter()

_CHARACTERS_PER_ELEMENT = 4
"""Characters per comma or bracket that a conversation may have: JSON returned by tools has many of them."""

_OTHER_ELEMENTS = 16_384
"""Commas and brackets outside texts: ids, roles, tool schemas."""

_LARGE_BYTES = 64 * 1024
"""A larger body is searched in a thread, because the search would block the event loop for milliseconds."""


@router.api_route(
    GUARDRAIL.path,
    methods=[GUARDRAIL.method],
    name="guardrail",
    response_model=GuardrailReply,
    responses=ERRORS,
    openapi_extra=build_json_body(GuardrailRequest),
    summary="Judge requests and responses of a LiteLLM proxy",
)
async def judge_proxied_content(context: Context) -> JSONResponse:
    """`BLOCKED` if the policy refuses, otherwise `NONE`; texts and images are not modified.

    Every text in the request (messages, reasoning, tool definitions and calls, unknown fields) is judged separately and
    together with the other texts, each time with all images. Content that is too long for one judgement is split into
    overlapping windows. A response is also judged in the short windows that are used for generated replies. Content
    that cannot be judged is an error, which LiteLLM treats as a block.

    With the parameter `drop_refused_turns`, refused questions of a text-only conversation and their answers are
    replaced (`GUARDRAIL_INTERVENED`), and the remaining texts determine the action.
    """
    try:
        reply = await _judge_request(context)
    except _LimitExceededError as exc:
        error = exc.error  # without its traceback, whose frames reference the content of the request
    else:
        return JSONResponse(reply.dump())
    return JSONResponse((await _block(context, error)).dump())


class _LimitExceededError(Exception):
    """A request exceeds a limit on its content.

    Args:
        error: the exceeded limit.
    """

    def __init__(self, error: InputError) -> None:
        super().__init__()
        self.error = error.with_traceback(None)


async def _judge_request(context: RequestContext) -> GuardrailReply:
    """Judge a request of the proxy; raises _LimitExceededError if its content exceeds a limit."""
    limits = create_window_limits(context.endpoint, context.settings)
    body = await read_json(
        context,
        GuardrailRequest,
        max_elements=limits.max_judged_characters // _CHARACTERS_PER_ELEMENT + _OTHER_ELEMENTS,
    )
    params = body.additional_provider_specific_params or ProviderParams()
    policy = choose_policy(context, name=params.policy, language=params.language)
    content = await _extract(context, body)
    if not content.texts and not content.images:
        return GuardrailReply(action="NONE")
    is_response = body.input_type == "response"
    if is_response:
        limits = replace(limits, max_judged_characters=min(limits.max_judged_characters, MAX_REPLY_CHARACTERS))
    _check_limits(context, content, limits)
    images = await load_images(context, content.images)
    turns = _create_turns(content.texts)
    requests = [GuardRequest(images=images, turns=turns, policy=policy)]
    if is_response and turns:
        requests.append(ReplyRequest(turns=turns, policy=policy))
    history = None
    if params.drop_refused_turns and not is_response and not content.images:
        history = parse_plain_history(body.texts or [], body.structured_messages or [])
    assessor = _Assessor(
        body=body, content=content, history=history, policy=policy, limits=limits, deadline=context.record.deadline
    )
    try:
        verdicts = await judge(context, requests, assess_parts=assessor.assess)
    except UnreadError as exc:  # a client can fill an image with lettering deliberately
        reply = build_error_reply(exc)
        raise _LimitExceededError(InputError(reply.message, code=reply.code)) from None
    worst = max(verdicts, key=lambda verdict: verdict.verdict.severity_key)
    if worst.verdict.decision is Decision.REFUSED:
        return GuardrailReply(action="BLOCKED", blocked_reason=worst.refusal)
    if history is not None and worst.dropped_messages:
        return GuardrailReply(
            action="GUARDRAIL_INTERVENED", texts=replace_dropped_texts(history, worst.dropped_messages)
        )
    return GuardrailReply(action="NONE")


async def _extract(context: RequestContext, body: GuardrailRequest) -> ExtractedContent:
    """Extract the content of a request; a large request is processed in a thread."""
    size = context.request.headers.get("content-length", "")
    if size.isdigit() and int(size) <= _LARGE_BYTES:
        return extract_content(body)
    async with enforce_deadline(context.record.deadline):
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(context.service.parsers, partial(extract_content, body))


def _check_limits(context: RequestContext, content: ExtractedContent, limits: WindowLimits) -> None:
    """Raise _LimitExceededError if there are too many characters or images."""
    try:
        check_length(content.texts, limits)
    except TooLongError as exc:
        raise _LimitExceededError(exc) from None
    max_images = context.get_limit("images")
    if len(content.images) > max_images:
        raise _LimitExceededError(create_image_count_error(max_images))


def _create_turns(texts: list[str]) -> tuple[Turn, ...]:
    return tuple(Turn(role="user", text=text) for text in texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Assessor:
    """Judges the engine's requests for one request of the proxy."""

    body: GuardrailRequest
    """Request of the proxy."""

    content: ExtractedContent
    """Its texts and images."""

    history: tuple[ClientMessage, ...] | None
    """Its conversation, if refused turns can be dropped from it."""

    policy: ActivePolicy
    """The policy that decides."""

    limits: WindowLimits
    """Bounds on judging in windows."""

    deadline: float | None
    """Latest time of the verdict, by ``time.monotonic``."""

    async def assess(self, assess: Assess, request: GuardRequest) -> GuardVerdict:
        """Judge a request as a whole or in windows, without refused earlier turns if the request asks to drop them."""
        if isinstance(request, ReplyRequest):
            # The engine judges replies in the output rail's short windows, so that length does not dilute harmful
            # content.
            return await assess(request)
        verdict = await self._assess_in_windows(assess, request, self.content.user_texts)
        is_refused = verdict.verdict.decision is Decision.REFUSED and verdict.assessment is not None
        if self.history is None or not is_refused:
            return verdict
        return await self._assess_without_refused_turns(assess, request, self.history) or verdict

    async def _assess_without_refused_turns(
        self, assess: Assess, request: GuardRequest, history: tuple[ClientMessage, ...]
    ) -> GuardVerdict | None:
        """Judge a request without the earlier turns that the engine drops; None if it is refused anyway."""
        try:
            reduced = await assess(GuardRequest(turns=join_messages(history), messages=history, policy=self.policy))
        except InputError:  # too long to be judged at once
            return None
        if reduced.verdict.decision is Decision.REFUSED or not reduced.dropped_messages:
            return None
        # The remaining content is judged like any request: in windows, with tools and everything else that the model
        # will read. A dropped text that also occurs elsewhere in the request stays there, so it is judged.
        messages = self.body.structured_messages or []
        refusals = [{"refusal": message["refusal"]} for message in messages if message.get("refusal")]
        elsewhere = extract_content(self.body.model_copy(update={"texts": None, "structured_messages": refusals}))
        dropped = find_dropped_texts(history, reduced.dropped_messages).difference(elsewhere.texts)
        turns = _create_turns([text for text in self.content.texts if text not in dropped])
        user_texts = [text for text in self.content.user_texts if text not in dropped]
        verdict = await self._assess_in_windows(assess, replace(request, turns=turns), user_texts)
        return replace(verdict, dropped_messages=reduced.dropped_messages)

    async def _assess_in_windows(self, assess: Assess, request: GuardRequest, user_texts: list[str]) -> GuardVerdict:
        return await assess_in_windows(assess, request, limits=self.limits, deadline=self.deadline, together=user_texts)


async def _block(context: RequestContext, error: InputError) -> GuardrailReply:
    """Block a request that exceeds a limit.

    If the proxy is configured to continue after errors, an error response would let the request pass, and a client can
    exceed a limit deliberately.
    """
    context.record.error = error.code
    context.service.metrics.rejected.labels(error.code).inc()
    await context.service.error_budget.delay_error(context.record)
    return GuardrailReply(action="BLOCKED", blocked_reason=error.message)
