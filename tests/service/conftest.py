"""A fake guard and its client. No test of the service sees settings from outside or leaves log levels changed."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.server.applications import open_client


@pytest.fixture(autouse=True)
def _isolated(no_settings: None, same_log_levels: None) -> None:
    """Every test of the service runs without the environment's settings and restores log levels."""


@pytest.fixture
def fake() -> FakeGuard:
    return FakeGuard()


@pytest.fixture
def client(fake: FakeGuard) -> Iterator[TestClient]:
    """A client of the fake guard, for whatever is decided without a model."""
    with open_client(fake) as client:
        yield client
