import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from safety_core.audit_log.entries import AuditEntry, EntryKind
from safety_core.audit_log.store import AuditLog
from safety_core.errors import ConfigError
from safety_core.evaluation.calibration.audit_log_labels import (
    ConfirmedLabel,
    Key,
    Proposal,
    propose_thresholds,
    read_labels,
)
from safety_core.evaluation.calibration.certification.promises import Promise
from safety_core.policy.policy import Policy, decide
from safety_core.scores import RiskScores
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.calibration.simulated_scores import Simulation

T = DEFAULT_TAXONOMY
BASE = Policy.create_default(T)
PROMISE = Promise(alpha=0.05)
TABLE = Simulation().draw(600, seed=0)


def make_entries(**fields: Any) -> list[AuditEntry]:
    """Decisions on simulated scores, as the server logs them."""
    entries = []
    for index in range(len(TABLE)):
        scores = RiskScores(types=tuple(TABLE.types_VC[index]), levels=tuple(TABLE.levels_VL[index]))
        verdict = decide(BASE, T, scores)
        own: dict[str, Any] = {
            "kind": EntryKind.DECISION,
            "request_id": f"guard-{index}",
            "endpoint": "chat",
            "time": 1000.0 + index,
            "checkpoint": "nano",
            "decision": verdict.decision.value,
            "type_scores": dict(zip(T.types, scores.types, strict=True)),
            "level_scores": dict(zip(T.levels, scores.levels, strict=True)),
        }
        entries.append(AuditEntry(**own | fields))
    return entries


def write_log(path: Path, entries: Sequence[AuditEntry]) -> Path:
    with AuditLog(path, max_age_s=1e12, max_entries=10**6) as log:
        log.append(entries)
    return path


def label_all() -> dict[Key, ConfirmedLabel]:
    return {(f"guard-{index}", 0): ConfirmedLabel(level=int(TABLE.gold_level_P[index])) for index in range(len(TABLE))}


def propose(path: Path, labels: dict[Key, ConfirmedLabel], **options: Any) -> Proposal:
    return propose_thresholds(path, labels, BASE, T, PROMISE, checkpoint="nano", **options)


def test_thresholds_are_proposed_with_a_guarantee(tmp_path: Path) -> None:
    log = write_log(tmp_path / "audit.db", make_entries())
    found = propose(log, label_all(), data="d")
    assert (found.labelled, found.decisions, found.unknown, found.is_random) == (600, 600, 0, True)
    guarantee = found.certified.guarantee
    assert guarantee.guarantees[0].groups == (TABLE.gold_level_P < 2).sum(), "all labels are tested"
    assert guarantee.guarantees[0].upper <= 0.05
    assert guarantee.data == "d"
    assert found.policy.thresholds != BASE.thresholds
    assert found.policy.actions == BASE.actions
    assert len({levels[3] for levels in found.policy.thresholds.values()}) == 1, "relations are kept"
    refused = TABLE.levels_VL[:, 3] >= found.policy.thresholds["privacy"][3]
    assert refused[TABLE.gold_level_P < 2].mean() <= 0.05


def test_too_few_labels_change_nothing(tmp_path: Path) -> None:
    log = write_log(tmp_path / "audit.db", make_entries())
    found = propose(log, dict(list(label_all().items())[:20]))
    assert set(found.certified.abstained) == {"false_refusals", "false_cautions"}
    assert found.policy == BASE, "a proposal must not switch the guard off"
    assert found.labelled == 20


def test_labels_of_refused_requests_only_are_no_random_sample(tmp_path: Path) -> None:
    entries = make_entries()
    log = write_log(tmp_path / "audit.db", entries)
    refused = {(entry.request_id, entry.item) for entry in entries if entry.decision == "refused"}
    chosen = {key: label for key, label in label_all().items() if key in refused or key[0].endswith("7")}
    assert not propose(log, chosen).is_random


def test_equal_inputs_form_one_group(tmp_path: Path) -> None:
    entries = make_entries()
    again = [replace(entry, request_id=f"again-{index}") for index, entry in enumerate(entries[:50])]
    pictured = [replace(entry, images=["a" * 64]) for entry in entries[50:60]]
    log = write_log(tmp_path / "audit.db", [*entries[:50], *pictured, *entries[60:], *again])
    labels = label_all() | {(f"again-{index}", 0): label_all()[f"guard-{index}", 0] for index in range(50)}
    labels["guard-70", 0] = replace(labels["guard-70", 0], group="g")
    labels["guard-71", 0] = replace(labels["guard-71", 0], group="g")
    found = propose(log, labels)
    assert found.labelled == 650
    assert found.certified.guarantee.groups == 600 - 9 - 1


def test_entries_of_other_kinds_checkpoints_and_times_are_left_out(tmp_path: Path) -> None:
    other = make_entries(checkpoint="small")[:10]
    reply = AuditEntry(kind=EntryKind.REPLY, request_id="guard-0", endpoint="chat", time=1.0)
    log = write_log(tmp_path / "audit.db", [reply, *other, *make_entries()[10:]])
    found = propose(log, label_all(), since=1100.0)
    assert found.decisions == found.labelled == 500
    assert found.unknown == 100
    with pytest.raises(ConfigError, match="no decision of nano has one of these labels"):
        propose(log, {("gone", 0): ConfirmedLabel(level=0)})


def test_requests_without_a_verdict_count_as_refused(tmp_path: Path) -> None:
    entries = make_entries()
    broken = [
        replace(entry, type_scores=None, level_scores=None, decision="refused", reason="no_verdict")
        for entry in entries[::5]
    ]
    rest = [entry for index, entry in enumerate(entries) if index % 5]
    log = write_log(tmp_path / "audit.db", [*broken, *rest])
    assert "false_refusals" in propose(log, label_all()).certified.abstained


def test_a_log_of_another_taxonomy_is_refused(tmp_path: Path) -> None:
    log = write_log(tmp_path / "audit.db", make_entries(type_scores={"spam": 1.0}))
    with pytest.raises(ConfigError, match="other types or levels"):
        propose(log, label_all())


def write_csv(path: Path, *rows: dict[str, object]) -> Path:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_labels_are_read_by_name_or_number(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "labels.csv",
        {"request_id": "a", "item": "", "level": 3, "confirmed_level": "safe", "group": "g"},
        {"request_id": "a", "item": 1, "level": 0, "confirmed_level": 3, "group": ""},
        {"request_id": "b", "item": 0, "level": 0, "confirmed_level": "", "group": ""},
    )
    assert read_labels(path, T) == {("a", 0): ConfirmedLabel(level=0, group="g"), ("a", 1): ConfirmedLabel(level=3)}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("request_id,level\na,0\n", "confirmed_level is missing"),
        ("request_id,confirmed_level\na,bad\n", "labels.csv:2: confirmed_level"),
        ("request_id,confirmed_level\na,0\na,1\n", "labels.csv:3: request_id"),
        ("request_id,confirmed_level\n,0\n", "labels.csv:2: request_id"),
        ("request_id,item,confirmed_level\na,x,0\n", "labels.csv:2: item"),
    ],
)
def test_malformed_labels_are_named(tmp_path: Path, text: str, names: str) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(ConfigError, match=names):
        read_labels(tmp_path / "labels.csv", T)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        read_labels(tmp_path / "gone.csv", T)
