"""Reads a folder of public sets into records with labels.

    DIR/texts/NAME.jsonl      one object a line: ``text`` and the set's own labels
    DIR/photos.jsonl          one object a line: ``file``, ``set``, and label, captions or boxes
    DIR/photos/…              the photographs

Sets that are missing are reported. Knows no groups and no splits.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from safety_core.errors import InputError
from safety_core.small.corpus.reading.photographs import read_photographs
from safety_core.small.corpus.reading.public_texts import find_text_file, read_public_texts
from safety_core.small.corpus.records import Record
from safety_core.small.corpus.sources import PHOTO_SOURCES, TEXT_SOURCES


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCorpus:
    """What a folder holds."""

    records: tuple[Record, ...]
    """All records, those without a label included."""

    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Texts that the rules leave out, by set and reason."""

    missing: tuple[str, ...] = ()
    """Sets that the folder does not hold."""


def read_corpus(data: Path) -> ReadCorpus:
    """Read all sets in a folder.

    Raises:
        InputError: the folder does not exist or holds none of the sets.
        SampleError: a line is malformed, or its category has no rule.
    """
    left_out: Counter[tuple[str, str]] = Counter()
    records: list[Record] = []
    for source in TEXT_SOURCES:
        records += read_public_texts(source.name, data / "texts", left_out)
    records += read_photographs(data)
    present = {record.source for record in records if record.photo is not None}
    present.update(source.name for source in TEXT_SOURCES if find_text_file(source.name, data / "texts").is_file())
    if not present:
        raise InputError(f"{data} holds no set: docs/safevlm-small-data.md says how to bring them", code="data_missing")
    missing = [source.name for source in (*TEXT_SOURCES, *PHOTO_SOURCES) if source.name not in present]
    return ReadCorpus(records=tuple(records), left_out=left_out, missing=tuple(missing))
