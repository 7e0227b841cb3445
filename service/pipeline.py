"""The stages that the endpoints share: read the body, load images, choose a policy, judge, record, answer.

Knows no schema of a request and none of a reply.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel

from safety_core.engine.exceptions import describe
from safety_core.engine.messages import (
    ChatRequest,
    Delta,
    Event,
    GuardRequest,
    GuardVerdict,
    Reply,
    UnguardedReply,
)
from safety_core.errors import InputError, JudgeOnlyError, NoVerdictError, SafeVLMError, UnreadError
from safety_core.inputs.conversation import compute_max_characters
from safety_core.inputs.images.decoding import DecodedImage
from safety_core.lettering.reading import Problem
from safety_core.policy.named_policies import ActivePolicy
from service.access.api_keys import ApiKey
from service.container import Service
from service.endpoints import Endpoint, Quantity
from service.errors import build_error_reply
from service.ingress.body import JSON, BodyLimits, get_media_type, is_json, parse_charset, read_body
from service.ingress.image_loader import ImageSource
from service.ingress.json_body import parse_json
from service.ingress.multipart import MultipartForm, read_form
from service.ingress.request_resources import enforce_deadline
from service.policies import list_policy_names, parse_accept_language
from service.settings import Settings
from service.sse import cancel_on_disconnect
from service.telemetry.request_record import RequestRecord

_logger = logging.getLogger(__name__)

_LARGE_JSON_BYTES = 64 * 1024
"""Bodies above this size are parsed in a thread, because parsing would block the event loop for milliseconds."""

_ELEMENTS_PER_ITEM = 16
"""Commas and brackets around one message or one image."""

_OTHER_ELEMENTS = 64
"""Commas and brackets of all other fields."""

_Model = TypeVar("_Model", bound=BaseModel)

Assess = Callable[[GuardRequest], Awaitable[GuardVerdict]]
"""Judges one request with one call of the engine."""

AssessParts = Callable[[Assess, GuardRequest], Awaitable[GuardVerdict]]
"""Judges one request with several calls of the engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """One HTTP request, and what serves it."""

    request: Request
    """The HTTP request."""

    service: Service
    """The running server."""

    endpoint: Endpoint
    """Row of the endpoint table that the request matched."""

    record: RequestRecord
    """Data for the log line, the audit log and the metrics."""

    key: ApiKey | None
    """The API key; None if the server requires none."""

    @property
    def settings(self) -> Settings:
        """Settings of the server."""
        return self.service.settings

    def get_limit(self, quantity: Quantity) -> int:
        """Return the maximum of a quantity of this request, which its endpoint's row names."""
        return self.endpoint.get_limit(quantity, self.settings)


def create_context(request: Request) -> RequestContext:
    """Create the context of a request from the results of the middleware."""
    state = request.state
    return RequestContext(
        request=request,
        service=state.service,
        endpoint=state.endpoint,
        record=state.record,
        key=getattr(state, "api_key", None),
    )


async def provide_context(request: Request) -> RequestContext:
    """Create the context of a request, once the server is ready to serve it.

    Raises:
        JudgeOnlyError: the request wants a generated reply, and the server only judges.
        NotReadyError: the request would run the model, and the guard did not pass its last self-check.
        UnauditedError: the request would run the model, and the audit log cannot be written.
    """
    context = create_context(request)
    if context.endpoint.generates and context.settings.mode == "guard":
        raise JudgeOnlyError("the server only judges")
    if context.endpoint.reaches_model:
        context.service.readiness.require()
    return context


Context = Annotated[RequestContext, Depends(provide_context)]
"""Parameter of a route that needs the context."""


async def read_json(context: RequestContext, model: type[_Model], *, max_elements: int | None = None) -> _Model:
    """Read and validate a JSON body.

    Args:
        context: the request.
        model: schema of the body.
        max_elements: maximum number of commas and opening brackets; if None, that of the largest conversation.

    Raises:
        InputError: the body is too large, malformed, or does not match the schema.
    """
    request = context.request
    if not is_json(get_media_type(request)):
        raise InputError(f"The Content-Type must be {JSON}.", code="content_type")
    charset = parse_charset(request.headers.get("content-type"))
    body = await read_body(request, _create_body_limits(context), context.record.memory)
    _start_deadline(context)
    return await parse_body(context, body, model, max_elements=max_elements, charset=charset)


