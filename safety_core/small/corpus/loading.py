"""Loads the corpus: every record of a folder of public sets and of the own texts, with its label, group and split."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from safety_core.small.corpus.grouping import drop_near_texts, find_pairs, group_records
from safety_core.small.corpus.hashing import hash_id
from safety_core.small.corpus.reading.folder import read_corpus
from safety_core.small.corpus.reading.own_texts import find_own_texts, read_own_texts
from safety_core.small.corpus.records import Record, Split
from safety_core.small.corpus.sources import SOURCES
from safety_core.small.corpus.split_lists import read_lists
from safety_core.small.corpus.splits import assign_splits, drop_leaks

PAIRS_FILE = Path("build/safevlm-small/near-duplicates.json")
"""Default file that keeps the near-duplicates found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """All records, and what became of the rest."""

    records: tuple[Record, ...]
    """Public records first, in the order of their sets, then own texts; dropped ones included."""

    left_out: Counter[tuple[str, str]]
    """Texts that the rules leave out, by set and reason."""

    missing: tuple[str, ...]
    """Sets that the folder does not hold."""

    def leave_out(self, sources: Collection[str]) -> "Corpus":
        """The corpus without some sets."""
        kept = tuple(record for record in self.records if record.source not in sources)
        return replace(self, records=kept)

    def list_split(self, split: Split) -> list[Record]:
        """Records of one split."""
        return [record for record in self.records if record.split == split]


def load_records(data: Path, *, texts: Path | None = None, cache: Path | None = PAIRS_FILE) -> Corpus:
    """Load all records, split by the committed lists.

    Args:
        data: folder of the public sets (see :mod:`reading.folder`).
        texts: folder of own texts; by default those of the package.
        cache: file to keep the near-duplicates in, so that loading again takes a few seconds; None keeps nothing.

    Raises:
        InputError: the folder holds none of the sets.
        SampleError: a line of a set or of an own text is malformed.
    """
    read = read_corpus(data)
    own = read_own_texts(texts or find_own_texts())
    pairs = find_pairs((*read.records, *own), cache)
    listed = read_lists()
    public = [replace(record, split=_find_split(record, listed)) for record in group_records(read.records, pairs)]
    labelled = (record for record in drop_leaks(public) if record.label or record.photo)
    records = drop_near_texts([*labelled, *own], pairs)
    return Corpus(records=tuple(records), left_out=read.left_out, missing=read.missing)


def split_records(data: Path, *, cache: Path | None = PAIRS_FILE) -> dict[str, Split]:
    """Map the base id of each public record to its split, computed anew without the lists; raises as above."""
    read = read_corpus(data)
    return assign_splits(group_records(read.records, find_pairs(read.records, cache)))


def _find_split(record: Record, listed: Mapping[str, Split]) -> Split:
    """Split of a public record; rows that the lists do not know are trained on only where their set is."""
    split = listed.get(hash_id(record.base_id), "train")
    if split == "train" and not SOURCES[record.source].trained:
        return "test" if "test" in SOURCES[record.source].uses else "development"
    return split
