"""ASGI middleware that counts what a request holds in memory, and lets go of it when the request has been served."""

from starlette.types import ASGIApp, Receive, Scope, Send

from service.record import RequestRecord
from service.state import Service


class HeldMemory:
    """Gives each request its holding in the budget; behind the gate, which knows the client.

    Args:
        app: what serves requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        service: Service = scope["state"]["service"]
        record: RequestRecord = scope["state"]["record"]
        with service.memory.holding(record.client) as record.memory:
            await self._app(scope, receive, send)
