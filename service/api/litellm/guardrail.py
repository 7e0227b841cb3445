"""``POST /beta/litellm_basic_guardrail_api``: verdicts in the protocol of LiteLLM's generic guardrails.

A proxy calls it before it sends a request to its model, and again with the model's answer. Every text and image is
judged, in any field. Content that cannot be judged is an error, and texts that are too long are blocked.
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
from safety_core.errors import InputError
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
    """`BLOCKED` where the policy refuses, else `NONE`: texts and images are not changed.

    Every text in the request (messages, reasoning, tool definitions and calls, unknown fields) is judged with the
    others and by itself, together with all images, in overlapping windows if there is more than the guard reads at
    once; a response also in the short windows in which replies are judged while they are generated. Content that cannot
    be judged is an error, which LiteLLM treats as a block.

    With the parameter `drop_refused_turns`, refused questions of a text-only conversation are replaced together with
    their answers (`GUARDRAIL_INTERVENED`), and the rest decides.
    """
    try:
        reply = await _judge_request(context)
    except _LimitExceededError as exc:
        error = exc.error  # without its traceback, whose frames hold the content of the request
    else:
        return JSONResponse(reply.dump())
    return JSONResponse((await _block(context, error)).dump())


class _LimitExceededError(Exception):
    """A request has more content than is judged.

    Args:
        error: the exceeded limit.
    """

    def __init__(self, error: InputError) -> None:
        super().__init__()
        self.error = error.with_traceback(None)


async def _judge_request(context: RequestContext) -> GuardrailReply:
    """Judge a request of the proxy; raises _LimitExceededError if it has more content than is judged."""
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
    verdicts = await judge(context, requests, assess_parts=assessor.assess)
    worst = max(verdicts, key=lambda verdict: verdict.verdict.severity_key)
    if worst.verdict.decision is Decision.REFUSED:
        return GuardrailReply(action="BLOCKED", blocked_reason=worst.refusal)
    if history is not None and worst.dropped_messages:
        return GuardrailReply(
            action="GUARDRAIL_INTERVENED", texts=replace_dropped_texts(history, worst.dropped_messages)
        )
    return GuardrailReply(action="NONE")


async def _extract(context: RequestContext, body: GuardrailRequest) -> ExtractedContent:
    """Extract the content of a request, of a large one in a thread."""
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
        """Judge a request as a whole or in windows, without refused earlier turns if these are to be dropped."""
        if isinstance(request, ReplyRequest):
            # The engine judges it in the output rail's short windows: harm must not be thinned by its length.
            return await assess(request)
        verdict = await self._assess_in_windows(assess, request, self.content.user_texts)
        is_refused = verdict.verdict.decision is Decision.REFUSED and verdict.assessment is not None
        if self.history is None or not is_refused:
            return verdict
        return await self._assess_without_refused_turns(assess, request, self.history) or verdict

    async def _assess_without_refused_turns(
        self, assess: Assess, request: GuardRequest, history: tuple[ClientMessage, ...]
    ) -> GuardVerdict | None:
        """Judge a request without the earlier turns that the engine drops; None if that changes nothing."""
        try:
            reduced = await assess(GuardRequest(turns=join_messages(history), messages=history, policy=self.policy))
        except InputError:  # longer than is judged at once
            return None
        if reduced.verdict.decision is Decision.REFUSED or not reduced.dropped_messages:
            return None
        # The rest must pass like any request: in windows, with tools and everything else that the model will read.
        # A text that also stands elsewhere is not removed there.
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
    """Block a request with more content than is judged.

    An error would pass where the proxy is configured to continue after errors, and a client could cause this one.
    """
    context.record.error = error.code
    context.service.metrics.rejected.labels(error.code).inc()
    await context.service.error_budget.delay_error(context.record)
    return GuardrailReply(action="BLOCKED", blocked_reason=error.message)
