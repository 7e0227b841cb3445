"""Groups of what pairs of near-duplicates connect. Standard library only."""

from collections.abc import Iterable
from typing import Any, Protocol, TypeVar


class _Sortable(Protocol):
    def __lt__(self, other: Any, /) -> bool: ...


KeyT = TypeVar("KeyT", bound=_Sortable)


def group_keys(keys: Iterable[KeyT], pairs: Iterable[tuple[KeyT, KeyT]]) -> dict[KeyT, KeyT]:
    """Map each key to the first key, in sorted order, of its group: all keys that pairs connect, directly or not.

    Keys of pairs need not be among the others.
    """
    parents = {key: key for key in keys}

    def find_root(key: KeyT) -> KeyT:
        while parents.setdefault(key, key) != key:
            parents[key] = parents[parents[key]]
            key = parents[key]
        return key

    for one, two in pairs:
        first, second = sorted((find_root(one), find_root(two)))
        parents[second] = first
    return {key: find_root(key) for key in list(parents)}
