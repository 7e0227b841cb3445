"""Rows of the cache: each sequence reads its own positions, whoever joins, grows or leaves."""

import pytest
import torch
from torch import Tensor

from safety_core.engine.generation.kv_cache import LENGTH_STEP, KVCache

CPU = torch.device("cpu")
HEADS, WIDTH = 2, 3


def states(rows: int, length: int, value: float) -> Tensor:
    return torch.full((rows, HEADS, length, WIDTH), value)


def prefill(cache: KVCache, first: int, length: int, value: float, *, layers: int = 1, rows: int = 1) -> None:
    cache.begin_prefill(first)
    for layer in range(layers):
        cache.update(states(rows, length, value), states(rows, length, -value), layer)


def decode(cache: KVCache, lengths: list[int], value: float, *, first: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Append a position to each row; returns keys [R, L] of one head, values, and the mask."""
    positions, mask = cache.begin_decode(first, lengths, CPU)
    assert positions.flatten().tolist() == lengths
    keys, values = cache.update(states(len(lengths), 1, value), states(len(lengths), 1, -value), 0)
    return keys[:, 0, :, 0], values[:, 0, :, 0], mask[:, 0, 0]


def read(keys_RL: Tensor, mask_RL: Tensor) -> list[list[float]]:
    return [row[seen].tolist() for row, seen in zip(keys_RL, mask_RL, strict=True)]


def test_each_row_reads_its_own_prompt_and_its_new_position() -> None:
    cache = KVCache(1)
    cache.make_room(2, 32)
    prefill(cache, 0, 3, 1.0)
    prefill(cache, 1, 1, 2.0)
    keys, values, mask = decode(cache, [3, 1], 9.0)
    assert read(keys, mask) == [[1, 1, 1, 9], [2, 9]]
    assert read(values, mask) == [[-1, -1, -1, -9], [-2, -9]]
    assert keys.shape[1] == LENGTH_STEP, "only as many positions are read as the longest row needs"
    assert read(*decode(cache, [2], 5.0, first=1)[::2]) == [[2, 9, 5]]


def test_the_buffers_grow_and_shrink_with_their_content() -> None:
    cache = KVCache(2)
    cache.make_room(1, 4)
    prefill(cache, 0, 2, 1.0, layers=2)
    small = cache.nbytes
    cache.make_room(3, 40)
    keys, _, mask = decode(cache, [2], 9.0)
    assert read(keys, mask) == [[1, 1, 9]]
    assert (cache.shape, cache.nbytes > small) == ((3, 40), True)
    cache.make_room(1, 4)
    assert read(*decode(cache, [3], 8.0)[::2]) == [[1, 1, 9, 8]]
    cache.clear()
    assert (cache.shape, cache.nbytes) == ((0, 0), 0)


@pytest.mark.parametrize(("row", "kept"), [(0, [[3, 9], [2, 9]]), (1, [[1, 9], [3, 9]]), (2, [[1, 9], [2, 9]])])
def test_the_last_row_takes_the_place_of_one_that_leaves(row: int, kept: list[list[float]]) -> None:
    cache = KVCache(1)
    cache.make_room(3, 16)
    for index, value in enumerate((1.0, 2.0, 3.0)):
        prefill(cache, index, 1, value)
    cache.remove(row, 2)
    keys, _, mask = decode(cache, [1, 1], 9.0)
    assert read(keys, mask) == kept


def test_nothing_that_is_not_finite_is_left_for_the_next_one_in_a_row() -> None:
    cache = KVCache(1)
    cache.make_room(2, 16)
    prefill(cache, 0, 8, float("nan"))
    prefill(cache, 0, 2, 1.0)
    prefill(cache, 1, 8, float("nan"))
    cache.remove(1, 1)
    keys, values, _ = decode(cache, [2], 9.0)
    assert keys.isfinite().all()
    assert values.isfinite().all()
    prefill(cache, 1, 1, 1.0)
    assert decode(cache, [3, 1], 9.0)[0].isfinite().all()


def test_a_prompt_attends_to_itself_alone() -> None:
    cache = KVCache(1)
    cache.make_room(2, 16)
    cache.begin_prefill(0)
    keys, _ = cache.update(states(2, 3, 1.0), states(2, 3, 1.0), 0)
    assert keys.shape == (2, HEADS, 3, WIDTH)
    assert (cache.get_seq_length(), cache.get_mask_sizes(3, 0)) == (0, (3, 0))
