"""Tests of the whole: as in the service's tests, neither settings from outside nor changed log levels."""

from pathlib import Path

import pytest

from safety_core.engine.guard import Guard
from safety_core.engine.load import load_guard


@pytest.fixture(autouse=True)
def _isolated(no_settings: None, same_log_levels: None) -> None:
    """Every test runs without the environment's settings and restores log levels."""


@pytest.fixture
def guard(tiny_checkpoint: Path) -> Guard:
    """A new guard with the tiny checkpoint for each test: a test may break it."""
    return load_guard(tiny_checkpoint, device="cpu")
