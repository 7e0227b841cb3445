"""Near-duplicates: pairs of texts that share most of their words or letters, and photographs that look alike.

Texts are compared in two ways. Words: the Jaccard index of their pairs of neighbouring words, at least 0.5, for texts
of four words or more. Letters: that of their runs of four letters, without spaces and with digits read as letters, at
least 0.6, for texts of 12 to 100 letters; it finds misspelt and disguised copies. Shorter texts must be equal. MinHash
proposes pairs and the sets themselves decide, so results depend on nothing but the texts.

Photographs are near-duplicates if at most 8 of the 64 bits of their perceptual hashes differ. Knows no records.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from safety_core.data.record_place import RecordPlace
from safety_core.errors import ConfigError

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

PHOTOS_ALIKE = 8
"""Most bits in which the hashes of two near-duplicate photographs differ."""

_EXTRA_NEEDED = "near-duplicates are looked for by datasketch and imagehash: pip install 'safevlm-guard[small-build]'"

_NOISE = re.compile(r"https?://\S+|@\w+|\brt\b")
_DIGITS_AS_LETTERS = str.maketrans("013457", "oieast")

Pair = tuple[int, int]


def normalize_words(text: str) -> str:
    """Reduce a text to its words, in lower case, without punctuation, addresses and user names."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("'", "").replace("’", "")
    return " ".join(re.findall(r"[^\W_]+", _NOISE.sub(" ", folded)))


def find_near_texts(texts: Sequence[str]) -> Iterator[Pair]:
    """Yield pairs of positions of near-duplicate texts; of equal texts, only neighbouring ones.

    Raises:
        ConfigError: the extra ``small`` is not installed.
    """
    equal: dict[str, list[int]] = defaultdict(list)
    for index, text in enumerate(texts):
        equal[normalize_words(text)].append(index)
    for indices in equal.values():
        yield from pairwise(indices)
    words = {indices[0]: normal for normal, indices in equal.items()}
    yield from _find_alike({i: _pair_words(normal) for i, normal in words.items()}, WORDS_ALIKE)
    yield from _find_alike({i: _run_letters(normal) for i, normal in words.items()}, LETTERS_ALIKE)


def _pair_words(normal: str) -> frozenset[str]:
    """Pairs of neighbouring words, with the ends of the text as words; empty if the text is too short to compare."""
    words = ["^", *normal.split(), "$"]
    if len(words) - 2 < _LEAST_WORDS:
        return frozenset()
    return frozenset(map(" ".join, pairwise(words)))


def _run_letters(normal: str) -> frozenset[str]:
    """Runs of letters of a text; empty if the text is too short or too long to compare."""
    letters = normal.replace(" ", "").translate(_DIGITS_AS_LETTERS)
    if len(letters) not in _LETTER_BOUNDS:
        return frozenset()
    return frozenset(letters[start : start + _LETTERS] for start in range(len(letters) - _LETTERS + 1))


def _find_alike(sets: Mapping[int, frozenset[str]], least: float) -> Iterator[Pair]:
    """Yield pairs of keys whose sets have at least this Jaccard index; empty sets are like nothing."""
    try:
        from datasketch import MinHash, MinHashLSH
    except ImportError as exc:
        raise ConfigError(_EXTRA_NEEDED) from exc

    filled = {key: entries for key, entries in sets.items() if entries}
    index = MinHashLSH(threshold=least - _MARGIN, num_perm=_PERMUTATIONS)
    encoded = ([entry.encode() for entry in entries] for entries in filled.values())
    for key, minhash in zip(filled, MinHash.generator(encoded, num_perm=_PERMUTATIONS, seed=_SEED), strict=True):
        for other in sorted(other for other in index.query(minhash) if isinstance(other, int)):
            one, two = filled[key], filled[other]
            if len(one & two) >= least * len(one | two):
                yield other, key
        index.insert(key, minhash)


def find_near_photos(photos: Sequence[Path]) -> Iterator[Pair]:
    """Yield pairs of positions of near-duplicate photographs.

    Raises:
        ConfigError: the extra ``small`` is not installed.
        SampleError: a file is no picture.
    """
    import numpy as np

    bits = np.array([_hash_photo(photo) for photo in photos], dtype=bool)
    for index in range(len(photos) - 1):
        differing = (bits[index + 1 :] ^ bits[index]).sum(axis=1)
        for offset in np.flatnonzero(differing <= PHOTOS_ALIKE):
            yield index, index + 1 + int(offset)


def _hash_photo(photo: Path) -> list[bool]:
    """Perceptual hash of a photograph, 64 bits."""
    from PIL import Image

    try:
        import imagehash
    except ImportError as exc:
        raise ConfigError(_EXTRA_NEEDED) from exc
    try:
        with Image.open(photo) as image:
            hashed = imagehash.phash(image)
    except (OSError, SyntaxError, ValueError) as exc:
        raise RecordPlace(photo).create_error("the file is no picture that can be decoded", "file") from exc
    return [bool(bit) for bit in hashed.hash.ravel()]


def group_ids(ids: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Map each id to the first id, in sorted order, of its group: all ids that pairs connect, directly or not."""
    parents = {one: one for one in ids}

    def find_root(one: str) -> str:
        while parents[one] != one:
            parents[one] = parents[parents[one]]
            one = parents[one]
        return one

    for one, two in pairs:
        first, second = sorted((find_root(one), find_root(two)))
        parents[second] = first
    return {one: find_root(one) for one in parents}
