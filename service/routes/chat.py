"""``POST /v1/chat``: a verdict first, then the guarded reply or a refusal; streamed on request."""

import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from safety_core.engine.faults import describe
from safety_core.engine.messages import ChatRequest, Delta, Event, GuardVerdict, Reply
from safety_core.errors import SafeVLMError
from service.errors import reply_to
from service.intake import Intake, chat_request, read_request
from service.routes.docs import ERRORS, EVENTS, request_body
from service.schemas import ChatReply
from service.state import Service, service_of
from service.streaming import EventStream, sse, unless_client_leaves
from service.views import View

_logger = logging.getLogger(__name__)

router = APIRouter()

_ENDPOINT = "chat"


@router.post(
    "/v1/chat",
    response_model=ChatReply,
    responses={**ERRORS, **EVENTS},
    openapi_extra=request_body(),
    summary="Ask about images, guarded",
)
async def chat(request: Request) -> Response:
    """Judge images and prompt, then answer or refuse. A refusal is a reply: HTTP 200, `decision: refused`.

    With `stream` the reply comes as Server-Sent Events: `assessment`, then `delta` pieces, then `done` with the full
    reply, or `error`.
    """
    arrived = time.perf_counter()
    service = service_of(request)
    service.readiness.require()
    intake = await read_request(request, service.settings, service.decoders, service.guard.info.pad_colour)
    view = View.of(service.guard.info, expose_risk=service.settings.expose_risk, decode_ms=intake.decode_ms)
    asked = chat_request(intake, service.settings)
    events = _counted(service, asked, intake, arrived)
    if not intake.options.stream:
        return JSONResponse(view.chat(await unless_client_leaves(request, _last(events))))
    # The first event decides the status line: whatever fails before it is a plain HTTP error.
    first = await unless_client_leaves(request, anext(events))
    return EventStream(_stream(service, view, first, events))


async def _counted(service: Service, asked: ChatRequest, intake: Intake, arrived: float) -> AsyncGenerator[Event, None]:
    """The engine's events, counted on their way."""
    speechless = True
    async with aclosing(service.guard.stream(asked)) as events:
        async for event in events:
            if isinstance(event, GuardVerdict):
                service.metrics.verdict(_ENDPOINT, event, decode_ms=intake.decode_ms)
                if event.verdict.reason is not None:  # told as a refusal, which no error handler counts
                    service.metrics.rejected.labels(event.verdict.reason).inc()
            elif isinstance(event, Reply):
                service.metrics.reply(_ENDPOINT, event)
            elif speechless and not event.refusal:
                speechless = False
                service.metrics.first_token_seconds.observe(time.perf_counter() - arrived)
            yield event


async def _last(events: AsyncIterator[Event]) -> Reply:
    async for event in events:
        if isinstance(event, Reply):
            return event
    raise AssertionError("the engine ended a stream without a reply")


async def _stream(
    service: Service, view: View, first: Event, events: AsyncGenerator[Event, None]
) -> AsyncGenerator[str, None]:
    try:
        assert isinstance(first, GuardVerdict), "the engine spoke before its verdict"
        yield sse("assessment", view.assessment(first))
        async for event in events:
            if isinstance(event, Delta):
                yield sse("delta", view.delta(event))
            elif isinstance(event, Reply):
                yield sse("done", view.chat(event))
    except Exception as exc:  # the status line is gone: this is the last place that can still tell the client
        if not isinstance(exc, SafeVLMError):
            _logger.error("unforeseen: %s", describe(exc))
        failure = reply_to(exc)
        service.metrics.rejected.labels(failure.code).inc()
        yield sse("error", failure.body)
    finally:
        await events.aclose()
