"""Groups of samples that are not independent of each other, and splits that keep a group together.

Near-duplicates must not count as several observations: a guarantee needs independent ones. Samples belong together,
directly or through others, if they

- have the same ``meta.group``, which a data set may state,
- are forms of one record: their ids agree up to the first ``#``,
- show the same image file,
- or have no image, and share at least half of the pairs of neighbouring words of their users' texts (Jaccard index;
  texts with fewer than four words must be equal). Pairs that occur in many texts, such as those of a frame around a
  text, do not count.

Photographs that merely look alike are not recognised: state their ``meta.group``. Knows no scores.
Shapes: P samples · G groups.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import chain, pairwise

import numpy as np

from safety_core.data.samples import Sample
from safety_core.evaluation.statistics.estimates import BoolArray, IntArray

WORDS_ALIKE = 0.5
"""Minimum Jaccard index of two texts' pairs of neighbouring words."""

_FEWEST_WORDS = 4
_COMMON_SHARE = 0.02
_COMMON_COUNT = 20
"""A pair of words in more texts than this number and this share of them is common."""

_WORD = re.compile(r"\w+")

Shingles = frozenset[str]


def find_groups(samples: Sequence[Sample]) -> IntArray:
    """Find the group of each sample; returns numbers from 0 in the order of the groups' first samples."""
    texts: list[Sequence[str]] = [() if sample.images else _split_words(sample) for sample in samples]
    return number_groups([_list_keys(sample) for sample in samples], find_near_texts(texts))


def number_groups(keys: Sequence[Iterable[Hashable]], pairs: Iterable[tuple[int, int]] = ()) -> IntArray:
    """Number the groups of items that belong together, directly or through others.

    Args:
        keys: for each item, what only items of the same group have in common.
        pairs: further items that belong together.
    """
    leaders = list(range(len(keys)))

    def find_leader(index: int) -> int:
        while leaders[index] != index:
            leaders[index] = leaders[leaders[index]]
            index = leaders[index]
        return index

    first_with: dict[Hashable, int] = {}
    linked = ((first_with.setdefault(key, index), index) for index, own in enumerate(keys) for key in own)
    for one, two in chain(linked, pairs):
        first, second = sorted((find_leader(one), find_leader(two)))
        leaders[second] = first
    numbers: dict[int, int] = {}
    return np.array(
        [numbers.setdefault(find_leader(index), len(numbers)) for index in range(len(keys))], dtype=np.int64
    )


def find_near_texts(texts: Sequence[Sequence[str]]) -> Iterator[tuple[int, int]]:
    """Find all pairs of near-duplicate texts, given as words; exact, without sampling.

    Two sets with a Jaccard index of at least t have an equal element among the rarest ``n - ceil(t·n) + 1`` of each, so
    only these are indexed (prefix filtering: Chaudhuri, Ganti and Kaushik, *A Primitive Operator for Similarity Joins
    in Data Cleaning*, ICDE 2006).
    """
    complete = [_build_shingles(words) for words in texts]
    frequency = Counter(shingle for one in complete for shingle in one)
    most = max(_COMMON_COUNT, _COMMON_SHARE * len(texts))
    shingles = [frozenset(shingle for shingle in one if frequency[shingle] <= most) for one in complete]
    order = sorted(range(len(texts)), key=lambda index: len(shingles[index]))
    indexed: defaultdict[str, list[int]] = defaultdict(list)
    for index in order:
        mine = shingles[index]
        rarest = sorted(mine, key=lambda shingle: (frequency[shingle], shingle))
        prefix = rarest[: len(mine) - math.ceil(WORDS_ALIKE * len(mine)) + 1] if mine else []
        candidates = {other for shingle in prefix for other in indexed[shingle]}
        for other in sorted(candidates):
            common = len(mine & shingles[other])
            if common >= WORDS_ALIKE * (len(mine) + len(shingles[other]) - common):
                yield other, index
        for shingle in prefix:
            indexed[shingle].append(index)


def split_groups(groups_P: IntArray, share: float, seed: int) -> BoolArray:
    """Split samples into two parts at random, keeping groups together; returns the mask of the first part.

    Args:
        groups_P: the group of each sample.
        share: share of the groups in the first part.
        seed: seed of the split.
    """
    numbers = np.unique(groups_P)
    chosen = np.random.default_rng([seed, 0]).permutation(numbers)[: round(share * len(numbers))]
    return np.isin(groups_P, chosen)


def draw_one_per_group(groups_P: IntArray, applies_P: BoolArray, seed: int) -> IntArray:
    """Draw one sample at random of each group, among those that apply; returns their indices, in ascending order."""
    indices = np.flatnonzero(applies_P)
    shuffled = np.random.default_rng([seed, 1]).permutation(indices)
    _, first = np.unique(groups_P[shuffled], return_index=True)
    return np.sort(shuffled[first])


def _list_keys(sample: Sample) -> Iterator[Hashable]:
    """List what only samples of the same group have in common."""
    yield "record", sample.id.split("#", 1)[0]
    if isinstance(group := sample.meta.get("group"), str | int):
        yield "group", group
    for image in sample.images:
        yield "image", image
    words = _split_words(sample)
    if words and not sample.images:
        yield "words", tuple(words)


def _split_words(sample: Sample) -> list[str]:
    return _WORD.findall(" ".join(turn.text for turn in sample.turns if turn.role == "user").lower())


def _build_shingles(words: Sequence[str]) -> Shingles:
    """Build the set of pairs of neighbouring words; empty for a text that must be equal to be alike."""
    if len(words) < _FEWEST_WORDS:
        return frozenset()
    return frozenset(f"{one} {two}" for one, two in pairwise(words))
