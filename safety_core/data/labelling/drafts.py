"""Drafts: records that may lack their label (``safe_type`` and ``safe_level`` are null or missing).

Everything else of a draft is validated as of any record. Knows no proposals.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safety_core.data.jsonl import stream_records
from safety_core.data.record_place import RecordPlace
from safety_core.data.sample_records import convert_record, parse_json
from safety_core.data.samples import Sample
from safety_core.errors import SampleError
from safety_core.taxonomy import Taxonomy

TYPE_FIELD, LEVEL_FIELD = "safe_type", "safe_level"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One record with or without a label."""

    record: Mapping[str, Any]
    """The record as it stands in the file."""

    sample: Sample
    """The record as a sample. Without a label, the sample's label means nothing."""

    is_labelled: bool

    @property
    def id(self) -> str:
        """Name of the record, unique within its file."""
        return self.sample.id

    def compute_key(self) -> str:
        """Compute a key that the record's content determines. It begins with a letter, so no spreadsheet changes it."""
        content = json.dumps(self.record, sort_keys=True)
        return "k" + hashlib.sha256(content.encode()).hexdigest()[:16]


def stream_drafts(path: Path, taxonomy: Taxonomy) -> Iterator[Draft | SampleError]:
    """Yield the drafts of a file one by one, or an error in the place of each malformed record.

    Raises:
        SampleError: the file cannot be read.
    """
    return stream_records(path, lambda text, place: parse_draft(text, place, taxonomy))


def parse_draft(text: str, place: RecordPlace, taxonomy: Taxonomy) -> Draft:
    """Validate one record that may lack its label; raises SampleError if it is malformed."""
    data = parse_json(text, place)
    is_labelled = not isinstance(data, dict) or any(data.get(field) is not None for field in (TYPE_FIELD, LEVEL_FIELD))
    complete = data if is_labelled else {**data, TYPE_FIELD: taxonomy.safe_index, LEVEL_FIELD: 0}
    return Draft(record=data, sample=convert_record(complete, place, taxonomy), is_labelled=is_labelled)
