"""Groups of what pairs connect, for arrays that may lie on disk: a union of many pairs at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]

_CHUNK = 1 << 16


class UnionArray:
    """A forest of groups in an array. The root of a group is its first member.

    Args:
        parents: the parent of each member, at first itself; may be mapped from a file.
    """

    def __init__(self, parents: Indices) -> None:
        self.parents = parents

    def list_roots(self) -> NDArray[np.bool_]:
        """Return for each member whether it is the first of its group."""
        roots = np.empty(len(self.parents), dtype=np.bool_)
        for start in range(0, len(self.parents), _CHUNK):
            part = self.parents[start : start + _CHUNK]
            roots[start : start + _CHUNK] = part == np.arange(start, start + len(part))
        return roots

    def find(self, members: Indices) -> Indices:
        """Return the first member of each one's group."""
        roots: Indices = np.asarray(self.parents[members])
        while True:
            above = np.asarray(self.parents[roots])
            if np.array_equal(above, roots):
                return roots
            roots = np.asarray(self.parents[above])

    def unite(self, first: Indices, second: Indices) -> None:
        """Join the groups of pairs."""
        while len(first):
            one, two = self.find(first), self.find(second)
            apart = one != two
            low, high = np.minimum(one, two)[apart], np.maximum(one, two)[apart]
            # A root that several pairs join to others goes to the first of these; the next round joins the others.
            np.minimum.at(self.parents, high, low)
            first, second = low, high
