"""A guard with the tiny checkpoint."""

from pathlib import Path

import pytest

from safety_core.engine.guard import Guard
from safety_core.engine.load import load_guard


@pytest.fixture
def reading_guard(reading_checkpoint: Path) -> Guard:
    """A new guard whose head reads texts through the language model's first layer."""
    return load_guard(reading_checkpoint, device="cpu")


@pytest.fixture
def guard(tiny_checkpoint: Path) -> Guard:
    """A new guard for each test: a test may break it."""
    return load_guard(tiny_checkpoint, device="cpu")
