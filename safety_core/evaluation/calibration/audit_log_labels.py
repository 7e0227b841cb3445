"""Proposes thresholds from an operator's own traffic: decisions of the audit log, with labels that people confirmed.

An entry of the log holds the scores of the input that determined the decision, as they were served, and no text. So
nothing is recalibrated, the proposal keeps the relations of the thresholds in force, and all labelled decisions are
tested. Inputs of a request that did not determine its decision are not in the log: if thresholds were lowered, one of
them might be flagged although the logged one is not, so a proposal may flag a little more than was measured.

The guarantee needs labels of a random sample of decisions. If the labelled decisions were refused or flagged much more
or less often than all decisions, they are no random sample, and the proposal states no guarantee. Equal images or equal
scores mean the same input, so such decisions form one group. Knows no models.
Shapes: P labelled decisions.
"""

from __future__ import annotations

import csv
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from safety_core.audit_log.entries import AuditEntry, EntryKind
from safety_core.audit_log.queries import AuditQuery, read_entries
from safety_core.errors import ConfigError
from safety_core.evaluation.calibration.certification.certified_thresholds import (
    CertifiedThresholds,
    certify_thresholds,
)
from safety_core.evaluation.calibration.certification.measured_rates import ACTIONS
from safety_core.evaluation.calibration.certification.promises import Promise
from safety_core.evaluation.calibration.scores.groups import number_groups
from safety_core.evaluation.calibration.scores.score_table import (
    ScoreTable,
    find_entries,
    read_thresholds,
    write_thresholds,
)
from safety_core.evaluation.statistics.risk_bounds import compute_binomial_cdf
from safety_core.files import describe_read_error, open_text
from safety_core.policy.policy import NOVEL, Decision, Policy
from safety_core.score_calibration import ScoreCalibration
from safety_core.taxonomy import Taxonomy

LABEL_COLUMN = "confirmed_level"
"""Column with the confirmed level; ``level`` is the guard's own in an exported log."""

_UNLIKELY = 0.001
"""Probability below which labelled decisions are held to be no random sample."""

