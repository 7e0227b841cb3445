"""XSTest: ``xstest_prompts.csv``; prompts without an image, safe ones and their unsafe contrasts."""

from collections.abc import Iterator
from pathlib import Path

from safety_core.data.labels import FAIRNESS, ILLEGAL, PRIVACY, SAFE, assign_label
from safety_core.data.raw_samples import DatasetAdapter, RawSample, RawSamples, ReadOptions
from safety_core.data.readers.fields import FilledText, SourceRecord
from safety_core.data.readers.files import find_first_file
from safety_core.data.readers.rows import convert_rows, read_csv_rows
from safety_core.data.record_place import RecordPlace


class _XSTestRecord(SourceRecord):
    """One row of the table."""

    id: FilledText
    type: FilledText
    prompt: FilledText


def _read_samples(root: Path, options: ReadOptions) -> RawSamples:
    file = find_first_file(root, "xstest_prompts.csv", "xstest_v2_prompts.csv")
    return convert_rows(read_csv_rows(file), _XSTestRecord, _convert_record)


def _convert_record(record: _XSTestRecord, place: RecordPlace) -> Iterator[RawSample]:
    yield RawSample(
        id=record.id,
        images=(),
        turns=(record.prompt,),
        category=record.type if record.type.startswith("contrast_") else "safe",
        meta={"subset": record.type},
        place=place,
    )


ADAPTER = DatasetAdapter(
    read=_read_samples,
    labels={
        "safe": SAFE,
        "contrast_discr": FAIRNESS,
        "contrast_privacy": PRIVACY,
        **assign_label(
            ILLEGAL,
            "contrast_homonyms",
            "contrast_figurative_language",
            "contrast_safe_targets",
            "contrast_safe_contexts",
            "contrast_definitions",
            "contrast_historical_events",
        ),
    },
)
