"""ASGI middleware that counts each request and its memory against the limits until it has been served.

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
"""Largest share of the places for one client while other clients hold any."""

_KEPT_SHARE = 40
"""One in ``_KEPT_SHARE`` places is reserved for other clients, even if one client is alone."""


class InFlightLimit:
    """Assigns each request its part of the memory budget, and limits each client's share of the places.

    Args:
        app: the next application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._places: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        service: Service = scope["state"]["service"]
        record: RequestRecord = scope["state"]["record"]
        refusal = self._refusal(scope, record, service) if record.has_log_line else None
        if refusal is not None:
            failure = build_error_reply(refusal)
            service.metrics.rejected.labels(failure.code).inc()
            record.error = failure.code
            response = JSONResponse(failure.body, failure.status, headers=dict(failure.headers))
            await response(scope, receive, send)
            return
        with self._placed(record), service.memory.holding(record.client) as record.memory:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope, record: RequestRecord, service: Service) -> OverloadedError | None:
        """Why a request is rejected before its body is read; None if it is not."""
        if self._has_share(record.client, service.settings.max_requests):
            return OverloadedError(retry_after_s=service.guard.retry_after_s())
        size = Headers(scope=scope).get("content-length", "")
        if not size.isdecimal() or int(size) >= LARGE_BYTES:  # of unknown size
            try:
                service.error_budget.require_budget(record.client)
            except OverloadedError as exc:
                return exc
        return None

    def _has_share(self, client: str, places: int) -> bool:
        """Whether a client has reached its share of the places."""
        held = self._places[client]
        if held < self._places.total():  # others are there
            return held >= max(1, int(_CLIENT_SHARE * places))
        return held >= places - places // _KEPT_SHARE

    @contextmanager
    def _placed(self, record: RequestRecord) -> Iterator[None]:
        """Count a request that may reach the model."""
        if not record.has_log_line:
            yield
            return
        client = record.client
        self._places[client] += 1
        try:
            yield
        finally:
            self._places[client] -= 1
            if not self._places[client]:
                del self._places[client]
