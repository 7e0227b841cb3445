"""Keys of a record: bytes that two records share if they have the same id, nearly the same words or picture.

A text of four words or more has four keys. Each is the hash of five MinHash values of its pairs of neighbouring words
(Broder, *On the resemblance and containment of documents*, 1997), so two texts with the Jaccard index s of these pairs
share a key with probability 1 - (1 - s**5)**4: 0.12 at 0.5, 0.80 at 0.8, always if they are equal. A shorter text is
its own key. The key of a picture is its perceptual hash. Knows no file of hashes and no salt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

from safety_core.data.duplicates.near_texts import normalize_words

BANDS = 4
ROWS = 5
LEAST_WORDS = 4
"""Words below which a text is compared as a whole."""

LONGEST = 20_000
"""Characters of a text that are read."""

PICTURES_ALIKE = 2
"""Most bits in which the perceptual hashes of two pictures differ that count as the same: copies of other size and
quality."""

NO_SOURCES = ("", "-")
"""Sources that name no data set."""

_HASH_BITS = 64


def _derive_seeds() -> npt.NDArray[np.uint64]:
    digests = (hashlib.blake2b(f"row {number}".encode(), digest_size=8).digest() for number in range(BANDS * ROWS))
    return np.array([int.from_bytes(digest, "little") for digest in digests], dtype=np.uint64)


_SEEDS = _derive_seeds()
"""Fixed, as they are a part of the format: other seeds would fit no file."""


def build_id_key(source: str, record_id: str) -> bytes | None:
    """Build the key of an id; None without a data set, because ids such as "1" mean nothing without one."""
    return None if source in NO_SOURCES else f"{source}\n{record_id}".encode()


def list_text_keys(turns: Sequence[str]) -> list[list[bytes]]:
    """List the keys of the user's words: of all turns together, and of the last one if there are several.

    A text without any word has no keys. One equal key is enough to call two texts near-duplicates.
    """
    texts = [" ".join(turns)[:LONGEST], *([turns[-1][:LONGEST]] if len(turns) > 1 else [])]
    normal = dict.fromkeys(normalize_words(text) for text in texts)
    return [_list_keys(text) for text in normal if text]


def build_picture_key(picture_hash: int) -> bytes:
    """Build the key of a picture from its perceptual hash."""
    return picture_hash.to_bytes(_HASH_BITS // 8, "little")


def probe_picture_keys(picture_hash: int) -> Iterator[bytes]:
    """Yield the keys of all pictures that count as the same: 2,081."""
    for changes in range(PICTURES_ALIKE + 1):
        for places in combinations(range(_HASH_BITS), changes):
            yield build_picture_key(picture_hash ^ sum(1 << place for place in places))


def _list_keys(normal: str) -> list[bytes]:
    words = normal.split()
    if len(words) < LEAST_WORDS:
        return [normal.encode()]
    shingles = sorted(set(map(" ".join, pairwise(["^", *words, "$"]))))
    hashes = np.array(
        [int.from_bytes(hashlib.blake2b(one.encode(), digest_size=8).digest(), "little") for one in shingles],
        dtype=np.uint64,
    )
    least = _scramble(hashes[:, None] ^ _SEEDS).min(axis=0).astype("<u8")
    return [bytes([band]) + least[band * ROWS : (band + 1) * ROWS].tobytes() for band in range(BANDS)]


def _scramble(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Permute 64-bit numbers; source: the finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
