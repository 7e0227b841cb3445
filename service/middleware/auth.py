"""Access control: which hosts, origins and API keys may call which endpoint.

Plain ASGI in front of every route, so that a route without rules is closed; an empty key list rejects all requests. A
key is sent as ``Authorization: Bearer KEY`` (OpenAI's and LiteLLM's clients), as ``x-api-key``, or as the password of
HTTP Basic, which browsers prompt for and Prometheus supports. Browsers send Basic credentials automatically, also for
pages of other sites: requests of such pages are rejected, unless their origin is allowed.

Decisions follow the route that ``service.middleware.admission`` matched, never the text of the path.
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

from service.access.addresses import TrustedProxies, derive_client_key, is_loopback
from service.access.api_keys import ApiKey
from service.access.origins import AllowedHosts, is_same_origin, parse_authority
from service.container import Service
from service.errors import INVALID, ErrorReply, build_status_reply
from service.middleware.route_matching import MatchedRoute
from service.settings import Settings
from service.telemetry.request_record import RequestRecord

AUTHENTICATION = "authentication_error"
PERMISSION = "permission_error"
RATE = "rate_limit_error"

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing and run no model."""

_UNENCODED = frozenset({"", "identity"})

_NO_KEY = ErrorReply(status=401, message="A valid API key is needed.", type=AUTHENTICATION, code="invalid_api_key")
_NO_SCOPE = ErrorReply(
    status=403,
    message="This API key lacks the scope required by this endpoint.",
    type=PERMISSION,
    code="missing_scope",
)
_CROSS_SITE = ErrorReply(
    status=403, message="Pages of other sites cannot use this server.", type=PERMISSION, code="cross_site"
)
_TOO_MANY = ErrorReply(
    status=429, message="Too many requests of this API key run already.", type=RATE, code="key_busy", retry_after_s=1
)
_BAD_HOST = ErrorReply(
    status=400, message="The request must have exactly one valid Host header.", type=INVALID, code="bad_host"
)
_WRONG_HOST = ErrorReply(
    status=421,
    message="This host name is not allowed; the operator can allow it with SAFEVLM_ALLOWED_HOSTS.",
    type=PERMISSION,
    code="host_not_allowed",
)
_ENCODED = ErrorReply(
    status=415,
    message="Content-Encoding is not supported; send the body uncompressed.",
    type=INVALID,
    code="content_encoding",
)


