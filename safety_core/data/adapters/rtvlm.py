"""RTVLM: every ``*.jsonl`` below the folder, with its images unpacked beside it; the folder names the topic.

Records without advice have the category ``topic/unlabelled``. Some folders use the images of the folder with the same
name without a number.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from safety_core.data.labels import SAFE
from safety_core.data.raw_samples import DatasetAdapter, RawSample, RawSamples
from safety_core.data.readers.fields import FirstText, Identifier, SourceRecord
from safety_core.data.readers.files import find_files, find_images
from safety_core.data.readers.rows import convert_rows, read_jsonl_rows
from safety_core.data.record_place import RecordPlace

_TOPIC_TYPES = {
    "celebrity": "privacy",
    "face": "fairness",
    "racial": "fairness",
    "politics": "politics",
    "captcha": "illegal",
    "jailbreak": "illegal",
    "jailbreak2": "illegal",
    "harmful": "misleading",
    "misleading": "misleading",
    "religion": "fairness",
    "visualmisleadcorrect": "misleading",
    "visualmisleadwrong": "misleading",
    "visualmisleadingcorrect": "misleading",
    "visualmisleadingwrong": "misleading",
    "visualordera": "misleading",
    "visualorderb": "misleading",
}
"""Risk type of each topic."""

_ADVICE = {"safe to answer": "safe", "refuse to answer": "refuse", "": "unlabelled"}
"""Short names of the advice whether to answer; any other advice is ``caution``."""


def _list_names(value: object) -> object:
    return value if isinstance(value, list) or value is None else [value]


class _RTVLMRecord(SourceRecord):
    """One question about one or more images."""

    prompt: FirstText = None
    questions: FirstText = None
    question: FirstText = None
    instruction: FirstText = None
    advice: FirstText = Field(default=None, alias="refused_to_answer")
    id: Annotated[list[Identifier] | None, BeforeValidator(_list_names)] = None
    index: Annotated[list[Identifier] | None, BeforeValidator(_list_names)] = None


@dataclass(frozen=True, slots=True)
class _RTVLMTask:
    """One file of records."""

    name: str
    """Prefix of the samples' ids."""

    topic: str

    images: Mapping[str, Path]
    """Images by their file name, with and without its suffix."""

    def convert_record(self, record: _RTVLMRecord, place: RecordPlace) -> Iterator[RawSample]:
        question = record.prompt or record.questions or record.question or record.instruction
        if question is None or not question.strip():
            raise place.create_error("the field is missing", "prompt")
        advice = _ADVICE.get((record.advice or "").strip().lower(), "caution")
        yield RawSample(
            id=f"{self.name}-{place.line}",
            images=tuple(self._find_images(record, place)),
            turns=(question,),
            category="safe" if advice == "safe" else f"{self.topic}/{advice}",
            place=place,
        )

    def _find_images(self, record: _RTVLMRecord, place: RecordPlace) -> Iterator[Path]:
        names = record.index if record.id is None else record.id
        if names is None:
            raise place.create_error("the field is missing", "index")
        for name in names:
            image = self.images.get(name) or self.images.get(Path(name).stem)
            if image is None:
                raise place.create_error(f"the image {name} is not unpacked below {place.file.parent}", "image")
            yield image


def _read_samples(root: Path, split: str | None) -> RawSamples:
    for file in find_files(root, "**/*.jsonl"):
        folders = file.relative_to(root).parts[:-1]
        task = _RTVLMTask(
            name="-".join((*folders, file.stem)),
            topic=(folders[-1] if folders else file.stem).lower(),
            images=_index_images(file.parent, is_root=not folders),
        )
        yield from convert_rows(read_jsonl_rows(file), _RTVLMRecord, task.convert_record)


def _index_images(folder: Path, *, is_root: bool) -> dict[str, Path]:
    """Index the images of a folder, and of the folder with the same name without a number."""
    images: dict[str, Path] = {}
    shared = folder.with_name(folder.name.rstrip("0123456789") or folder.name)
    is_alone = is_root or shared == folder or not shared.is_dir()
    for source in (folder,) if is_alone else (shared, folder):
        found = list(find_images(source))
        images |= {path.stem: path for path in found} | {path.name: path for path in found}
    return images


ADAPTER = DatasetAdapter(
    read=_read_samples,
    labels={
        "safe": SAFE,
        **{f"{topic}/refuse": (risk_type, 3) for topic, risk_type in _TOPIC_TYPES.items()},
        **{f"{topic}/caution": (risk_type, 1) for topic, risk_type in _TOPIC_TYPES.items()},
        # Questions of folders without advice may be answered with care: a captcha to read, a face to describe.
        **{f"{topic}/unlabelled": (risk_type, 1) for topic, risk_type in _TOPIC_TYPES.items()},
    },
)
