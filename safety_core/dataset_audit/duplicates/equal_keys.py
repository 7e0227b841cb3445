"""Groups of entries with equal keys among any number of entries, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from safety_core.dataset_audit.duplicates.union_file import Indices

Keys = NDArray[np.uint64]

CHUNK = 1 << 16
"""Entries whose keys are read at a time."""

_AT_ONCE = 1 << 20
"""Entries that are sorted at a time."""

_MIXER = np.uint64(0x9E3779B97F4A7C15)
"""Spreads keys over the passes: multiplication by the golden ratio (Knuth, TAOCP 3, 6.4)."""


def stream_equal(
    count: int, read_keys: Callable[[slice], tuple[Indices, Keys]], *, at_once: int = _AT_ONCE
) -> Iterator[Indices]:
    """Yield the ascending indices of entries with equal keys, two or more at a time.

    Args:
        count: number of entries.
        read_keys: returns the indices, ascending, and the keys of the entries in a slice that have one.
        at_once: number of entries that are sorted at a time; more take several passes over all keys.
    """
    passes = max(1, -(-count // at_once))
    for number in range(passes):
        indices, keys = _select(count, read_keys, number, passes)
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else np.empty(0, np.int64)
        ends = np.r_[starts[1:], len(ordered)].astype(np.int64)
        for place in np.flatnonzero(ends - starts > 1):
            yield indices[order[starts[place] : ends[place]]]


def _select(
    count: int, read_keys: Callable[[slice], tuple[Indices, Keys]], number: int, passes: int
) -> tuple[Indices, Keys]:
    """Read the entries of one pass: equal keys are in the same one."""
    found: list[tuple[Indices, Keys]] = []
    for start in range(0, count, CHUNK):
        indices, keys = read_keys(slice(start, min(start + CHUNK, count)))
        if passes > 1:
            own = (keys * _MIXER >> np.uint64(32)) % np.uint64(passes) == number
            indices, keys = indices[own], keys[own]
        found.append((indices, keys))
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.uint64)
    return np.concatenate([indices for indices, _ in found]), np.concatenate([keys for _, keys in found])
