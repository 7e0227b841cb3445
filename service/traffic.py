"""The outermost layer: counts what is in flight, turns away what is too much, and lets no exception out.

Plain ASGI, because wrapping responses would break streaming and disconnects. Log lines name the endpoint and status,
never a path, a query or a header: those belong to the client.
"""

import logging

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from safety_core.engine.faults import describe
from safety_core.errors import OverloadedError
from service.errors import ErrorReply, reply_to
from service.logs import FIELDS
from service.record import RequestRecord
from service.state import Service

_logger = logging.getLogger(__name__)

ENDPOINTS = {
    "/v1/chat": "chat",
    "/v1/classify": "classify",
    "/v1/chat/completions": "completions",
    "/v1/moderations": "moderations",
    "/beta/litellm_basic_guardrail_api": "guardrail",
    "/playground/judgement": "playground",
}
"""Paths whose requests reach the model, and their names in metrics."""


class Traffic:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        endpoint = ENDPOINTS.get(scope["path"])
        record = scope["state"]["record"] = RequestRecord(endpoint=endpoint or "other")
        shielded = _Shielded(self._app, scope)
        if endpoint is None:
            await shielded(receive, send)
            return
        service: Service = scope["state"]["service"]
        if self._in_flight >= service.settings.max_requests:
            await shielded.refuse(reply_to(OverloadedError(retry_after_s=service.guard.retry_after_s())), receive, send)
            return
        gauge = service.metrics.in_flight.labels(endpoint)
        self._in_flight += 1
        gauge.inc()
        try:
            await shielded(receive, send)
        finally:
            self._in_flight -= 1
            gauge.dec()
            _logger.info("request", extra={FIELDS: record.line()})


class _Shielded:
    """One request whose unforeseen exceptions end here, before a server could log what they quote."""

    def __init__(self, app: ASGIApp, scope: Scope) -> None:
        self._app = app
        self._scope = scope
        self._record: RequestRecord = scope["state"]["record"]

    async def __call__(self, receive: Receive, send: Send) -> None:
        try:
            await self._app(self._scope, receive, self._named(send))
        except Exception as exc:
            _logger.error("unforeseen: %s", describe(exc), extra={FIELDS: {"request_id": self._record.id}})
            if self._record.status is None:
                await self.refuse(reply_to(exc), receive, send)

    async def refuse(self, reply: ErrorReply, receive: Receive, send: Send) -> None:
        """Answer with an error in place of the application."""
        service: Service = self._scope["state"]["service"]
        service.metrics.rejected.labels(reply.code).inc()
        self._record.error = reply.code
        response = JSONResponse(reply.body, reply.status, headers=dict(reply.headers))
        await response(self._scope, receive, self._named(send))

    def _named(self, send: Send) -> Send:
        """Send, with the request's name in the head."""

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._record.status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = self._record.id
            await send(message)

        return named
