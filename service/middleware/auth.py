"""Access control: which hosts, origins and API keys may call which endpoint.

Plain ASGI in front of every route, so that a route without a row in the endpoint table is not reachable; an empty key
list rejects all requests. A key is sent as ``Authorization: Bearer KEY`` (clients of OpenAI and LiteLLM), as
``x-api-key``, or as the password of HTTP Basic, which browsers prompt for and Prometheus supports.

Decisions depend on the route that ``service.middleware.admission`` matched, never on the text of the path.
"""

import base64
import binascii
import math
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection
from starlette.websockets import WebSocketClose

from service.access.addresses import derive_client_key
from service.access.api_keys import ApiKey
from service.container import Service
from service.errors import AUTHENTICATION, INVALID, PERMISSION, RATE_LIMIT, ErrorReply, build_status_reply
from service.middleware.origin_check import SAFE_METHODS, OriginCheck
from service.middleware.route_matching import MatchedRoute
from service.settings import Settings
from service.telemetry.request_record import RequestRecord

_IDENTITY = frozenset({"", "identity"})
"""Content codings of a body that is not encoded."""

_NO_KEY = ErrorReply(status=401, message="A valid API key is required.", type=AUTHENTICATION, code="invalid_api_key")
_NO_SCOPE = ErrorReply(
    status=403,
    message="This API key lacks the scope required by this endpoint.",
    type=PERMISSION,
    code="missing_scope",
)
_KEY_BUSY = ErrorReply(
    status=429,
    message="This API key has reached its limit on concurrent requests.",
    type=RATE_LIMIT,
    code="key_busy",
    retry_after_s=1,
)
_ENCODED = ErrorReply(
    status=415,
    message="Content-Encoding is not supported; send the body uncompressed.",
    type=INVALID,
    code="content_encoding",
)


class AuthMiddleware:
    """ASGI middleware that rejects unauthorised requests.

    Args:
        app: the next application.
        settings: whether API keys are required, allowed hosts and origins, and trusted proxies.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._origin_check = OriginCheck(settings)

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Serve one request, or reject it."""
        if scope["type"] == "websocket":  # no route supports WebSocket, and a future route must not be open by accident
            await WebSocketClose()(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route: MatchedRoute = scope["state"]["route"]
        record: RequestRecord = scope["state"]["record"]
        headers = Headers(scope=scope)
        record.client = derive_client_key(self._origin_check.find_client(scope, headers))
        if route.endpoint is not None and route.endpoint.is_open:
            await self._serve(route, scope, receive, send)
            return
        error = self._origin_check.check(scope, headers)
        if error is not None:
            await _reject(error, scope)(scope, receive, send)
        elif not self._settings.requires_api_keys:
            await self._serve(route, scope, receive, send)
        else:
            await self._serve_with_key(route, scope, receive, send)

    async def _serve_with_key(self, route: MatchedRoute, scope: Connection, receive: Receive, send: Send) -> None:
        """Serve a request whose key is valid, has the scope of the route, and is within its limits."""
        service: Service = scope["state"]["service"]
        record: RequestRecord = scope["state"]["record"]
        key = service.keys.content.find(read_api_key(Headers(scope=scope)))
        if key is None:
            await _reject(_NO_KEY, scope)(scope, receive, send)
            return
        record.key, record.client = key.name, f"key:{key.name}"
        error = _check_scope(route, key)
        reads_page = scope["method"] in SAFE_METHODS and route.endpoint is not None and route.endpoint.is_page
        if error is None and not reads_page:
            wait_s = service.rate_limiter.take(key)
            error = None if wait_s is None else _create_rate_error(wait_s)
        if error is not None:
            await _reject(error, scope)(scope, receive, send)
            return
        scope["state"]["api_key"] = key
        with service.rate_limiter.hold_slot(key) as is_free:
            if is_free:
                await self._serve(route, scope, receive, send)
            else:
                await _reject(_KEY_BUSY, scope)(scope, receive, send)

    async def _serve(self, route: MatchedRoute, scope: Connection, receive: Receive, send: Send) -> None:
        """Serve an authorised request; a route without a row in the table is 404."""
        if route.endpoint is None or not route.is_matched:
            await _reject(build_status_reply(404), scope)(scope, receive, send)
        elif route.endpoint.reaches_model and not _IDENTITY.issuperset(_read_content_codings(scope)):
            await _reject(_ENCODED, scope, {"Accept-Encoding": "identity"})(scope, receive, send)
        else:
            record: RequestRecord = scope["state"]["record"]
            record.has_log_line = route.endpoint.reaches_model and route.allows_method
            await self._app(scope, receive, send)


def read_api_key(headers: Headers) -> str:
    """Read the API key of a request; empty if it has none."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode("utf-8").partition(":")[2]
        except (binascii.Error, ValueError):
            return ""
    return headers.get("x-api-key", "")


def _read_content_codings(scope: Connection) -> set[str]:
    values = Headers(scope=scope).getlist("content-encoding")
    return {coding.strip().lower() for value in values for coding in value.split(",")}


def _check_scope(route: MatchedRoute, key: ApiKey) -> ErrorReply | None:
    """Return the error for a route that the key may not call; None if it may."""
    if route.endpoint is None:  # without a row, the required scope is unknown
        return build_status_reply(404)
    required = route.endpoint.scope
    return _NO_SCOPE if required is not None and required not in key.scopes else None


def _create_rate_error(wait_s: float) -> ErrorReply:
    return ErrorReply(
        status=429,
        message="This API key exceeds its request rate.",
        type=RATE_LIMIT,
        code="rate_limited",
        retry_after_s=max(1, math.ceil(wait_s)),
    )


def _reject(reply: ErrorReply, scope: Connection, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Record an error and return its response."""
    service: Service = scope["state"]["service"]
    record: RequestRecord = scope["state"]["record"]
    service.metrics.rejected.labels(reply.code).inc()
    record.error = reply.code
    response = JSONResponse(reply.body, reply.status, headers={**reply.headers, **(headers or {})})
    if reply.status == 401:
        # One header for each scheme: browsers that do not know the first scheme of a list ignore the rest.
        for scheme in ("Bearer", "Basic"):
            response.headers.append("WWW-Authenticate", f'{scheme} realm="safevlm"')
    return response
