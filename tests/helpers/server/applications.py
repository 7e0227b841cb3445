"""Applications in this process, and their clients."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.testclient import TestClient

from safety_core.engine.protocols import GuardLike
from service.app import create_app
from service.settings import Settings


@contextmanager
def open_client(guard: GuardLike, **settings: Any) -> Iterator[TestClient]:
    """A client of an application with this guard; the application ends with the block.

    Args:
        guard: usually a :class:`tests.helpers.engine.fakes.FakeGuard`.
        settings: by their names in :class:`service.settings.Settings`.
    """
    with TestClient(create_app(Settings(**settings), guard), raise_server_exceptions=True) as client:
        yield client


@contextmanager
def open_local_client(guard: GuardLike, *, address: str = "127.0.0.1", **settings: Any) -> Iterator[TestClient]:
    """As :func:`open_client`, of a client on the server's machine.

    Args:
        guard: the guard.
        address: the client's address.
        settings: by their names in :class:`service.settings.Settings`.
    """
    application = create_app(Settings(**settings), guard)
    with TestClient(application, client=(address, 50_000), base_url="http://127.0.0.1:8000") as client:
        yield client
