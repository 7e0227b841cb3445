"""Fixtures of the tests of audits."""

from pathlib import Path

import pytest

from safety_core.dataset_audit.guard_options import GuardOptions
from safety_core.dataset_audit.part_judging import JudgingOptions
from safety_core.dataset_audit.run import AuditOptions
from safety_core.engine.guard import Guard
from tests.helpers.datasets.audit_sources import write_mixed_jsonl


@pytest.fixture(scope="session")
def tiny_guards(tiny_checkpoint: Path) -> GuardOptions:
    """Loads the tiny guard."""
    return GuardOptions(checkpoint=tiny_checkpoint, device="cpu")


@pytest.fixture(scope="session")
def tiny_guard(tiny_guards: GuardOptions) -> Guard:
    """The tiny guard; it has random weights."""
    return tiny_guards.load()[0]


@pytest.fixture(scope="session")
def mixed_jsonl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, texts, pairs and conversations, with some that are broken or occur twice."""
    return write_mixed_jsonl(tmp_path_factory.mktemp("mixed"), 60)


@pytest.fixture
def small_parts() -> AuditOptions:
    """Options with parts of seven items."""
    return AuditOptions(part_items=7, judging=JudgingOptions(workers=2, batch=4, duplicates=True), examples=1)
