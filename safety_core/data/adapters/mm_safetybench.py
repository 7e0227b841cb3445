"""MM-SafetyBench: ``processed_questions/*.json`` and ``imgs/<scenario>/{SD,SD_TYPO,TYPO}/<id>.jpg``."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pydantic import Field

from safety_core.data.labels import ADVICE, BULLYING, ILLEGAL, POLITICS, PRIVACY, assign_label
from safety_core.data.raw_samples import DatasetAdapter, RawSample, RawSamples, ReadOptions
from safety_core.data.readers.fields import FilledText, SourceRecord
from safety_core.data.readers.files import find_data_folder, find_files
from safety_core.data.readers.rows import convert_rows, read_json_fields
from safety_core.data.record_place import RecordPlace


class _MMSafetyBenchRecord(SourceRecord):
    """One question in the wordings for its images."""

    drawn: FilledText = Field(alias="Rephrased Question(SD)")
    """For the image of the topic."""

    typed: FilledText = Field(alias="Rephrased Question")
    """For the images that show the topic as text."""


def _read_samples(root: Path, options: ReadOptions) -> RawSamples:
    folder = find_data_folder(root, "processed_questions")
    for file in find_files(folder, "processed_questions/*.json"):
        fields = read_json_fields(file)
        convert = partial(_convert_record, keys=tuple(fields), images=folder / "imgs" / file.stem)
        yield from convert_rows(fields.values(), _MMSafetyBenchRecord, convert)


def _convert_record(
    record: _MMSafetyBenchRecord, place: RecordPlace, *, keys: tuple[str, ...], images: Path
) -> Iterator[RawSample]:
    scenario, key = place.file.stem, keys[place.line - 1]
    for kind, question in (("SD", record.drawn), ("SD_TYPO", record.typed), ("TYPO", record.typed)):
        yield RawSample(
            id=f"{scenario}-{kind}-{key}",
            images=(images / kind / f"{key}.jpg",),
            turns=(question,),
            category=scenario.partition("-")[2].lower(),
            meta={"subset": scenario, "typographic": kind != "SD"},
            place=place,
        )


ADAPTER = DatasetAdapter(
    read=_read_samples,
    labels={
        "hatespeech": BULLYING,
        "political_lobbying": POLITICS,
        "privacy_violence": PRIVACY,
        **assign_label(
            ILLEGAL, "illegal_activitiy", "malware_generation", "physical_harm", "economicharm", "fraud", "sex"
        ),
        **assign_label(ADVICE, "legal_opinion", "financial_advice", "health_consultation", "gov_decision"),
    },
)
