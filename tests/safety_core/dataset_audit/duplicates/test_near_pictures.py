from itertools import combinations

import numpy as np
import pytest

from safety_core.data.duplicates.near_pictures import PICTURES_ALIKE, find_near_hashes
from safety_core.dataset_audit.duplicates import near_pictures
from safety_core.dataset_audit.duplicates.near_pictures import group_pictures
from safety_core.dataset_audit.duplicates.union_file import UnionArray


def test_no_pair_within_the_distance_is_missed() -> None:
    """Groups are those of a comparison of all pairs: also of pairs with exactly eight different bits."""
    rng = np.random.default_rng(2)
    hashes = rng.integers(0, 1 << 63, size=300, dtype=np.uint64)
    for index in range(0, 300, 3):
        flipped = rng.choice(64, size=rng.integers(0, PICTURES_ALIKE + 3), replace=False)
        hashes[index + 1] = hashes[index] ^ np.uint64(sum(1 << int(bit) for bit in flipped))
    compared, expected = UnionArray(np.arange(300)), UnionArray(np.arange(300))
    assert group_pictures(hashes, compared)
    pairs = np.array(list(find_near_hashes(hashes.tolist())))
    expected.unite(pairs[:, 0], pairs[:, 1])
    assert compared.find(np.arange(300)).tolist() == expected.find(np.arange(300)).tolist()


def test_every_choice_of_bits_is_found() -> None:
    for seed in range(40):
        bits = np.random.default_rng(seed).choice(64, size=PICTURES_ALIKE, replace=False)
        hashes = np.array([0, sum(1 << int(bit) for bit in bits)], dtype=np.uint64)
        union = UnionArray(np.arange(2))
        group_pictures(hashes, union)
        assert union.find(np.array([1])).tolist() == [0]


def test_of_a_crowd_neighbours_are_compared_and_the_result_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_pictures, "CROWD", 20)
    pairs = [sum(1 << bit for bit in bits) for bits in combinations(range(4), 2)]
    hashes = np.array([*range(0, 1 << 12, 1 << 6), *pairs], dtype=np.uint64)
    union = UnionArray(np.arange(len(hashes)))
    assert not group_pictures(hashes, union)
    assert not union.find(np.arange(len(hashes))).any()
