"""``POST /v1/chat``: a verdict first, then the guarded reply or a refusal; streamed on request."""

from collections.abc import AsyncGenerator

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from safety_core.engine.messages import Delta, Event, GuardVerdict, Reply
from service.api.answering import Chat, broken_off, counted, last
from service.api.openapi_fragments import ERRORS, EVENTS, request_body
from service.api.policies import rules_for
from service.api.requests import chat_request, lowered, read_request
from service.api.responses import View
from service.api.schemas import ChatReply
from service.container import Service, service_of, view_of
from service.endpoints import CHAT
from service.sse import EventStream, sse, unless_client_leaves
from service.telemetry.request_record import RequestRecord, record_of

router = APIRouter()


@router.api_route(
    CHAT.path,
    methods=[CHAT.method],
    response_model=ChatReply,
    responses={**ERRORS, **EVENTS},
    openapi_extra=request_body(answered=True),
    summary="Ask about images, guarded",
)
async def chat(request: Request) -> Response:
    """Judge images and prompt, then answer or refuse. A refusal is a reply: HTTP 200, `decision: refused`.

    Images without a prompt are described. A question about a missing image is answered with a fixed sentence.

    With `stream` the reply is sent as Server-Sent Events: `assessment`, then `delta` pieces, then `done` with the full
    reply, or `error`.
    """
    service = service_of(request)
    service.readiness.require()
    intake = await read_request(request, service)
    view = view_of(request, decode_ms=intake.decode_ms)
    rules = rules_for(request, policy=intake.options.policy, language=intake.options.language)
    asked = chat_request(intake, service.settings, rules)
    record = record_of(request)
    record.add_images(asked)
    events = counted(service, Chat(record=record, request=asked, decode_ms=intake.decode_ms))
    headers = lowered(intake.options.max_tokens, service.settings)
    if not intake.options.stream:
        return JSONResponse(view.chat(await unless_client_leaves(request, last(events))), headers=headers)
    # The first event decides the status line: whatever fails before it is a plain HTTP error.
    first = await unless_client_leaves(request, anext(events))
    return EventStream(_stream(service, record, view, first, events), headers)


async def _stream(
    service: Service, record: RequestRecord, view: View, first: Event, events: AsyncGenerator[Event, None]
) -> AsyncGenerator[str, None]:
    try:
        assert isinstance(first, GuardVerdict), "the engine spoke before its verdict"
        yield sse("assessment", view.assessment(first))
        async for event in events:
            if isinstance(event, Delta):
                yield sse("delta", view.delta(event))
            elif isinstance(event, Reply):
                yield sse("done", view.chat(event))
    except Exception as exc:
        yield sse("error", broken_off(service, record, exc))
    finally:
        await events.aclose()