Key = tuple[str, int]
"""Identifier of the request and number of the input in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmedLabel:
    """A label of one decision."""

    level: int
    group: str = ""
    """What only decisions on near-duplicate requests have in common; may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Thresholds that are proposed from an audit log."""

    policy: Policy
    """The policy in force with the proposed thresholds; thresholds of a rate without a guarantee are unchanged."""

    certified: CertifiedThresholds
    labelled: int
    """Number of decisions with a label and scores."""

    decisions: int
    """Number of decisions of the checkpoint."""

    unknown: int
    """Number of labels without a decision in the log."""

    is_random: bool
    """Whether the labelled decisions may be a random sample; otherwise there is no guarantee."""


def read_labels(path: Path, taxonomy: Taxonomy) -> dict[Key, ConfirmedLabel]:
    """Read a CSV file of labels, with the columns ``request_id``, ``confirmed_level`` (a name or a number), and
    optionally ``item`` and ``group``; other columns and rows without a level are ignored.

    Raises:
        ConfigError: the file cannot be read or is malformed; the message contains the line.
    """
    labels: dict[Key, ConfirmedLabel] = {}
    try:
        with open_text(path, newline="") as stream:
            rows = csv.DictReader(stream)
            if missing := [name for name in ("request_id", LABEL_COLUMN) if name not in (rows.fieldnames or ())]:
                raise ConfigError(f"{path}: the column {missing[0]} is missing")
            for row in rows:
                if text := (row[LABEL_COLUMN] or "").strip():
                    where = f"{path}:{rows.line_num}"
                    key = (row["request_id"] or "").strip(), _parse_item(row.get("item"), where)
                    if not key[0] or key in labels:
                        raise ConfigError(f"{where}: request_id: a request that no other line names is needed")
                    labels[key] = ConfirmedLabel(
                        level=_parse_level(text, taxonomy, where), group=(row.get("group") or "").strip()
                    )
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        described = describe_read_error(exc, "CSV") if not isinstance(exc, csv.Error) else "cannot be read as CSV"
        raise ConfigError(f"{path}: {described}") from exc
    return labels


def propose_thresholds(
    log: Path,
    labels: Mapping[Key, ConfirmedLabel],
    base: Policy,
    taxonomy: Taxonomy,
    promise: Promise,
    *,
    checkpoint: str,
    since: float | None = None,
    data: str = "",
) -> Proposal:
    """Propose thresholds.

    Args:
        log: the audit log; a server may be writing to it.
        labels: confirmed labels.
        base: the policy in force.
        taxonomy: the taxonomy of the checkpoint.
        promise: the guarantee.
        checkpoint: name of the checkpoint that judged; other entries are left out.
        since: seconds since 1970; earlier entries are left out.
        data: SHA-256 of the labels, for the record.

    Raises:
        ConfigError: the log cannot be read, has another taxonomy, or no decision has a label.
    """
    query = AuditQuery(kind=EntryKind.DECISION.value, since=since)
    entries = [entry for entry in read_entries(log, query) if entry.checkpoint in (None, checkpoint)]
    labelled = [(entry, labels[key]) for entry in entries if (key := (entry.request_id, entry.item)) in labels]
    if not labelled:
        raise ConfigError(f"{log}: no decision of {checkpoint} has one of these labels")
    certified = certify_thresholds(
        _tabulate(labelled, taxonomy),
        base,
        promise,
        data=data,
        scores=ScoreCalibration(),
        shape=read_thresholds(base, taxonomy),
        details=False,
    )
    return Proposal(
        policy=_restore_abstained(certified, base, taxonomy),
        certified=certified,
        labelled=len(labelled),
        decisions=len(entries),
        unknown=len(set(labels) - {(entry.request_id, entry.item) for entry in entries}),
        is_random=_may_be_random([entry for entry, _ in labelled], entries),
    )


def _tabulate(labelled: Sequence[tuple[AuditEntry, ConfirmedLabel]], taxonomy: Taxonomy) -> ScoreTable:
    judged_P = np.array([entry.type_scores is not None and entry.level_scores is not None for entry, _ in labelled])
    scored = [entry for (entry, _), judged in zip(labelled, judged_P, strict=True) if judged]
    views_P = np.where(judged_P, np.cumsum(judged_P) - 1, -1)
    gold_level_P = np.array([label.level for _, label in labelled], dtype=np.int64)
    return ScoreTable(
        types_VC=np.array([_order(entry.type_scores, taxonomy.types) for entry in scored]).reshape(
            -1, len(taxonomy.types)
        ),
        levels_VL=np.array([_order(entry.level_scores, taxonomy.levels) for entry in scored]).reshape(
            -1, len(taxonomy.levels)
        ),
        sample_V=np.flatnonzero(judged_P),
        label_view_P=views_P,
        gold_type_P=np.full(len(labelled), taxonomy.safe_index),  # types are not confirmed, and not needed
        gold_level_P=gold_level_P,
        group_P=number_groups([_list_keys(entry, label) for entry, label in labelled]),
        source_P=tuple(entry.endpoint for entry, _ in labelled),
        novelty_P=np.array([float(entry.reason == NOVEL) for entry, _ in labelled]),
        judged_P=judged_P,
        taxonomy=taxonomy,
    )


def _order(scores: Mapping[str, float] | None, names: Sequence[str]) -> list[float]:
    if scores is None or set(scores) != set(names):
        raise ConfigError("audit log: an entry has other types or levels than the checkpoint")
    return [scores[name] for name in names]


def _list_keys(entry: AuditEntry, label: ConfirmedLabel) -> Iterator[Hashable]:
    """List what only decisions on the same input have in common."""
    if label.group:
        yield "group", label.group
    for image in entry.images or ():
        yield "image", image
    if entry.type_scores is not None and entry.level_scores is not None:
        yield "scores", (*entry.type_scores.values(), *entry.level_scores.values())


def _restore_abstained(certified: CertifiedThresholds, base: Policy, taxonomy: Taxonomy) -> Policy:
    """Keep the thresholds in force where nothing can be promised: a proposal must not switch the guard off."""
    thresholds_RK = read_thresholds(certified.policy, taxonomy)
    for rate in certified.abstained:
        entries_RK = find_entries(base, taxonomy, ACTIONS[rate])
        thresholds_RK = np.where(entries_RK, read_thresholds(base, taxonomy), thresholds_RK)
    disabled_R = np.array([name not in base.enabled for name in taxonomy.risky_types])
    thresholds_RK = np.where(disabled_R[:, None], read_thresholds(base, taxonomy), thresholds_RK)
    return replace(base, thresholds=write_thresholds(thresholds_RK, taxonomy))


def _may_be_random(labelled: Sequence[AuditEntry], entries: Sequence[AuditEntry]) -> bool:
    """Whether labelled decisions were refused and flagged about as often as all decisions."""
    for alarming in ({Decision.REFUSED.value}, {Decision.REFUSED.value, Decision.CAUTIONED.value}):
        count = sum(entry.decision in alarming for entry in labelled)
        share = sum(entry.decision in alarming for entry in entries) / len(entries)
        if 0 < share < 1:
            below = float(compute_binomial_cdf(np.array([count]), len(labelled), share)[0])
            under = float(compute_binomial_cdf(np.array([count - 1]), len(labelled), share)[0]) if count else 0.0
            if 2 * min(below, 1 - under) < _UNLIKELY:
                return False
    return True


def _parse_item(text: str | None, where: str) -> int:
    try:
        return int(text) if text else 0
    except ValueError as exc:
        raise ConfigError(f"{where}: item: an integer is needed") from exc


def _parse_level(text: str, taxonomy: Taxonomy, where: str) -> int:
    names = {name: index for index, name in enumerate(taxonomy.levels)}
    names |= {str(index): index for index in range(len(taxonomy.levels))}
    if text not in names:
        raise ConfigError(f"{where}: {LABEL_COLUMN}: one of {list(taxonomy.levels)} is needed, or its number")
    return names[text]
