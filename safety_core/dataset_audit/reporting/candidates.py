"""Chooses the items that a report shows: of each type and level those with the highest risk, in bounded memory."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from safety_core.dataset_audit.part_table import JUDGED
from safety_core.dataset_audit.sources.item import Cursor

Cell = tuple[str, int]
"""A type and a level; level 0 stands for what was allowed."""


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """An item that may be shown. The highest risk comes last, of equal ones the first item."""

    unsafe: float
    order: int
    """The item's number, negative."""

    place: str
    cursor: Cursor
    surface: str
    decision: str


class Candidates:
    """Keeps the best candidates of each type and level.

    Args:
        most: number of candidates of each.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._heaps: dict[Cell, list[Candidate]] = {}

    def offer(self, row: Mapping[str, Any]) -> None:
        """Keep an item if its risk is among the highest of its type and level."""
        if row["outcome"] != JUDGED or not self._most:
            return
        heap = self._heaps.setdefault((row["type"], row["level"]), [])
        candidate = Candidate(
            row["unsafe"],
            -row["number"],
            row["place"],
            Cursor(row["cursor_file"], row["cursor_offset"], row["cursor_row"]),
            row["surface"],
            row["decision"],
        )
        if len(heap) < self._most:
            heapq.heappush(heap, candidate)
        else:
            heapq.heappushpop(heap, candidate)

    def choose(self) -> dict[Cell, list[Candidate]]:
        """Return the candidates, the highest risk first: the worst levels, then by name of the type."""
        cells = sorted(self._heaps, key=lambda cell: (-cell[1], cell[0]))
        return {cell: sorted(self._heaps[cell], reverse=True) for cell in cells}
