import numpy as np

from safety_core.data.duplicates.groups import group_keys
from safety_core.dataset_audit.duplicates.union_file import UnionArray


def test_groups_are_those_of_the_plain_union() -> None:
    generator = np.random.default_rng(0)
    for count in (1, 5, 400):
        pairs = generator.integers(0, count, size=(count // 2, 2))
        union = UnionArray(np.arange(count))
        for part in np.array_split(pairs, 3):
            union.unite(part[:, 0], part[:, 1])
        expected = group_keys(range(count), [(int(one), int(two)) for one, two in pairs])
        assert union.find(np.arange(count)).tolist() == [expected[key] for key in range(count)]
        assert union.list_roots().tolist() == [expected[key] == key for key in range(count)]


def test_a_long_chain_is_one_group() -> None:
    union = UnionArray(np.arange(10_000))
    union.unite(np.arange(9_999), np.arange(1, 10_000))
    assert not union.find(np.arange(10_000)).any()
