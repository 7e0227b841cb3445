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
