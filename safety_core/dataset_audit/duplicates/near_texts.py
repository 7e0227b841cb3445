"""Near-duplicate texts among any number, by their signatures.

Signatures that agree in a band are compared, as MinHashLSH chooses the bands. Signatures estimate the Jaccard index to
about 0.04. Of a crowd that agrees, not all pairs are compared.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safety_core.data.duplicates.near_texts import EXTRA_NEEDED
from safety_core.dataset_audit.duplicates.equal_keys import Keys, stream_equal
from safety_core.dataset_audit.duplicates.signatures import PERMUTATIONS
from safety_core.dataset_audit.duplicates.union_file import Indices, UnionArray
from safety_core.errors import ConfigError

Signatures = NDArray[np.uint8]

CROWD = 64
"""Texts that agree in a band of which all pairs are compared; of more, each with the one before and the first."""

_MARGIN = 0.05
"""Candidates are proposed from this much less similarity."""

_CHANCE = 1 / 256
"""Share of the bytes in which different texts agree."""

_COMPARED = 1 << 14
"""Pairs that are compared at a time."""

_MAX_ROWS = 8
"""Bytes of a band, which must fit into a key."""


def group_equal(digests: Keys, has_text: NDArray[np.bool_], union: UnionArray) -> None:
    """Join the groups of texts whose normal forms are equal."""

    def read_digests(part: slice) -> tuple[Indices, Keys]:
        indices = part.start + np.flatnonzero(has_text[part]).astype(np.int64)
        return indices, np.asarray(digests[indices])

    for equal in stream_equal(len(digests), read_digests):
        union.unite(equal[:-1], equal[1:])


def group_texts(signatures: Signatures, compared: NDArray[np.bool_], least: float, union: UnionArray) -> bool:
    """Join the groups of near-duplicate texts; returns whether all pairs that may be alike were compared.

    Args:
        signatures: one row for each text; may be mapped from a file.
        compared: whether a text is compared: it has a signature, and is the first of equal ones.
        least: least Jaccard index of two texts that are alike.
        union: the groups.

    Raises:
        ConfigError: the extra ``data`` is not installed.
    """
    bands, rows = _choose_bands(least - _MARGIN)
    complete = True
    for band in range(bands):
        columns = slice(band * rows, (band + 1) * rows)

        def read_band(part: slice, columns: slice = columns) -> tuple[Indices, Keys]:
            indices = part.start + np.flatnonzero(compared[part]).astype(np.int64)
            keys = np.zeros((len(indices), _MAX_ROWS), dtype=np.uint8)
            keys[:, : columns.stop - columns.start] = signatures[indices, columns]
            return indices, keys.view(np.uint64).ravel()

        for group in stream_equal(len(signatures), read_band):
            complete &= len(group) <= CROWD
            _compare(*_combine(group), signatures, least, union)
    return complete


def _choose_bands(threshold: float) -> tuple[int, int]:
    """Choose the number of bands and their size."""
    try:
        from datasketch import MinHashLSH
    except ImportError as exc:
        raise ConfigError(EXTRA_NEEDED) from exc
    index = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS)
    rows = min(int(index.r), _MAX_ROWS)
    return PERMUTATIONS // rows if rows < index.r else int(index.b), rows


def _combine(group: Indices) -> tuple[Indices, Indices]:
    """Combine entries to pairs: all pairs, or of a crowd those of neighbours and with the first."""
    if len(group) <= CROWD:
        one, two = np.triu_indices(len(group), 1)
        return group[one], group[two]
    return np.r_[group[:-1], np.broadcast_to(group[0], len(group) - 1)], np.r_[group[1:], group[1:]]


def _compare(first: Indices, second: Indices, signatures: Signatures, least: float, union: UnionArray) -> None:
    for start in range(0, len(first), _COMPARED):
        one, two = first[start : start + _COMPARED], second[start : start + _COMPARED]
        apart = union.find(one) != union.find(two)
        one, two = one[apart], two[apart]
        agreeing = (signatures[one] == signatures[two]).mean(axis=1)
        alike = (agreeing - _CHANCE) / (1 - _CHANCE) >= least
        union.unite(one[alike], two[alike])