class Gate:
    """ASGI middleware that rejects unauthorised requests.

    Args:
        app: what is behind it.
        settings: allowed hosts and origins, and trusted proxies.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._proxies = TrustedProxies(settings.trusted_proxies)
        self._origins = frozenset(settings.allowed_origins)
        self._hosts = _allowed_hosts(settings)

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Serve one request, or say why not."""
        if scope["type"] == "websocket":  # none of our routes speaks it, and one that somebody adds is closed
            await WebSocketClose()(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route: MatchedRoute = scope["state"]["route"]
        record: RequestRecord = scope["state"]["record"]
        headers = Headers(scope=scope)
        record.client = derive_client_key(self._client_address(scope, headers))
        if route.endpoint is not None and route.endpoint.is_open:
            await self._pass(route, scope, receive, send)
            return
        refusal = self._wrong_host(scope, headers) or self._cross_site(scope, headers)
        if refusal is not None:
            await _refused(refusal, scope)(scope, receive, send)
            return
        if not self._settings.requires_api_keys:
            await self._pass(route, scope, receive, send)
            return
        service: Service = scope["state"]["service"]
        key = service.keys.content.find(presented(headers))
        if key is None:
            await _refused(_NO_KEY, scope)(scope, receive, send)
            return
        record.key, record.client = key.name, f"key:{key.name}"
        refusal = _forbidden(route, key)
        if refusal is None and not (scope["method"] in _SAFE and route.endpoint is not None and route.endpoint.is_page):
            wait_s = service.rate_limiter.take(key)
            if wait_s is not None:
                refusal = _slower(wait_s)
        if refusal is not None:
            await _refused(refusal, scope)(scope, receive, send)
            return
        scope["state"]["api_key"] = key
        with service.rate_limiter.hold_slot(key) as free:
            if free:
                await self._pass(route, scope, receive, send)
            else:
                await _refused(_TOO_MANY, scope)(scope, receive, send)

    async def _pass(self, route: MatchedRoute, scope: Connection, receive: Receive, send: Send) -> None:
        """Pass an authorised request on; a route without a row in the table is 404."""
        if route.endpoint is None or not route.is_matched:
            await _refused(build_status_reply(404), scope)(scope, receive, send)
        elif route.endpoint.reaches_model and not _UNENCODED.issuperset(_content_codings(scope)):
            await _refused(_ENCODED, scope, {"Accept-Encoding": "identity"})(scope, receive, send)
        else:
            record: RequestRecord = scope["state"]["record"]
            record.has_log_line = route.endpoint.reaches_model and route.allows_method
            await self._app(scope, receive, send)

    def _wrong_host(self, scope: Connection, headers: Headers) -> ErrorReply | None:
        """The error for a ``Host`` that is not allowed, because an attacker can point a domain name at this machine.

        A page of ``evil.example`` could then read all replies (DNS rebinding).
        """
        given, bound = headers.getlist("host"), scope.get("server")
        if not given:  # HTTP/1.0, or no request from a socket at all
            return None if self._hosts is None or bound is None else _BAD_HOST
        try:
            (value,) = given
            host = parse_authority(value).host
        except ValueError:
            return _BAD_HOST
        if self._hosts is None or self._hosts.allows(host):
            return None
        # The address that the connection was made to: no name server has a say in it.
        return None if bound is not None and _names_bound_address(host, str(bound[0])) else _WRONG_HOST

    def _cross_site(self, scope: Connection, headers: Headers) -> ErrorReply | None:
        """The error for a request from another site's page; old browsers send only ``Origin``."""
        is_preflight = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        if scope["method"] in _SAFE and not is_preflight:
            return None
        origins, sent_by = headers.getlist("origin"), headers.getlist("sec-fetch-site")
        if len(origins) == 1 and origins[0].lower() in self._origins:
            return None
        if sent_by:
            return None if all(site in ("same-origin", "none") for site in sent_by) else _CROSS_SITE
        if not origins:
            return None
        authorities, scheme = headers.getlist("host"), None
        if self._believes_proxy(scope):
            # Proxies that do not replace such a header append to it: the last value is the nearest one's.
            forwarded = [value.rpartition(",")[2] for value in headers.getlist("x-forwarded-host")[-1:]]
            authorities = authorities + forwarded
            schemes = [value.rpartition(",")[2].strip().lower() for value in headers.getlist("x-forwarded-proto")[-1:]]
            scheme = next((value for value in schemes if value in ("http", "https")), None)
        own = len(origins) == 1 and is_same_origin(origins[0], authorities, scheme)
        return None if own else _CROSS_SITE

    def _believes_proxy(self, scope: Connection) -> bool:
        """Whether the peer's ``X-Forwarded-Host`` and ``-Proto`` are trusted.

        Those of a proxy on this machine always are: a page of another site cannot set such headers without a
        preflight, and ``Host`` was checked before.
        """
        peer = _peer(scope)
        return is_loopback(peer) or self._proxies.includes(peer)

    def _client_address(self, scope: Connection, headers: Headers) -> str:
        return self._proxies.find_client(_peer(scope), headers.getlist("x-forwarded-for"))


def _allowed_hosts(settings: Settings) -> AllowedHosts | None:
    """Hosts that are accepted; None accepts all."""
    if settings.allowed_hosts:
        return AllowedHosts(frozenset(settings.allowed_hosts))
    if settings.requires_api_keys:
        return None
    try:
        bound = parse_authority(settings.host).host
    except ValueError:
        return AllowedHosts()
    return AllowedHosts(frozenset({bound} - {"0.0.0.0"}))


def _names_bound_address(host: str, bound: str) -> bool:
    try:
        return host == parse_authority(f"[{bound}]" if ":" in bound else bound).host
    except ValueError:
        return False


def _peer(scope: Connection) -> str:
    client = scope.get("client")
    return "" if client is None else str(client[0])


def _content_codings(scope: Connection) -> set[str]:
    values = Headers(scope=scope).getlist("content-encoding")
    return {coding.strip().lower() for value in values for coding in value.split(",")}


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


def _forbidden(route: MatchedRoute, key: ApiKey) -> ErrorReply | None:
    if route.endpoint is None:  # whatever it may be, nobody has said who may have it
        return build_status_reply(404)
    needed = route.endpoint.scope
    return _NO_SCOPE if needed is not None and needed not in key.scopes else None


def _slower(wait_s: float) -> ErrorReply:
    return ErrorReply(
        status=429,
        message="This API key asks too often.",
        type=RATE,
        code="rate_limited",
        retry_after_s=max(1, math.ceil(wait_s)),
    )


def _refused(reply: ErrorReply, scope: Connection, headers: Mapping[str, str] | None = None) -> JSONResponse:
    service: Service = scope["state"]["service"]
    record: RequestRecord = scope["state"]["record"]
    service.metrics.rejected.labels(reply.code).inc()
    record.error = reply.code
    response = JSONResponse(reply.body, reply.status, headers={**reply.headers, **(headers or {})})
    if reply.status == 401:
        # A line each: browsers that do not know the first scheme of a list do not read on.
        for scheme in ("Bearer", "Basic"):
            response.headers.append("WWW-Authenticate", f'{scheme} realm="safevlm"')
    return response