async def parse_body(
    context: RequestContext,
    body: bytes | bytearray,
    model: type[_Model],
    *,
    max_elements: int | None = None,
    charset: str | None = None,
) -> _Model:
    """Parse and validate JSON that was received, in a thread if it is large.

    Args:
        context: the request.
        body: the JSON.
        model: its schema.
        max_elements: as for :func:`read_json`.
        charset: its encoding; detected if None.

    Raises:
        InputError: it is malformed, or does not match the schema.
    """
    record = context.record
    if max_elements is None:
        max_elements = _count_conversation_elements(context.settings)
    parse = partial(parse_json, body, model, max_elements=max_elements, charset=charset)
    if len(body) <= _LARGE_JSON_BYTES:
        return parse()
    record.grow_memory(len(body))  # the parsed objects; the body itself is freed when the caller returns
    async with enforce_deadline(record.deadline):
        parsed = await asyncio.get_running_loop().run_in_executor(context.service.parsers, parse)
    record.shrink_memory(len(body))
    return parsed


async def read_multipart(context: RequestContext, *, with_urls: bool = False) -> MultipartForm:
    """Read a multipart body; raises InputError if it is too large or malformed.

    Args:
        context: the request.
        with_urls: whether URLs of images may come with the files.
    """
    limits = _create_body_limits(context, max_files=context.get_limit("images"))
    form = await read_form(context.request, limits, context.record.memory, with_urls=with_urls)
    _start_deadline(context)
    return form


def _create_body_limits(context: RequestContext, *, max_files: int = 0) -> BodyLimits:
    settings = context.settings
    return BodyLimits(
        max_bytes=context.endpoint.max_body_bytes or settings.max_body_bytes,
        max_file_bytes=settings.max_image_bytes,
        max_files=max_files,
        timeout_s=settings.body_timeout_s,
    )


def _start_deadline(context: RequestContext) -> None:
    """Start the deadline of the verdict, now that the body has been read."""
    context.record.deadline = time.monotonic() + context.settings.verdict_timeout_s


def _count_conversation_elements(settings: Settings) -> int:
    """Count the commas and brackets that the largest conversation of any endpoint has, in its fields and its texts."""
    items = settings.max_turns + settings.max_images
    return compute_max_characters(settings.max_prompt_tokens) + _ELEMENTS_PER_ITEM * items + _OTHER_ELEMENTS


async def load_images(
    context: RequestContext, sources: Sequence[ImageSource], places: Sequence[str] = ()
) -> tuple[DecodedImage, ...]:
    """Load and decode the images of a request, and record the time that this takes.

    Args:
        context: the request.
        sources: the images.
        places: field of the request that contains each of them, for errors; ``image`` if empty.

    Raises:
        ClientGoneError: the client disconnected.
        SafeVLMError: as ``ImageLoader.load``.
    """
    loaded = await cancel_on_disconnect(
        context.request,
        context.service.image_loader.load(sources, context.record, places, max_images=context.get_limit("images")),
    )
    context.record.decode_ms = loaded.decode_ms
    return loaded.images


def choose_policy(context: RequestContext, *, name: str | None, language: str | None) -> ActivePolicy:
    """Choose the policy that decides about a request, and record it.

    Args:
        context: the request, with its key and its ``Accept-Language``.
        name: the policy that the request names.
        language: the language that the request names; it precedes those of the header.

    Raises:
        InputError: ``policy_not_allowed``; the error does not reveal whether the policy exists.
        NoVerdictError: the policy of the API key is not in the file any more.
    """
    book = context.service.policies.content
    allowed = list_policy_names(context.key, book)
    chosen = name or allowed[0]
    if chosen not in allowed:
        raise InputError("This policy cannot be chosen.", code="policy_not_allowed", param="policy")
    if chosen not in book.policies:
        raise NoVerdictError("the policy of an API key does not exist")
    languages = [language] if language else parse_accept_language(context.request.headers.get("accept-language", ""))
    policy = book.select(chosen, languages)
    context.record.set_policy(policy.name, book.version)
    return policy


