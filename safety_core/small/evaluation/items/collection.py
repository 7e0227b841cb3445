"""Collects all items of a split, in an order that never changes; items that share a picture are neighbours."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from safety_core.small.corpus.loading import Corpus
from safety_core.small.evaluation.items.columns import MeasuredSplit
from safety_core.small.evaluation.items.documents import list_document_items
from safety_core.small.evaluation.items.hidden import list_hidden_items
from safety_core.small.evaluation.items.item import Item
from safety_core.small.evaluation.items.lettering import list_lettering_items
from safety_core.small.evaluation.items.photographs import HELD_OUT_COLUMNS, list_held_out_items, list_photograph_items
from safety_core.small.evaluation.items.picture_folder import PictureFolder
from safety_core.small.evaluation.items.words import list_word_items

ALL = 1 << 30
"""A limit that limits nothing: each sort of item has its own usual number."""


def collect_items(corpus: Corpus, split: MeasuredSplit, pictures: Path | None, *, limit: int = ALL) -> list[Item]:
    """Collect the items of a split.

    Args:
        corpus: all records.
        split: ``development`` or ``test``.
        pictures: folder that keeps the rendered pictures; None for items of words alone.
        limit: maximum number of texts or pictures of each set and sort.

    Raises:
        ConfigError: a package with fonts is not installed.
    """
    records = corpus.list_split(split)
    words = [*list_word_items(records, split, limit), *list_hidden_items(records, split, limit)]
    if pictures is None:
        return words
    folder = PictureFolder(pictures / split, split)
    return [
        *words,
        *list_photograph_items(records, split, limit),
        *list_lettering_items(records, split, folder, limit),
        *list_document_items(split, folder, limit),
        *(item for source in HELD_OUT_COLUMNS for item in list_held_out_items(corpus.records, source, split, limit)),
    ]


def compute_digest(items: Sequence[Item]) -> str:
    """Compute a digest of everything that a system may see or be measured by."""
    digest = hashlib.sha256()
    for item in items:
        picture = "" if item.picture is None else f"{item.picture.name} {item.picture.stat().st_size}"
        turns = [part for turn in item.earlier for part in (turn.role, turn.text)]
        fields = (item.id, *item.columns, *item.parts, *map(str, item.label), item.group, *turns, item.prompt, picture)
        digest.update("\0".join(fields).encode() + b"\n")
    return digest.hexdigest()
