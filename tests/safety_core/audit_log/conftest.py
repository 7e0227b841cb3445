from collections.abc import Iterator
from pathlib import Path

import pytest

from safety_core.audit_log.store import AuditLog
from tests.helpers.datasets.audit_entries import DAY


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.db"


@pytest.fixture
def log(path: Path) -> Iterator[AuditLog]:
    with AuditLog(path, max_age_s=30 * DAY, max_entries=100_000) as log:
        yield log
