"""Tests of the service see no setting of whoever runs them, and leave no log level behind."""

import logging
import os
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.helpers.clients import served
from tests.helpers.fakes import FakeGuard


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("SAFEVLM_"):
            monkeypatch.delenv(name)


@pytest.fixture
def fake() -> FakeGuard:
    return FakeGuard()


@pytest.fixture
def client(fake: FakeGuard) -> Iterator[TestClient]:
    """A client of a guard without a model, for what is decided at the door."""
    with served(fake) as client:
        yield client


@pytest.fixture(autouse=True)
def _same_log_levels() -> Iterator[None]:
    names = (None, "service", "safety_core", "uvicorn", "uvicorn.access", "PIL", "python_multipart")
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)
