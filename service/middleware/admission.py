"""Admits requests: matches the route, counts requests in flight, rejects excess ones, and handles all exceptions.

Plain ASGI, because wrapping responses would break streaming and disconnects. Log lines name the endpoint and status,
never a path, a query or a header, which may contain user content. The exceptions are ``X-Request-Id`` and
``traceparent``, which callers send for the log, and which are accepted only in the strict form of identifiers.
"""

import asyncio
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from safety_core.engine.exceptions import describe
from safety_core.errors import OverloadedError, StoppedError
from service.container import Service
from service.endpoints import UNMATCHED
from service.errors import INVALID, ErrorReply, build_error_reply
from service.middleware.route_matching import MatchedRoute, RouteMatcher
from service.telemetry.logs import FIELDS
from service.telemetry.request_record import RequestRecord

_logger = logging.getLogger(__name__)

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffd]")
"""Characters that paths must not contain: control characters, line separators, and surrogates for invalid UTF-8."""

_CONTROL_BYTES = re.compile(rb"[\x00-\x1f\x7f]")

_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

_INVALID_PATH = ErrorReply(
    status=400, message="The path contains control characters or invalid bytes.", type=INVALID, code="invalid_path"
)


class AdmissionMiddleware:
    """ASGI middleware around the whole application.

    Args:
        app: the next application.
        root_path: prefix that a proxy may leave on paths, and that pages and documents use in links.
    """

    def __init__(self, app: ASGIApp, root_path: str = "") -> None:
        self._app = app
        self._root_path = root_path
        self._in_flight = 0
        self._matcher: RouteMatcher | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._root_path:
            scope["root_path"] = self._root_path
            # The route of / redirects clients to the path for which relative links work.
            if scope["path"] == self._root_path:
                scope["path"] += "/"
        is_sound = not _has_control_characters(scope)
        route = self._match(scope) if is_sound else MatchedRoute(endpoint=UNMATCHED, is_matched=False)
        endpoint = route.endpoint or UNMATCHED
        headers = Headers(scope=scope)
        record = RequestRecord(
            endpoint=endpoint.label,
            caller_id=_read_identifier(headers, "x-request-id", _REQUEST_ID),
            traceparent=_read_identifier(headers, "traceparent", _TRACEPARENT),
        )
        scope["state"] |= {"route": route, "endpoint": endpoint, "record": record}
        if scope["method"] == "HEAD":  # the response has no body, and routes are registered for GET only
            scope = {**scope, "method": "GET"}
            send = _strip_body(send)
        exchange = _HttpExchange(self._app, scope)
        with exchange.record_outcome():
            if not is_sound:
                await exchange.reject(_INVALID_PATH, receive, send)
            elif not (endpoint.reaches_model and route.allows_method):
                await exchange(receive, send)
            else:
                await self._admit(exchange, record, receive, send)

    async def _admit(self, exchange: "_HttpExchange", record: RequestRecord, receive: Receive, send: Send) -> None:
        """Serve a request that may reach the model, if the limit allows."""
        service = exchange.service
        if self._in_flight >= service.settings.max_requests:
            await exchange.reject(
                build_error_reply(OverloadedError(retry_after_s=service.guard.estimate_retry_after_s())), receive, send
            )
            return
        gauge = service.metrics.in_flight.labels(record.endpoint)
        self._in_flight += 1
        gauge.inc()
        try:
            await exchange(receive, send)
        finally:
            self._in_flight -= 1
            gauge.dec()

    def _match(self, scope: Scope) -> MatchedRoute:
        if self._matcher is None:
            self._matcher = RouteMatcher(scope["app"].router.routes)
        return self._matcher.match(scope)


class _HttpExchange:
    """Serves one request; unexpected exceptions are handled here, before the server could log the text they quote."""

    def __init__(self, app: ASGIApp, scope: Scope) -> None:
        self._app = app
        self._scope = scope
        self._record: RequestRecord = scope["state"]["record"]
        self.service: Service = scope["state"]["service"]

    async def __call__(self, receive: Receive, send: Send) -> None:
        try:
            await self._app(self._scope, receive, self._add_identifiers(send))
        except (
            asyncio.CancelledError
        ):  # cancelled by the server at the end of its shutdown timeout; the framework would answer 500
            if self._record.status is None:
                await self.reject(build_error_reply(StoppedError("the server is stopping")), receive, send)
        except Exception as exc:
            _logger.error(
                "unexpected error: %s", describe(exc), extra={FIELDS: {"request_id": self._record.request_id}}
            )
            if self._record.status is None:
                await self.reject(build_error_reply(exc), receive, send)

    @contextmanager
    def record_outcome(self) -> Iterator[None]:
        """Count the request and write its log line once it has ended, whatever its outcome."""
        try:
            yield
        finally:
            self.service.metrics.count_http_request(self._record)
            self._log()

    def _log(self) -> None:
        record = self._record
        if record.has_log_line:
            _logger.info("request", extra={FIELDS: record.build_log_fields()})
        elif record.status is not None and record.status >= 400:
            self.service.rejection_log.log(record.build_log_fields())

    async def reject(self, reply: ErrorReply, receive: Receive, send: Send) -> None:
        """Answer with an error in place of the application."""
        self.service.metrics.rejected.labels(reply.code).inc()
        self._record.error = reply.code
        response = JSONResponse(reply.body, reply.status, headers=dict(reply.headers))
        await response(self._scope, receive, self._add_identifiers(send))

    def _add_identifiers(self, send: Send) -> Send:
        """Wrap ``send`` so that the response has the identifiers of the request."""

        async def send_with_identifiers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._record.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = self._record.request_id
                if self._record.traceparent is not None:
                    headers["traceparent"] = self._record.traceparent
            await send(message)

        return send_with_identifiers


def _has_control_characters(scope: Scope) -> bool:
    """Return whether a path has control characters, encoded or not; routers and proxies interpret them differently."""
    raw = scope.get("raw_path") or b""
    return (
        _CONTROL.search(scope["path"]) is not None
        or _CONTROL_BYTES.search(raw) is not None
        or _CONTROL_BYTES.search(unquote_to_bytes(raw)) is not None
    )


def _read_identifier(headers: Headers, name: str, form: re.Pattern[str]) -> str | None:
    """Read the value of a header, if there is exactly one in the form of an identifier."""
    values = headers.getlist(name)
    return values[0] if len(values) == 1 and form.fullmatch(values[0]) else None


def _strip_body(send: Send) -> Send:
    async def send_without_body(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return send_without_body
