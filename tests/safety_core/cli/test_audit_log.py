"""``safevlm audit-log``: what an auditor gets to read, and to take along."""

import csv
import json
from io import StringIO
from pathlib import Path

import pytest

from safety_core.audit_log.entries import FIELDS
from safety_core.audit_log.store import AuditLog
from tests.helpers.command_line import run_command
from tests.helpers.datasets.audit_entries import FULL, REPLY, make_decision


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "audit.db"
    with AuditLog(path, max_age_s=1e12, max_entries=100) as log:
        log.append([FULL, REPLY, make_decision("guard-2", decision="allowed")])
    return path


def test_people_get_lines(path: Path) -> None:
    first, second, third = run_command("audit-log", path).splitlines()
    assert first == (
        "2023-11-14T22:13:20.250Z guard-1 decision item=2 chat key=shop policy=strict refused type=privacy level=3 "
        "unsafe_probability=0.7500"
    )
    assert second.endswith("guard-1 reply item=0 chat finish_reason=stop")
    assert third.endswith("guard-2 decision item=0 chat allowed")


def test_programs_get_every_field(path: Path) -> None:
    lines = [json.loads(line) for line in run_command("audit-log", path, "--format", "jsonl").splitlines()]
    assert lines[0] == FULL.to_dict()
    rows = list(csv.DictReader(StringIO(run_command("audit-log", path, "--format", "csv"))))
    assert tuple(rows[0]) == FIELDS
    assert json.loads(rows[0]["images"]) == FULL.images
    assert rows[0]["unsafe_probability"] == "0.75"


def test_questions_are_options(path: Path) -> None:
    assert len(run_command("audit-log", path, "--request-id", "guard-1").splitlines()) == 2
    assert len(run_command("audit-log", path, "--decision", "refused", "--type", "privacy").splitlines()) == 1
    assert len(run_command("audit-log", path, "--until", "2024-01-01").splitlines()) == 1
    assert len(run_command("audit-log", path, "--since", "2024-01-01T00:00:00+02:00", "--limit", "1").splitlines()) == 1


def test_what_cannot_be_answered(path: Path, tmp_path: Path) -> None:
    assert "is not a time" in run_command("audit-log", path, "--since", "yesterday", code=2)
    gone = tmp_path / "gone.db"
    assert run_command("audit-log", gone, code=1) == f"error: audit log: {gone} cannot be read: there is no such file\n"
    assert not gone.exists()
