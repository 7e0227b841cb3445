from collections import Counter

import pytest

from safety_core.evaluation.benchmarks.suites.items import Item
from safety_core.evaluation.benchmarks.suites.selection import choose_items


def make_items(sizes: dict[str, int], *, per_group: int = 1) -> list[Item]:
    return [
        Item(id=f"{name}-{i}", group=f"{name}-{i // per_group}", source="s", category=name, type="illegal", level=3)
        for name, size in sizes.items()
        for i in range(size)
    ]


def test_no_limit_and_a_large_one_keep_everything() -> None:
    items = make_items({"a": 3})
    assert choose_items(items, None, seed=0) == choose_items(items, 3, seed=0) == items


def test_a_limit_is_divided_in_proportion_and_small_categories_keep_a_place() -> None:
    chosen = choose_items(make_items({"a": 90, "b": 60, "c": 1}), 15, seed=0)
    assert Counter(item.category for item in chosen) == {"a": 8, "b": 6, "c": 1}


@pytest.mark.parametrize("limit", range(1, 40))
def test_a_limit_is_kept_and_used_up(limit: int) -> None:
    items = make_items({"a": 23, "b": 9, "c": 5, "d": 3})
    assert len(choose_items(items, limit, seed=1)) == limit


@pytest.mark.parametrize("limit", [1, 4, 7, 12])
def test_groups_stay_whole(limit: int) -> None:
    chosen = choose_items(make_items({"a": 24, "b": 8}, per_group=4), limit, seed=0)
    assert len(chosen) <= limit
    assert all(count == 4 for count in Counter(item.group for item in chosen).values())
    assert len(chosen) == limit // 4 * 4


def test_the_choice_depends_on_the_seed_and_not_on_the_order() -> None:
    items = make_items({"a": 50})
    first = {item.id for item in choose_items(items, 10, seed=0)}
    assert {item.id for item in choose_items(items[::-1], 10, seed=0)} == first
    assert {item.id for item in choose_items(items, 10, seed=1)} != first
    assert first < {item.id for item in choose_items(items, 20, seed=0)}
