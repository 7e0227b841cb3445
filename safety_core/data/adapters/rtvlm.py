"""RTVLM: every ``*.jsonl`` below the folder, with its images unpacked beside it; the folder names the topic.

The twelve subsets name their fields differently. The question is ``instruction`` (captcha, jailbreak), ``prompt``
(face, celebrity, politics, racial), ``question`` (the visual ones), or ``questions``, a list with an advice for each
(harmful). The image is named by ``index``, ``id``, ``img``, or the answer (VisualMisleadingCorrect), the last two
without their spaces. Records without advice (captcha) have the category ``topic/unlabelled``. Some folders use the
images of the folder with the same name without a number.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from safety_core.data.labels import SAFE
from safety_core.data.raw_samples import DatasetAdapter, RawSample, RawSamples, ReadOptions
from safety_core.data.readers.fields import Identifiers, SourceRecord, Texts, list_entries
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

_TYPOGRAPHIC = frozenset({"jailbreak", "jailbreak2"})
"""Topics whose request is written in the image."""


class _RTVLMRecord(SourceRecord):
    """One or more questions about one or more images."""

    prompt: Texts = None
    questions: Texts = None
    question: Texts = None
    instruction: Texts = None
    advice: Annotated[list[str] | None, BeforeValidator(list_entries)] = Field(default=None, alias="refused_to_answer")
    id: Identifiers = None
    index: Identifiers = None
    img: Identifiers = None
    answers: object = None


@dataclass(frozen=True, slots=True)
class _RTVLMTask:
    """One file of records."""

    name: str
    """Prefix of the samples' ids."""

    topic: str

    images: Mapping[str, Path]
    """Images by their file name, with and without its suffix."""

    def convert_record(self, record: _RTVLMRecord, place: RecordPlace) -> Iterator[RawSample]:
        questions = record.prompt or record.questions or record.question or record.instruction
        if not questions:
            raise place.create_error("the field is missing", "prompt")
        images = tuple(self._find_images(record, place))
        advices = _list_advice(record, questions, place)
        for number, (question, advice) in enumerate(zip(questions, advices, strict=True), start=1):
            yield RawSample(
                id=f"{self.name}-{place.line}" if number == 1 else f"{self.name}-{place.line}-{number}",
                images=images,
                turns=(question,),
                category="safe" if advice == "safe" else f"{self.topic}/{advice}",
                meta={"subset": self.topic, "typographic": self.topic in _TYPOGRAPHIC},
                place=place,
            )

    def _find_images(self, record: _RTVLMRecord, place: RecordPlace) -> Iterator[Path]:
        """Find the images of a record; raises SampleError if it names none, or one of them is missing."""
        fields = (record.img, record.id) if self.topic.startswith("visual") else (record.index, record.id)
        answer = [record.answers] if isinstance(record.answers, str) and record.answers.strip() else None
        names = next((names for names in (*fields, answer) if names), None)
        if names is None:
            raise place.create_error("the field is missing", "index")
        for name in names:
            joined = "".join(name.split())
            keys = (name, joined, Path(name).stem, Path(joined).stem)
            image = next((self.images[key] for key in keys if key in self.images), None)
            if image is None:
                raise place.create_error(f"the image {name} is not unpacked below {place.file.parent}", "image")
            yield image


def _list_advice(record: _RTVLMRecord, questions: Sequence[str], place: RecordPlace) -> list[str]:
    """List the advice on each question; a single advice applies to all of them."""
    given = record.advice or [""]
    if len(given) not in (1, len(questions)):
        message = f"{len(questions)} entries are needed, one for each question, got {len(given)}"
        raise place.create_error(message, "refused_to_answer")
    advice = [_ADVICE.get(text.strip().lower(), "caution") for text in given]
    return advice * len(questions) if len(advice) == 1 else advice


def _read_samples(root: Path, options: ReadOptions) -> RawSamples:
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
