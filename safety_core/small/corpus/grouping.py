"""Groups of near-duplicate records, and the own texts that are too near to what is measured.

Looking for near-duplicates takes some ten seconds; the pairs found are kept in a file, as numbers without any text, and
looked for again once a record or a rule changes.
"""

import hashlib
import inspect
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from safety_core.data.duplicates import near_pictures, near_texts
from safety_core.data.duplicates.groups import group_keys
from safety_core.data.duplicates.near_pictures import find_near_pictures
from safety_core.data.duplicates.near_texts import find_near_texts
from safety_core.files import write_text
from safety_core.small.corpus.reading.own_texts import PREFIX
from safety_core.small.corpus.records import Record
from safety_core.small.corpus.splits import COMBINED

IdPair = tuple[str, str]


def find_pairs(records: Sequence[Record], cache: Path | None = None) -> list[IdPair]:
    """Find all pairs of near-duplicates, as ids; combined requests are not compared.

    Args:
        records: texts and photographs, own ones too, in any order.
        cache: file to keep the pairs in.
    """
    ordered = sorted((record for record in records if record.source != COMBINED), key=lambda record: record.id)
    key = _hash_records(ordered)
    kept = _read_cache(cache, key) if cache is not None else None
    pairs = kept if kept is not None else list(_find_positions(ordered))
    if cache is not None and kept is None:
        write_text(cache, json.dumps({"key": key, "pairs": pairs}))
    return [(ordered[one].id, ordered[two].id) for one, two in pairs]


def group_records(records: Sequence[Record], pairs: Sequence[IdPair]) -> list[Record]:
    """Give each public record its group: near-duplicates and the families of their sources, directly or not."""
    known = {record.id for record in records}
    near = (pair for pair in pairs if known.issuperset(pair))
    groups = group_keys(known, [*near, *_link_families(records)])
    return [replace(record, group=groups[record.id]) for record in records]


def drop_near_texts(records: Sequence[Record], pairs: Sequence[IdPair]) -> list[Record]:
    """Drop training records that are near an own text of another split, and own training texts near any such record.

    Groups of public records were formed and split without own texts; only direct neighbours count here.
    """
    splits = {record.id: record.split for record in records}
    near: set[str] = set()
    for one, two in (*pairs, *((two, one) for one, two in pairs)):
        if not (one.startswith(PREFIX) or two.startswith(PREFIX)) or one not in splits or two not in splits:
            continue
        if splits[one] == "train" and splits[two] not in ("train", "dropped"):
            near.add(one)
    return [replace(record, split="dropped") if record.id in near else record for record in records]


def _link_families(records: Sequence[Record]) -> Iterator[IdPair]:
    families: dict[str, list[str]] = {}
    for record in records:
        if record.family:
            families.setdefault(record.family, []).append(record.id)
    for ids in families.values():
        yield from pairwise(ids)


def _find_positions(records: Sequence[Record]) -> Iterator[tuple[int, int]]:
    texts = [index for index, record in enumerate(records) if record.photo is None]
    for one, two in find_near_texts([records[index].text for index in texts]):
        yield texts[one], texts[two]
    photos = [(index, record.photo) for index, record in enumerate(records) if record.photo is not None]
    for one, two in find_near_pictures([photo for _, photo in photos]):
        yield photos[one][0], photos[two][0]


def _hash_records(records: Sequence[Record]) -> str:
    """Hash of everything that the pairs depend on."""
    found = hashlib.sha256()
    for module in (near_texts, near_pictures):
        found.update(inspect.getsource(module).encode())
    for record in records:
        size = record.photo.stat().st_size if record.photo is not None else 0
        found.update(f"{record.id} {size}\n".encode())
    return found.hexdigest()


def _read_cache(cache: Path, key: str) -> list[tuple[int, int]] | None:
    """Read the pairs that were kept; None if there are none, or they belong to other records."""
    try:
        kept = json.loads(cache.read_text(encoding="utf-8"))
        return [(one, two) for one, two in kept["pairs"]] if kept["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
