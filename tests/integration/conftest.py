"""Tests of the whole: as in the service's tests, neither settings from outside nor changed log levels."""

from pathlib import Path

import pytest

from safety_core.engine.guard import Guard
from safety_core.engine.load import load_guard
from safety_core.model.checkpoint.sha256_manifest import BACKBONE_DIR, PARTS_FILE
from tests.helpers.paths import SMALL_CHECKPOINT


@pytest.fixture(autouse=True)
def _isolated(no_settings: None, same_log_levels: None) -> None:
    """Every test runs without the environment's settings and restores log levels."""


@pytest.fixture
def guard(tiny_checkpoint: Path) -> Guard:
    """A new guard with the tiny checkpoint for each test: a test may break it."""
    return load_guard(tiny_checkpoint, device="cpu")


@pytest.fixture(scope="session")
def small_checkpoint() -> Path:
    """safevlm-small, or a skipped test where its backbone was not assembled."""
    if not (SMALL_CHECKPOINT / BACKBONE_DIR / PARTS_FILE).is_file():
        pytest.skip(
            f"{SMALL_CHECKPOINT.name} IS NOT TESTED: its backbone is not assembled; run `safevlm parts fetch` before"
        )
    return SMALL_CHECKPOINT
