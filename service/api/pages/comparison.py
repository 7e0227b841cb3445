"""``/playground/unguarded``: what the bare language model replies, for comparison with the guarded reply.

Nothing about it is guarded, so it is served only where the operator asks for it (``SAFEVLM_PLAYGROUND_COMPARE``), and
only to a browser on the server's own machine that shows the server's own page. Everyone else gets 404, as if there were
no such path. Its responses say that they are not guarded: in a header, and in each event.
"""

from collections.abc import AsyncGenerator
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.exceptions import HTTPException

from safety_core.engine.messages import Delta, UnguardedReply
from service.access.addresses import is_loopback
from service.access.origins import is_same_origin, parse_authority
from service.api.pages.conversations import build_chat_request, read_conversation
from service.api.schemas.replies import UsageOut
from service.api.token_limits import create_limit_header
from service.endpoints import PLAYGROUND_UNGUARDED
from service.pipeline import Context, RequestContext, create_context, record_stream_error, stream_unguarded_reply
from service.settings import Settings
from service.sse import EventStream, cancel_on_disconnect, format_event

HEADER = "X-SafeVLM-Unguarded"
"""Response header of replies that nothing has judged."""

_PROXY_HEADERS = frozenset(
    {
        "forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "x-original-host",
        "x-original-forwarded-for", "x-envoy-external-address", "true-client-ip", "cf-connecting-ip",
        "fastly-client-ip", "fly-client-ip", "tailscale-user-login",
    }
)  # fmt: skip
"""Request headers that proxies add: the client may be on another machine, although the connection is not."""

_PROXY_PREFIX = "x-forwarded-"
"""Start of the names of further such headers."""


async def require_comparison(request: Request) -> None:
    """Raise HTTPException unless the comparison is served to this request."""
    if not allows_comparison(request, create_context(request).settings) or not _comes_from_own_page(request):
        raise HTTPException(404)


router = APIRouter(include_in_schema=False, dependencies=[Depends(require_comparison)])


@router.api_route(PLAYGROUND_UNGUARDED.path, methods=[PLAYGROUND_UNGUARDED.method])
async def answer_unguarded(context: Context) -> EventStream:
    """Stream the reply of the bare language model to a conversation: `delta` pieces, then `done`, or `error`."""
    decoded = await read_conversation(context)
    events = stream_unguarded_reply(context, build_chat_request(decoded, context, None))
    # The first event decides the status line: an error before it is a plain HTTP error.
    first = await cancel_on_disconnect(context.request, anext(events))
    headers = create_limit_header(decoded.options.max_tokens, context.endpoint, context.settings)
    return EventStream(_stream(context, first, events), {HEADER: "true", **headers})


def allows_comparison(request: Request, settings: Settings) -> bool:
    """Whether the comparison is switched on, and the request comes from this machine, without a proxy."""
    if not settings.playground_compare or request.client is None or not is_loopback(request.client.host):
        return False
    try:
        host = parse_authority(request.headers.get("host", "")).host
    except ValueError:
        return False
    return is_loopback(host) and not any(
        name in _PROXY_HEADERS or name.startswith(_PROXY_PREFIX) for name in request.headers
    )


def _comes_from_own_page(request: Request) -> bool:
    """Whether a browser says that the request comes from a page of this server.

    Other endpoints also accept programs, which say nothing, and pages of ``SAFEVLM_ALLOWED_ORIGINS``. A proxy that
    replaces ``Host`` and adds no header is not visible in ``Sec-Fetch-Site``, but in ``Origin``, which names the host
    that the browser sees.
    """
    sites, origins = request.headers.getlist("sec-fetch-site"), request.headers.getlist("origin")
    is_own = len(origins) == 1 and is_same_origin(origins[0], request.headers.getlist("host"), request.url.scheme)
    if not sites:
        return is_own
    return sites == ["same-origin"] and (is_own or origins in ([], ["null"]))


async def _stream(
    context: RequestContext,
    first: Delta | UnguardedReply,
    events: AsyncGenerator[Delta | UnguardedReply, None],
) -> AsyncGenerator[str, None]:
    """Yield the events of a reply as Server-Sent Events."""
    try:
        yield _format(first)
        async for event in events:
            yield _format(event)
    except Exception as exc:
        yield format_event("error", _mark(record_stream_error(context, exc)))
    finally:
        await events.aclose()


def _format(event: Delta | UnguardedReply) -> str:
    if isinstance(event, Delta):
        return format_event("delta", _mark({"content": event.text}))
    usage = UsageOut(prompt_tokens=event.prompt_tokens, completion_tokens=event.completion_tokens)
    return format_event(
        "done",
        _mark({"content": event.content, "usage": usage.dump(), "finish_reason": event.finish_reason}),
    )


def _mark(data: dict[str, Any]) -> dict[str, Any]:
    """Add to an event that nothing has judged it."""
    return {"unguarded": True, **data}
