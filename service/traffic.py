"""The outermost layer: counts what is in flight, turns away what is too much, and lets no exception out.

Plain ASGI, because wrapping responses would break streaming and disconnects. Log lines name the endpoint and status,
never a path, a query or a header: those belong to the client.
"""

import logging
import time

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from safety_core.engine.faults import describe
from safety_core.errors import OverloadedError
from service.errors import ErrorReply, reply_to
from service.state import Service

_logger = logging.getLogger(__name__)

ENDPOINTS = {
    "/v1/chat": "chat",
    "/v1/classify": "classify",
    "/v1/chat/completions": "completions",
    "/v1/moderations": "moderations",
}
"""Paths whose requests reach the model, and their names in metrics."""


class Traffic:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        endpoint = ENDPOINTS.get(scope["path"]) if scope["type"] == "http" else None
        if endpoint is None:
            await _Shielded(self._app, scope)(receive, send)
            return
        service: Service = scope["state"]["service"]
        if self._in_flight >= service.settings.max_requests:
            await _refuse(reply_to(OverloadedError()), service)(scope, receive, send)
            return
        started = time.perf_counter()
        shielded = _Shielded(self._app, scope)
        gauge = service.metrics.in_flight.labels(endpoint)
        self._in_flight += 1
        gauge.inc()
        try:
            await shielded(receive, send)
        finally:
            self._in_flight -= 1
            gauge.dec()
            _logger.info("%s %s %.0f ms", endpoint, shielded.status, 1000 * (time.perf_counter() - started))


class _Shielded:
    """One request whose unforeseen exceptions end here, before a server could log what they quote."""

    def __init__(self, app: ASGIApp, scope: Scope) -> None:
        self.status: int | None = None
        self._app = app
        self._scope = scope

    async def __call__(self, receive: Receive, send: Send) -> None:
        if self._scope["type"] != "http":
            await self._app(self._scope, receive, send)
            return

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
            await send(message)

        try:
            await self._app(self._scope, receive, watched)
        except Exception as exc:
            _logger.error("unforeseen: %s", describe(exc))
            if self.status is None:
                refuse = _refuse(reply_to(exc), self._scope["state"]["service"])
                await refuse(self._scope, receive, watched)


def _refuse(reply: ErrorReply, service: Service) -> JSONResponse:
    service.metrics.rejected.labels(reply.code).inc()
    return JSONResponse(reply.body, reply.status, headers=dict(reply.headers))
