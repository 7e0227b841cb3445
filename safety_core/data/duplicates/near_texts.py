"""Near-duplicate texts: pairs of texts that share most of their words or letters.

Texts are compared in two ways. Words: the Jaccard index of their pairs of neighbouring words, at least 0.5, for texts
of four words or more. Letters: that of their runs of four letters, without spaces and with digits read as letters, at
least 0.6, for texts of 12 to 100 letters; it finds misspelt and disguised copies. Shorter texts must be equal. MinHash
proposes pairs and the sets themselves decide, so results depend on nothing but the texts.

No text is kept: of each, its digest, two signatures of 512 bytes, and 8 bytes for each pair of words and run of
letters. Knows no records.
"""

import hashlib
import re
import unicodedata
from array import array
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from safety_core.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORDS_ALIKE = 0.5
"""Least Jaccard index of two texts' pairs of words."""

LETTERS_ALIKE = 0.6
"""Least Jaccard index of two short texts' runs of letters."""

_LETTERS = 4
_LEAST_WORDS = 4
_LETTER_BOUNDS = range(12, 101)
"""Lengths of texts, in letters, that are compared by letters."""

_MARGIN = 0.05
"""MinHash estimates: candidates are proposed from this much less similarity."""

_PERMUTATIONS = 128
_SEED = 1

EXTRA_NEEDED = "near-duplicates are found with datasketch and imagehash: pip install 'safevlm-guard[data]'"

_NOISE = re.compile(r"https?://\S+|@\w+|\brt\b")
_DIGITS_AS_LETTERS = str.maketrans("013457", "oieast")

Pair = tuple[int, int]


def normalize_words(text: str) -> str:
    """Reduce a text to its words, in lower case, without punctuation, addresses and user names."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("'", "").replace("’", "")
    return " ".join(re.findall(r"[^\W_]+", _NOISE.sub(" ", folded)))


def find_near_texts(texts: Iterable[str], *, crowd: int | None = None) -> Iterator[Pair]:
    """Yield pairs of positions of near-duplicate texts; of equal texts, only neighbouring ones.

    Args:
        texts: the texts; each is read once.
        crowd: of more texts than this that MinHash cannot tell apart, not all pairs are compared, only those of
            neighbours and those with the first. None compares all pairs.

    Raises:
        ConfigError: the extra ``data`` is not installed.
    """
    last_of_equal: dict[bytes, int] = {}
    words, letters = _ShingleSets(WORDS_ALIKE), _ShingleSets(LETTERS_ALIKE)
    for index, text in enumerate(texts):
        normal = normalize_words(text)
        digest = hashlib.blake2b(normal.encode(), digest_size=16).digest()
        if digest in last_of_equal:
            yield last_of_equal[digest], index
        else:
            words.add(index, pair_words(normal))
            letters.add(index, run_letters(normal))
        last_of_equal[digest] = index
    yield from words.find_alike(crowd)
    yield from letters.find_alike(crowd)


def pair_words(normal: str) -> frozenset[str]:
    """Pairs of neighbouring words, with the ends of the text as words; empty if the text is too short to compare."""
    words = ["^", *normal.split(), "$"]
    if len(words) - 2 < _LEAST_WORDS:
        return frozenset()
    return frozenset(map(" ".join, pairwise(words)))


def run_letters(normal: str) -> frozenset[str]:
    """Runs of letters of a text; empty if the text is too short or too long to compare."""
    letters = normal.replace(" ", "").translate(_DIGITS_AS_LETTERS)
    if len(letters) not in _LETTER_BOUNDS:
        return frozenset()
    return frozenset(letters[start : start + _LETTERS] for start in range(len(letters) - _LETTERS + 1))


class _ShingleSets:
    """Sets of shingles as arrays, and the search for those that are alike.

    Args:
        least: least Jaccard index of two sets that are alike.
    """

    def __init__(self, least: float) -> None:
        try:
            from datasketch import MinHash, MinHashLSH
        except ImportError as exc:
            raise ConfigError(EXTRA_NEEDED) from exc
        index = MinHashLSH(threshold=least - _MARGIN, num_perm=_PERMUTATIONS)
        self._bands: int = index.b
        self._rows: int = index.r
        self._empty = MinHash(num_perm=_PERMUTATIONS, seed=_SEED)
        self._least = least
        self._keys = array("q")
        self._signatures = array("I")
        self._shingles = array("Q")
        """The hashes of all sets, each set sorted."""

        self._ends = array("q", [0])
        """Position in ``_shingles`` of the end of each set, after that of the beginning of the first."""

    def add(self, key: int, shingles: frozenset[str]) -> None:
        """Add a set; an empty one is like nothing. Keys must grow."""
        if not shingles:
            return
        encoded = [shingle.encode() for shingle in shingles]
        minhash = self._empty.copy()
        minhash.update_batch(encoded)
        self._signatures.frombytes(minhash.hashvalues.astype(np.uint32).tobytes())
        hashes = (int.from_bytes(hashlib.blake2b(one, digest_size=8).digest(), "little") for one in encoded)
        self._shingles.extend(sorted(hashes))
        self._ends.append(len(self._shingles))
        self._keys.append(key)

    def find_alike(self, crowd: int | None) -> Iterator[Pair]:
        """Yield pairs of keys whose sets have at least the Jaccard index, in the order of the second key."""
        count = len(self._keys)
        for code in self._propose_pairs(crowd):
            second, first = divmod(int(code), count)
            one, two = self._get_set(first), self._get_set(second)
            common = np.intersect1d(one, two, assume_unique=True).size
            if common >= self._least * (one.size + two.size - common):
                yield self._keys[first], self._keys[second]

    def _get_set(self, place: int) -> "NDArray[np.uint64]":
        return np.frombuffer(self._shingles, dtype=np.uint64)[self._ends[place] : self._ends[place + 1]]

    def _propose_pairs(self, crowd: int | None) -> "NDArray[np.int64]":
        """Propose pairs whose signatures agree in a band, each once, as ``second * count + first``; sorted."""
        count = len(self._keys)
        signatures = np.frombuffer(self._signatures, dtype=np.uint32).reshape(count, _PERMUTATIONS)
        codes = np.empty(0, dtype=np.int64)
        for band in range(self._bands):
            columns = np.ascontiguousarray(signatures[:, band * self._rows : (band + 1) * self._rows])
            found = [_combine(group, count, crowd) for group in _group_equal_rows(columns)]
            codes = np.unique(np.concatenate([codes, *found]))
        return codes


def _group_equal_rows(columns: "NDArray[np.uint32]") -> Iterator["NDArray[np.int64]"]:
    """Yield the positions of rows that are equal, two or more at a time, in ascending order."""
    if not len(columns):
        return
    order = np.lexsort(columns.T[::-1])
    ordered = columns[order]
    starts = np.flatnonzero(np.r_[True, (ordered[1:] != ordered[:-1]).any(axis=1)])
    ends = np.r_[starts[1:], len(order)]
    for place in np.flatnonzero(ends - starts > 1):
        yield order[starts[place] : ends[place]]


def _combine(group: "NDArray[np.int64]", count: int, crowd: int | None) -> "NDArray[np.int64]":
    """Combine positions to codes of pairs: all pairs, or of a crowd those of neighbours and with the first."""
    if crowd is None or len(group) <= crowd:
        first, second = (group[places] for places in np.triu_indices(len(group), 1))
    else:
        first = np.r_[group[:-1], np.broadcast_to(group[0], len(group) - 1)]
        second = np.r_[group[1:], group[1:]]
    return second.astype(np.int64) * count + first
