"""Salted hashes, by which records are split without regard to their order, and which the split lists show for ids.

Standard library only.
"""

import hashlib
from collections.abc import Sequence

from safety_core.small.corpus.records import Split

SALT = "safevlm-small/1"
"""Part of every hash; another salt gives another split."""

LISTED_DIGITS = 12
"""Hexadecimal digits of a listed id."""

_TOTAL = 1 << 32

Shares = Sequence[tuple[Split, float]]
"""Splits with their shares, which sum to 1."""

SHARES: Shares = (("train", 0.70), ("calibration", 0.10), ("development", 0.08), ("test", 0.12))


def hash_text(text: str) -> str:
    """Hash a text without salt, to 16 hexadecimal digits: the end of a record's id. White space does not matter."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:16]


def hash_id(record_id: str) -> str:
    """Hash a record's id with the salt, to the digits that a split list shows."""
    return _digest("id", record_id)[:LISTED_DIGITS]


def rank(key: str) -> str:
    """Key by which to sort for an order that looks random and never changes."""
    return _digest("rank", key)


def pick_split(key: str, shares: Shares = SHARES) -> Split:
    """Pick the split of a key; each split gets its share of all keys."""
    point = int(_digest("split", key)[:8], 16) / _TOTAL
    for split, share in shares:
        point -= share
        if point < 0:
            return split
    return shares[-1][0]


def _digest(purpose: str, key: str) -> str:
    return hashlib.sha256(f"{SALT}/{purpose}/{key}".encode()).hexdigest()
