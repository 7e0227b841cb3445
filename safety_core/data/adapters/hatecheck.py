"""HateCheck: ``test_suite_cases.csv``; short texts that test one functionality of a classifier each.

The category is the set's gold label with the functionality: some texts that are not hateful towards a group insult
somebody all the same.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from safety_core.data.labels import SAFE
from safety_core.data.raw_samples import DatasetAdapter, RawSample, RawSamples, ReadOptions
from safety_core.data.readers.fields import FilledText, SourceRecord
from safety_core.data.readers.files import find_first_file
from safety_core.data.readers.rows import convert_rows, read_csv_rows
from safety_core.data.record_place import RecordPlace


class _HateCheckRecord(SourceRecord):
    """One case."""

    functionality: FilledText
    case_id: FilledText
    test_case: FilledText
    label_gold: Literal["hateful", "non-hateful"]


def _read_samples(root: Path, options: ReadOptions) -> RawSamples:
    file = find_first_file(root, "test_suite_cases.csv", "all_cases.csv")
    return convert_rows(read_csv_rows(file), _HateCheckRecord, _convert_record)


def _convert_record(record: _HateCheckRecord, place: RecordPlace) -> Iterator[RawSample]:
    yield RawSample(
        id=record.case_id,
        images=(),
        turns=(record.test_case,),
        category=f"{record.label_gold}/{record.functionality}",
        meta={"subset": record.functionality},
        place=place,
    )


ADAPTER = DatasetAdapter(
    read=_read_samples,
    labels={
        "hateful": ("insults_bullying", 3),
        "non-hateful": SAFE,
        # An insult of a person, and contempt of a group that is not protected (a profession, a party).
        "non-hateful/target_indiv_nh": ("insults_bullying", 2),
        "non-hateful/target_group_nh": ("insults_bullying", 1),
    },
)
