"""Near-duplicate pictures among any number: at most 8 of the 64 bits of their hashes differ.

The bits are cut into ten pieces. Eight different bits leave at least two of them untouched, so pictures that are alike
agree in one of the 45 pairs of pieces; only pictures that agree there are compared. Of a crowd that agrees, not all
pairs are compared.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from safety_core.data.duplicates.near_pictures import PICTURES_ALIKE
from safety_core.dataset_audit.duplicates.equal_keys import Keys, stream_equal
from safety_core.dataset_audit.duplicates.union_file import Indices, UnionArray

_BITS = 64
_PIECES = PICTURES_ALIKE + 2
_ENDS = [round(_BITS * piece / _PIECES) for piece in range(_PIECES + 1)]

CROWD = 8192
"""Pictures that agree in a pair of pieces of which all pairs are compared; of more, each with its neighbours."""

_NEIGHBOURS = 256
_ROWS = 512
"""Rows of the matrix of differences that are computed at a time."""


def group_pictures(hashes: Keys, union: UnionArray) -> bool:
    """Join the groups of near-duplicate pictures; returns whether all pairs that may be alike were compared.

    Args:
        hashes: perceptual hashes; may be mapped from a file.
        union: the groups.
    """

    def read_hashes(part: slice) -> tuple[Indices, Keys]:
        return np.arange(part.start, part.stop, dtype=np.int64), np.asarray(hashes[part])

    for equal in stream_equal(len(hashes), read_hashes):
        union.unite(equal[:-1], equal[1:])
    distinct = union.list_roots()  # of equal pictures, the first is enough
    complete = True
    for pieces in combinations(range(_PIECES), 2):
        mask = np.uint64(sum(((1 << _ENDS[one + 1]) - (1 << _ENDS[one])) for one in pieces))

        def read_pieces(part: slice, mask: np.uint64 = mask) -> tuple[Indices, Keys]:
            indices, values = read_hashes(part)
            return indices[distinct[part]], values[distinct[part]] & mask

        for group in stream_equal(len(hashes), read_pieces):
            complete &= _compare(group, np.asarray(hashes[group]), union)
    return complete


def _compare(group: Indices, values: Keys, union: UnionArray) -> bool:
    """Join those of a group that are alike; returns whether all pairs were compared."""
    if len(group) > CROWD:
        order = np.argsort(values, kind="stable")
        group, values = group[order], values[order]
        for step in range(1, _NEIGHBOURS + 1):
            near = np.bitwise_count(values[step:] ^ values[:-step]) <= PICTURES_ALIKE
            union.unite(group[:-step][near], group[step:][near])
        return False
    for start in range(0, len(group), _ROWS):
        rows = values[start : start + _ROWS]
        near = np.bitwise_count(rows[:, None] ^ values[None, start:]) <= PICTURES_ALIKE
        one, two = np.nonzero(np.triu(near, 1))
        union.unite(group[start + one], group[start + two])
    return True
