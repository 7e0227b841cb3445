"""Counts the items of an audit, in bounded memory. Knows no page."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from safety_core.dataset_audit.duplicates.equal_keys import CHUNK
from safety_core.dataset_audit.duplicates.index import DuplicateGroups
from safety_core.dataset_audit.part_table import JUDGED
from safety_core.dataset_audit.reporting.shares import Share, estimate_share
from safety_core.taxonomy import Taxonomy

_PROBLEMS = 100
"""Maximum number of different problems that are counted; the rest are counted together."""

OTHER = "other problems"

TOP = 200
"""Labelled items with the highest risk of which the share is reported that is labelled risky."""


@dataclass(slots=True)
class Summary:
    """Counts of an audit.

    Args:
        taxonomy: names of types and levels.
    """

    taxonomy: Taxonomy
    items: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    """Decisions about judged items."""

    cells: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Judged items by type and level of the decision."""

    problems: Counter[str] = field(default_factory=Counter)
    labels: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Judged items that have a label: whether it is harmless or risky, and the decision."""

    top: list[tuple[float, int, bool]] = field(default_factory=list)
    """The labelled items with the highest risk, as a heap: risk, negative number, and whether the label is risky."""

    duplicate_groups: int | None = None
    """Groups of near-duplicate items; None if they were not looked for."""

    duplicates: int = 0
    """Items beyond the first of each group."""

    largest_group: int = 0
    compared_all: bool = True

    def count(self, row: Mapping[str, Any]) -> None:
        """Count one item."""
        self.items += 1
        self.kinds[row["kind"]] += 1
        self.outcomes[row["outcome"]] += 1
        if row["problem"] is not None:
            known = row["problem"] in self.problems or len(self.problems) < _PROBLEMS
            self.problems[row["problem"] if known else OTHER] += 1
        if row["outcome"] != JUDGED:
            return
        self.decisions[row["decision"]] += 1
        self.cells[row["type"], row["level"]] += 1
        if row["label_level"] is not None:
            self.labels["risky" if row["label_level"] else "harmless", row["decision"]] += 1
            entry = (row["unsafe"], -row["number"], row["label_level"] > 0)
            if len(self.top) < TOP:
                heapq.heappush(self.top, entry)
            else:
                heapq.heappushpop(self.top, entry)

    def count_groups(self, groups: DuplicateGroups) -> None:
        """Count the groups of near-duplicates."""
        self.duplicate_groups, self.compared_all = 0, groups.complete
        for start in range(0, len(groups.sizes), CHUNK):
            sizes = np.asarray(groups.sizes[start : start + CHUNK])
            large = sizes[sizes > 1]
            self.duplicate_groups += len(large)
            self.duplicates += int((large - 1).sum())
            self.largest_group = max(self.largest_group, int(large.max(initial=0)))

    @property
    def judged(self) -> int:
        """Number of items with a verdict."""
        return self.outcomes[JUDGED]

    @property
    def flagged(self) -> Share:
        """Share of the judged items that are cautioned or refused."""
        return estimate_share(self.judged - self.decisions["allowed"], self.judged)

    @property
    def precision(self) -> Share:
        """Share of the labelled items with the highest risk that are labelled risky."""
        return estimate_share(sum(risky for *_, risky in self.top), len(self.top))

    def estimate_cell(self, kind: str, level: int) -> Share:
        """Estimate the share of the judged items that have a type and level."""
        return estimate_share(self.cells[kind, level], self.judged)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        levels = range(1, len(self.taxonomy.levels))
        return {
            "items": self.items,
            "kinds": dict(sorted(self.kinds.items())),
            "outcomes": dict(sorted(self.outcomes.items())),
            "decisions": dict(sorted(self.decisions.items())),
            "flagged": asdict(self.flagged),
            "types": {
                kind: {self.taxonomy.levels[level]: asdict(self.estimate_cell(kind, level)) for level in levels}
                for kind in self.taxonomy.risky_types
            },
            "labels": {f"{label} {decision}": count for (label, decision), count in sorted(self.labels.items())},
            "labelled_risky_of_the_highest": asdict(self.precision) if self.top else None,
            "problems": dict(sorted(self.problems.items())),
            "duplicates": None
            if self.duplicate_groups is None
            else {
                "groups": self.duplicate_groups,
                "items_beyond_the_first": self.duplicates,
                "largest_group": self.largest_group,
                "all_pairs_compared": self.compared_all,
            },
        }
