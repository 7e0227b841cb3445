import numpy as np
import pytest

from safety_core.dataset_audit.duplicates.equal_keys import CHUNK, Keys, stream_equal
from safety_core.dataset_audit.duplicates.union_file import Indices


@pytest.mark.parametrize("at_once", [1 << 20, 7_000])
def test_equal_keys_are_found_whatever_fits_into_memory(at_once: int) -> None:
    count = CHUNK + 1_000
    keys = np.random.default_rng(1).integers(0, count, size=count).astype(np.uint64)

    def read_keys(part: slice) -> tuple[Indices, Keys]:
        odd = np.flatnonzero(keys[part] % 2 == 1).astype(np.int64) + part.start
        return odd, keys[odd]

    found = {tuple(group.tolist()) for group in stream_equal(count, read_keys, at_once=at_once)}
    expected: dict[int, list[int]] = {}
    for index, key in enumerate(keys.tolist()):
        if key % 2:
            expected.setdefault(key, []).append(index)
    assert found == {tuple(group) for group in expected.values() if len(group) > 1}


def test_nothing_has_no_groups() -> None:
    assert list(stream_equal(0, lambda part: (np.empty(0, np.int64), np.empty(0, np.uint64)))) == []
