"""A guard with the tiny checkpoint."""

from pathlib import Path

import pytest

from safety_core.engine.guard import Guard
from safety_core.engine.load import load_guard


@pytest.fixture
def guard(tiny_checkpoint: Path) -> Guard:
    """A new guard for each test: a test may break it."""
    return load_guard(tiny_checkpoint, device="cpu")
