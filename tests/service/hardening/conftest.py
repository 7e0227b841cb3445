"""One shipped guard and one server in front of it for all tests of this folder: loading it takes seconds."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from safety_core.engine.guard import Guard
from safety_core.engine.load import load_guard
from service.settings import Settings
from tests.helpers.paths import ROOT
from tests.helpers.server.applications import open_client


@pytest.fixture(scope="session")
def guard() -> Guard:
    """The shipped checkpoint's; who changes it changes it back."""
    return load_guard(ROOT / "weights" / "safevlm-nano", device="cpu", limits=Settings().guard_limits)


@pytest.fixture(scope="session")
def nano(guard: Guard) -> Iterator[TestClient]:
    """A client of it; nothing is remembered, so every request goes through the model."""
    # No canary comes between: tests look at what goes through the model.
    with open_client(guard, cache_mb=0, default_max_tokens=12, canary_interval_s=3600) as client:
        yield client
