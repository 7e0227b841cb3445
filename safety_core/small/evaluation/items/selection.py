"""Chooses some records of many, always the same ones, from as many groups of near-duplicates as possible."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from safety_core.small.corpus.hashing import rank
from safety_core.small.corpus.records import Record


def choose_records(records: Iterable[Record], limit: int, *, purpose: str = "") -> list[Record]:
    """Choose at most ``limit`` records in a random order that never changes; one of each group comes first.

    Args:
        records: the records to choose from.
        limit: how many to choose.
        purpose: another purpose gives another order.
    """
    seen: Counter[str] = Counter()
    ordered: list[tuple[int, Record]] = []
    for record in sorted(records, key=lambda record: rank(f"{purpose}/{record.id}")):
        ordered.append((seen[record.group], record))
        seen[record.group] += 1
    return [record for _, record in sorted(ordered, key=lambda entry: entry[0])[:limit]]


def choose_by_key(
    records: Iterable[Record], key: Callable[[Record], str], limits: Mapping[str, int], limit: int
) -> list[Record]:
    """Choose at most ``limit`` records of each key, or fewer where ``limits`` says so for a key."""
    by_key: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_key[key(record)].append(record)
    chosen: list[Record] = []
    for name, found in by_key.items():
        chosen += choose_records(found, min(limit, limits.get(name, limit)))
    return chosen


def choose_text(texts: Sequence[str], key: str) -> str:
    """Choose one of some texts, always the same for a key."""
    return texts[int(rank(key), 16) % len(texts)]