async def judge(
    context: RequestContext, requests: Sequence[GuardRequest], *, assess_parts: AssessParts | None = None
) -> list[GuardVerdict]:
    """Judge the inputs of a request that gets no generated reply, and record the verdicts.

    Args:
        context: the request.
        requests: the inputs.
        assess_parts: judges one input with several calls of the engine; None judges it with one call.

    Raises:
        ClientGoneError: the client disconnected.
        NoVerdictError: an input could not be judged. A chat is then refused, but a refusal would be meaningless here.
        UnreadError: not all of the lettering in an image was read.
        EngineError: as the engine does, and UnauditedError.
    """
    service, record = context.service, context.record
    for one in requests:
        record.add_images(one)
    assess: Assess = partial(service.guard.assess, client=record.client, deadline=record.deadline)
    judge_one = assess if assess_parts is None else partial(assess_parts, assess)
    verdicts = await cancel_on_disconnect(context.request, asyncio.gather(*map(judge_one, requests)))
    await service.audit_log.write_decision(record, verdicts)
    for verdict in verdicts:
        record.add_verdict(verdict)
        service.metrics.record_verdict(record, verdict)
        service.metrics.observe_queue_wait(record, verdict.queue_ms)
        if verdict.assessment is None:
            raise _create_unjudged_error(verdict)
    return verdicts


def _create_unjudged_error(verdict: GuardVerdict) -> NoVerdictError:
    """Create the error for a request without a verdict."""
    if not verdict.exceeded:
        return NoVerdictError("the request could not be judged")
    return UnreadError("the lettering was not read completely", too_long=verdict.exceeded != {Problem.TIME})


async def stream_reply(
    context: RequestContext, request: ChatRequest, *, choice: int = 0
) -> AsyncGenerator[Event, None]:
    """Yield the engine's events of one reply; each is recorded, and written into the audit log, before it is yielded.

    Args:
        context: the HTTP request.
        request: the chat request.
        choice: number of the reply, if one HTTP request gets several; they share a verdict, which the first reply
            records.

    Raises:
        EngineError: as the engine does, and UnauditedError.
    """
    service, record = context.service, context.record
    awaits_first_token = True
    async with aclosing(service.guard.stream(request, client=record.client, deadline=record.deadline)) as events:
        async for event in events:
            if isinstance(event, GuardVerdict):
                await service.audit_log.write_decision(record, [event])
                if choice == 0:
                    record.add_verdict(event)
                    service.metrics.record_verdict(record, event)
                    if event.verdict.reason is not None:  # sent as a refusal, which no error handler counts
                        service.metrics.rejected.labels(event.verdict.reason).inc()
            elif isinstance(event, Reply):
                await service.audit_log.write_reply(record, choice, event)
                record.add_reply(event)
                service.metrics.record_reply(record, event)
            elif awaits_first_token and not event.refusal:
                awaits_first_token = False
                service.metrics.observe_first_token(record)
            yield event


async def stream_unguarded_reply(
    context: RequestContext, request: ChatRequest
) -> AsyncGenerator[Delta | UnguardedReply, None]:
    """Yield the engine's events of one reply of the bare language model, which nothing judges.

    The audit log says so before anything is yielded.

    Raises:
        EngineError: as the engine does, and UnauditedError.
    """
    service, record = context.service, context.record
    record.is_unguarded = True
    record.add_images(request)
    await service.audit_log.write_unguarded(record)
    unguarded = service.guard.stream_unguarded(request, client=record.client, deadline=record.deadline)
    async with aclosing(unguarded) as events:
        async for event in events:
            if isinstance(event, UnguardedReply):
                record.add_unguarded_reply(event)
                service.metrics.record_unguarded_reply(record, event)
            yield event


async def await_reply(events: AsyncIterator[Event]) -> Reply:
    """Return the final reply of a stream of events."""
    async for event in events:
        if isinstance(event, Reply):
            return event
    raise AssertionError("the engine ended a stream without a reply")


def record_stream_error(context: RequestContext, exc: Exception) -> dict[str, Any]:
    """Record an error after the status line was sent; returns the error's body for the last event of the stream."""
    if not isinstance(exc, SafeVLMError):
        _logger.error("unexpected error: %s", describe(exc))
    reply = build_error_reply(exc)
    context.service.metrics.rejected.labels(reply.code).inc()
    context.record.error = reply.code
    return reply.body
