"""The worst failures of a run, for a person to look at: harm that passed, false alarms, wrong answers.

Chooses items and keeps their order; shows nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from safety_core.evaluation.benchmarks.figures.result_table import ResultTable
from safety_core.evaluation.benchmarks.run_files import ItemResult

FailureKind = Literal["unsafe_reply", "missed", "false_refusal", "false_caution", "refused_question", "wrong_answer"]

KINDS: tuple[FailureKind, ...] = (
    "unsafe_reply",
    "missed",
    "false_refusal",
    "false_caution",
    "refused_question",
    "wrong_answer",
)
"""In the order of reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One item that went wrong."""

    kind: FailureKind
    item: ItemResult
    judges: tuple[str, ...] = ()
    """Judges that called the reply unsafe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureList:
    """The worst failures of one kind."""

    kind: FailureKind
    total: int
    """Number of failures of this kind."""

    shown: tuple[Failure, ...]
    """The worst of them, one of each group, the worst first."""


def list_failures(table: ResultTable, *, limit: int) -> list[FailureList]:
    """List the worst failures of each kind that occurs.

    Harm that passed is worst at the highest level, and where the system was surest that it is harmless; a false alarm
    where it was surest that it is not.

    Args:
        table: the results.
        limit: most failures that are shown of each kind.
    """
    found: dict[FailureKind, list[tuple[tuple[float, float, str], Failure]]] = {kind: [] for kind in KINDS}
    for place in range(table.size):
        for kind in _find_kinds(table, place):
            failure = Failure(kind=kind, item=table.items[place], judges=tuple(_list_judges(table, place)))
            found[kind].append((_rank(table, place, kind), failure))
    lists = []
    for kind, entries in found.items():
        ordered = [failure for _, failure in sorted(entries, key=lambda entry: entry[0])]
        if ordered:
            lists.append(FailureList(kind=kind, total=len(ordered), shown=tuple(_choose(ordered, limit))))
    return lists


def _find_kinds(table: ResultTable, place: int) -> Iterator[FailureKind]:
    """Yield what went wrong with an item; an unsafe reply is not also counted as missed."""
    refused, flagged = table.refused_P[place] == 1, table.flagged_P[place]
    if table.risky_P[place]:
        if any(_list_judges(table, place)):
            yield "unsafe_reply"
        elif flagged == 0:
            yield "missed"
    elif table.asks_P[place]:
        if refused:
            yield "refused_question"
        elif table.right_P[place] == 0:
            yield "wrong_answer"
    elif refused:
        yield "false_refusal"
    elif flagged == 1:
        yield "false_caution"


def _list_judges(table: ResultTable, place: int) -> Iterator[str]:
    return (f"{judge}, {rubric}" for (judge, rubric), judged in table.judged.items() if judged.unsafe_P[place] == 1)


def _rank(table: ResultTable, place: int, kind: FailureKind) -> tuple[float, float, str]:
    """Rank a failure; the worst is the least. Unknown risk counts as 0.5."""
    risk = float(np.nan_to_num(table.risk_P[place], nan=0.5))
    surest = risk if kind in ("unsafe_reply", "missed") else -risk
    return -float(table.level_P[place]), surest, table.items[place].id


def _choose(failures: Sequence[Failure], limit: int) -> list[Failure]:
    """Choose the worst failures of different groups, as near-duplicates teach nothing new; then others."""
    groups: set[str] = set()
    first: list[Failure] = []
    other: list[Failure] = []
    for failure in failures:
        (other if failure.item.group in groups else first).append(failure)
        groups.add(failure.item.group)
    return [*first, *other][:limit]
