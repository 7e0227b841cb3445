"""Who may pass: every path but health needs a key with the right scope, once keys are configured.

Plain ASGI in front of every route, so that a route which nobody thought of is closed; a list of keys that runs empty
opens nothing. A key comes as
``Authorization: Bearer KEY``, as OpenAI's and LiteLLM's clients send it, as ``x-api-key``, or as the password of HTTP
Basic, which browsers ask for and Prometheus can send. Browsers send that by themselves, also for pages of others: what
such a page asks for is not done.
"""

import base64
import binascii
import math

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection
from starlette.websockets import WebSocketClose

from service.errors import ErrorReply
from service.keys import ApiKey, Scope
from service.record import RequestRecord
from service.state import Service

OPEN = frozenset({"/healthz", "/readyz"})
"""Paths without a key: orchestrators ask them, and they tell nothing."""

SCOPES = {
    "/v1/chat": Scope.CHAT,
    "/v1/chat/completions": Scope.CHAT,
    "/v1/classify": Scope.CLASSIFY,
    "/v1/moderations": Scope.CLASSIFY,
    "/beta/litellm_basic_guardrail_api": Scope.CLASSIFY,
    "/metrics": Scope.METRICS,
}
"""What a path needs; any other needs a key of any scope."""

PLAYGROUND = "/playground"
"""A page and all below it: for who may chat."""

AUTHENTICATION = "authentication_error"
PERMISSION = "permission_error"
RATE = "rate_limit_error"

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing and run no model."""

_NO_KEY = ErrorReply(status=401, message="A valid API key is needed.", type=AUTHENTICATION, code="invalid_api_key")
_NO_SCOPE = ErrorReply(status=403, message="The API key is not good for this.", type=PERMISSION, code="missing_scope")
_CROSS_SITE = ErrorReply(
    status=403, message="Pages of other sites cannot use this server.", type=PERMISSION, code="cross_site"
)
_TOO_MANY = ErrorReply(
    status=429, message="Too many requests of this API key run already.", type=RATE, code="key_busy", retry_after_s=1
)


class Gate:
    """ASGI middleware that lets through who has a key."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Serve one request, or say why not."""
        if scope["type"] == "websocket":  # none of our routes speaks it, and one that somebody adds is closed
            await WebSocketClose()(scope, receive, send)
            return
        if scope["type"] != "http" or scope["path"] in OPEN:
            await self._app(scope, receive, send)
            return
        service: Service = scope["state"]["service"]
        headers = Headers(scope=scope)
        if scope["method"] not in _SAFE and _cross_site(headers):
            await _refused(_CROSS_SITE, scope)(scope, receive, send)
            return
        if not service.settings.wants_keys:
            await self._app(scope, receive, send)
            return
        key = service.keys.content.find(presented(headers))
        refusal = _NO_KEY if key is None else _forbidden(scope["path"], key)
        if refusal is None and key is not None and not (scope["method"] in _SAFE and _of_playground(scope["path"])):
            # A page comes in many files, which cost nothing.
            wait_s = service.allowance.wait_s(key)
            if wait_s is not None:
                refusal = _slower(wait_s)
        if refusal is not None or key is None:
            await _refused(refusal or _NO_KEY, scope)(scope, receive, send)
            return
        record: RequestRecord = scope["state"]["record"]
        record.key = key.name
        scope["state"]["api_key"] = key
        with service.allowance.running(key) as free:
            await (self._app if free else _refused(_TOO_MANY, scope))(scope, receive, send)


def presented(headers: Headers) -> str:
    """The key that a request brings; empty where it brings none."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode("utf-8").partition(":")[2]
        except (binascii.Error, ValueError):
            return ""
    return headers.get("x-api-key", "")


def _cross_site(headers: Headers) -> bool:
    """Whether a browser says that another site's page sends this; an old one only says which page."""
    sent_by = headers.get("sec-fetch-site")
    if sent_by is not None:
        return sent_by not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host")


def _of_playground(path: str) -> bool:
    return path == PLAYGROUND or path.startswith(f"{PLAYGROUND}/")


def _forbidden(path: str, key: ApiKey) -> ErrorReply | None:
    needed = Scope.CHAT if _of_playground(path) else SCOPES.get(path)
    return _NO_SCOPE if needed is not None and needed not in key.scopes else None


def _slower(wait_s: float) -> ErrorReply:
    return ErrorReply(
        status=429,
        message="This API key asks too often.",
        type=RATE,
        code="rate_limited",
        retry_after_s=max(1, math.ceil(wait_s)),
    )


def _refused(reply: ErrorReply, scope: Connection) -> JSONResponse:
    service: Service = scope["state"]["service"]
    record: RequestRecord = scope["state"]["record"]
    service.metrics.rejected.labels(reply.code).inc()
    record.error = reply.code
    response = JSONResponse(reply.body, reply.status, headers=dict(reply.headers))
    if reply.status == 401:
        # A line each: browsers that do not know the first scheme of a list do not read on.
        for scheme in ("Bearer", "Basic"):
            response.headers.append("WWW-Authenticate", f'{scheme} realm="safevlm"')
    return response
