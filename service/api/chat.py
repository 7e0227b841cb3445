"""``POST /v1/chat``: a verdict first, then the guarded reply or a refusal; streamed on request."""

from collections.abc import AsyncGenerator

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from safety_core.engine.messages import ChatRequest, Delta, Event, GuardVerdict, Reply
from service.api.openapi.bodies import build_form_or_json_body
from service.api.openapi.chat_stream import CHAT_STREAM
from service.api.openapi.responses import ERRORS
from service.api.requests import build_chat_request, read_request
from service.api.responses import ResponseBuilder, Responses
from service.api.schemas.replies import ChatReply
from service.api.schemas.requests import Options
from service.api.token_limits import create_limit_header
from service.endpoints import CHAT
from service.pipeline import Context, RequestContext, await_reply, choose_policy, record_stream_error, stream_reply
from service.sse import EventStream, cancel_on_disconnect, format_event

router = APIRouter()


@router.api_route(
    CHAT.path,
    methods=[CHAT.method],
    name="chat",
    response_model=ChatReply,
    responses={**ERRORS, **CHAT_STREAM},
    openapi_extra=build_form_or_json_body(has_reply=True),
    summary="Guarded chat about images",
)
async def answer_chat(context: Context, responses: Responses) -> Response:
    """Judge images and prompt, then answer or refuse. A refusal is a reply: HTTP 200, `decision: refused`.

    Images without a prompt are described. A question about a missing image is answered with a fixed sentence.

    With `stream` the reply is sent as Server-Sent Events: `assessment`, then `delta` pieces, then `done` with the full
    reply, or `error`.
    """
    decoded = await read_request(context)
    policy = choose_policy(context, name=decoded.options.policy, language=decoded.options.language)
    request = build_chat_request(decoded, context.endpoint, context.settings, policy)
    return await send_reply(context, responses, request, decoded.options)


async def send_reply(
    context: RequestContext, responses: ResponseBuilder, request: ChatRequest, options: Options
) -> Response:
    """Judge a chat, then send its reply or refusal: as a whole, or as events if the client wants a stream.

    Raises:
        SafeVLMError: as :func:`service.pipeline.stream_reply`, before anything was sent.
    """
    context.record.add_images(request)
    events = stream_reply(context, request)
    headers = create_limit_header(options.max_tokens, context.endpoint, context.settings)
    if not options.stream:
        reply = await cancel_on_disconnect(context.request, await_reply(events))
        return JSONResponse(responses.build_chat(reply), headers=headers)
    # The first event decides the status line: an error before it is a plain HTTP error.
    first = await cancel_on_disconnect(context.request, anext(events))
    return EventStream(_stream(context, responses, first, events), headers)


async def _stream(
    context: RequestContext, responses: ResponseBuilder, first: Event, events: AsyncGenerator[Event, None]
) -> AsyncGenerator[str, None]:
    """Yield the events of a reply as Server-Sent Events."""
    try:
        assert isinstance(first, GuardVerdict), "the engine sent an event before its verdict"
        yield format_event("assessment", responses.build_assessment(first))
        async for event in events:
            if isinstance(event, Delta):
                yield format_event("delta", responses.build_delta(event))
            elif isinstance(event, Reply):
                yield format_event("done", responses.build_chat(event))
    except Exception as exc:
        yield format_event("error", record_stream_error(context, exc))
    finally:
        await events.aclose()
