"""Brings lines of lettering into reading order: top to bottom, left to right, column by column. Pure geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from safety_core.lettering.reading import Line

_GUTTER = 1.5
"""Minimum width of the gap between two columns, in heights of a line."""

_OVERLAP = 0.5
"""Minimum vertical overlap of two lines in one row, as a share of the lower line's height."""

_MAX_DEPTH = 6
"""Maximum depth of columns within columns."""

_MAX_EDGE = 12
"""Maximum rows of a headline above columns, and of a footer below them."""

Row = tuple[Line, ...]
"""Lines beside each other, from left to right."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A line with its box in units of the picture's height."""

    line: Line
    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        return self.bottom - self.top


def order_by_columns(lines: Sequence[Line], *, aspect: float = 1.0) -> list[Row]:
    """Order lines to rows, one column after the other.

    Args:
        lines: the lines of one picture.
        aspect: the picture's width divided by its height.
    """
    return _order(_place_lines(lines, aspect), 0)


def order_across(lines: Sequence[Line], *, aspect: float = 1.0) -> list[Row]:
    """Order lines to rows across all columns, from top to bottom; arguments are those of :func:`order_by_columns`."""
    return _build_rows(_place_lines(lines, aspect))


def _place_lines(lines: Sequence[Line], aspect: float) -> list[_Place]:
    return [
        _Place(line, line.box[0] * aspect, line.box[1], line.box[2] * aspect, max(line.box[3], line.box[1]))
        for line in lines
    ]


def _order(places: Sequence[_Place], depth: int) -> list[Row]:
    columns = _split_columns(places)
    if not columns and depth < _MAX_DEPTH:
        columns = _split_bands(places)
    if not columns or depth >= _MAX_DEPTH:
        return _build_rows(places)
    return [row for column in columns for row in _order(column, depth + 1)]


def _split_columns(places: Sequence[_Place]) -> list[list[_Place]]:
    """Split lines at the widest gap from top to bottom; empty if there is no gap, or a single line beside it."""
    if len(places) < 4:
        return []
    ordered = sorted(places, key=lambda place: place.left)
    widest, at = _GUTTER * median(place.height for place in places), 0
    end = ordered[0].right
    for index, place in enumerate(ordered[1:], start=1):
        if place.left - end >= widest and 2 <= index <= len(ordered) - 2:
            widest, at = place.left - end, index
        end = max(end, place.right)
    return [ordered[:at], ordered[at:]] if at else []


def _split_bands(places: Sequence[_Place]) -> list[list[_Place]]:
    """Cut out the largest part with columns, such as that between a headline and a footer; empty if there is none."""
    ordered = sorted(places, key=lambda place: place.top)
    cuts: list[int] = []
    end = ordered[0].bottom if ordered else 0.0
    for index, place in enumerate(ordered[1:], start=1):
        if place.top >= end - (1 - _OVERLAP) * place.height:
            cuts.append(index)
        end = max(end, place.bottom)
    ends = [*cuts[-_MAX_EDGE:], len(ordered)]
    spans = [(first, last) for first in (0, *cuts[:_MAX_EDGE]) for last in ends if first < last]
    for first, last in sorted(spans, key=lambda span: span[0] - span[1]):
        if _split_columns(ordered[first:last]):
            return [part for part in (ordered[:first], ordered[first:last], ordered[last:]) if part]
    return []


def _build_rows(places: Sequence[_Place]) -> list[Row]:
    """Group lines to rows by their vertical overlap with the first line of the row."""
    rows: list[list[_Place]] = []
    for place in sorted(places, key=lambda place: (place.top + place.bottom, place.left)):
        first = rows[-1][0] if rows else None
        if first is not None:
            overlap = min(first.bottom, place.bottom) - max(first.top, place.top)
            if overlap > 0 and overlap >= _OVERLAP * min(first.height, place.height):
                rows[-1].append(place)
                continue
        rows.append([place])
    return [tuple(place.line for place in sorted(row, key=lambda place: place.left)) for row in rows]
