"""ASGI middleware that limits the requests in flight of each client, and counts the memory of each request.

``admission`` counts all requests together; the client of a request is known only here, after ``auth``.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from safety_core.errors import OverloadedError
from service.container import Service
from service.errors import build_error_reply
from service.ingress.error_budget import LARGE_BYTES
from service.telemetry.request_record import RequestRecord

_CLIENT_SHARE = 0.5
"""Maximum share of the slots for one client while other clients have requests in flight."""

_RESERVED_SHARE = 40
"""One in ``_RESERVED_SHARE`` slots stays reserved for other clients, even if there is only one client."""


class InFlightLimit:
    """Limits the share of each client in the requests in flight, and gives each request a memory reservation.

    Args:
        app: the next application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._in_flight: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        service: Service = scope["state"]["service"]
        record: RequestRecord = scope["state"]["record"]
        rejection = self._find_rejection(scope, record, service) if record.has_log_line else None
        if rejection is not None:
            reply = build_error_reply(rejection)
            service.metrics.rejected.labels(reply.code).inc()
            record.error = reply.code
            response = JSONResponse(reply.body, reply.status, headers=dict(reply.headers))
            await response(scope, receive, send)
            return
        with self._count(record), service.memory.reserve(record.client) as record.memory:
            await self._app(scope, receive, send)

    def _find_rejection(self, scope: Scope, record: RequestRecord, service: Service) -> OverloadedError | None:
        """Find the reason to reject a request before its body is read; None if there is none."""
        if self._has_reached_share(record.client, service.settings.max_requests):
            return OverloadedError(retry_after_s=service.guard.estimate_retry_after_s())
        size = Headers(scope=scope).get("content-length", "")
        if not size.isdecimal() or int(size) >= LARGE_BYTES:  # of unknown size, or large
            try:
                service.error_budget.require_budget(record.client)
            except OverloadedError as exc:
                return exc
        return None

    def _has_reached_share(self, client: str, slots: int) -> bool:
        """Whether a client has reached its maximum of requests in flight."""
        own = self._in_flight[client]
        if own < self._in_flight.total():  # other clients have requests in flight
            return own >= max(1, int(_CLIENT_SHARE * slots))
        return own >= slots - slots // _RESERVED_SHARE

    @contextmanager
    def _count(self, record: RequestRecord) -> Iterator[None]:
        """Count a request that may reach the model while the context lasts."""
        if not record.has_log_line:
            yield
            return
        client = record.client
        self._in_flight[client] += 1
        try:
            yield
        finally:
            self._in_flight[client] -= 1
            if not self._in_flight[client]:
                del self._in_flight[client]
