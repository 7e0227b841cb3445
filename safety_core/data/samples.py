"""JSONL records: one line is one (pictures, conversation, label) sample, checked when it is read.

A malformed record stops the reading with file, line and field, or is listed when the caller asks to skip bad ones. No
picture is opened here beyond a look whether the file exists. Knows no torch and no model.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from safety_core.errors import SampleError
from safety_core.files import open_text, why_unreadable, written_whole
from safety_core.inputs.prompts import Turn
from safety_core.taxonomy import Taxonomy

_REQUIRED = frozenset({"id", "image", "conversations", "safe_type", "safe_level"})
_OPTIONAL = frozenset({"image_risk", "text_risk", "source", "meta"})
_ROLES: Mapping[object, Literal["user", "assistant"]] = {"USER": "user", "ASSISTANT": "assistant"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskLabel:
    """A gold label, as indices into the taxonomy."""

    type: int
    """Index of the risk type."""

    level: int
    """Index of the risk level; 0 is harmless."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One labelled request, with the reply to learn where there is one."""

    id: str
    """Name of the sample, unique within its file."""

    images: tuple[Path, ...]
    """Pictures, in the order in which the model sees them."""

    conversation: tuple[Turn, ...]
    """Turns alternating from the user; closed by the assistant's reply when there is one to learn; may be empty."""

    label: RiskLabel
    """Risk of the pair: all pictures with the whole conversation."""

    image_risk: RiskLabel | None = None
    """Risk of the pictures alone, where it was labelled."""

    text_risk: RiskLabel | None = None
    """Risk of the user's words alone, where it was labelled."""

    source: str = ""
    """The set that the record came from."""

    meta: Mapping[str, Any] = field(default_factory=dict)
    """What suites add for their columns; training ignores it."""

    file: str = ""
    """The JSONL file, for error messages."""

    line: int = 0
    """Line in the file, from 1."""

    @cached_property
    def turns(self) -> tuple[Turn, ...]:
        """The conversation up to and including the last user turn: the prompt."""
        return self.conversation[:-1] if self.answer is not None else self.conversation

    @property
    def answer(self) -> str | None:
        """The reply that closes the conversation, or None."""
        last = self.conversation[-1] if self.conversation else None
        return last.text if last is not None and last.role == "assistant" else None

    def error(self, message: str, field: str) -> SampleError:
        """An error about this sample that names its file and line."""
        return SampleError(message, file=self.file, line=self.line, field=field)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadResult:
    """What one or more JSONL files held."""

    samples: tuple[Sample, ...]
    """The well-formed records, in file order."""

    bad: tuple[SampleError, ...]
    """One error for each record that was skipped."""


def read_jsonl(path: Path | str, taxonomy: Taxonomy, *, skip_bad: bool = False) -> ReadResult:
    """Read one JSONL file; picture paths are relative to its folder.

    Args:
        path: the file.
        taxonomy: bounds of the labels.
        skip_bad: collect malformed records instead of stopping at the first.

    Raises:
        SampleError: the file cannot be read, or a record is malformed and ``skip_bad`` is off.
    """
    file = Path(path)
    samples: list[Sample] = []
    bad: list[SampleError] = []
    first_line: dict[str, int] = {}
    for number, text in _lines(file):
        try:
            sample = _Record(file, number, taxonomy).parse(text)
            if sample.id in first_line:
                raise sample.error(f"the same id stands in line {first_line[sample.id]}", "id")
        except SampleError as error:
            if not skip_bad:
                raise
            bad.append(error)
        else:
            first_line[sample.id] = number
            samples.append(sample)
    return ReadResult(samples=tuple(samples), bad=tuple(bad))


def read_all(paths: Iterable[Path | str], taxonomy: Taxonomy, *, skip_bad: bool = False) -> ReadResult:
    """Read several files as one; ids need to be unique within each only. Raises as :func:`read_jsonl`."""
    parts = [read_jsonl(path, taxonomy, skip_bad=skip_bad) for path in paths]
    return ReadResult(
        samples=tuple(sample for part in parts for sample in part.samples),
        bad=tuple(error for part in parts for error in part.bad),
    )


def write_jsonl(path: Path | str, records: Iterable[Mapping[str, Any]]) -> int:
    """Write records one a line, completely or not at all; returns how many."""
    count = 0
    with written_whole(Path(path)) as stream:
        for record in records:
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
            count += 1
    return count


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines that are not blank."""
    try:
        with open_text(file) as stream:
            for number, text in enumerate(stream, start=1):
                if text.strip():
                    yield number, text
    except (OSError, UnicodeDecodeError) as exc:
        raise SampleError(f"the file {why_unreadable(exc)}", file=str(file), line=0, field="file") from exc


@dataclass(frozen=True, slots=True)
class _Record:
    """Where a record stands, and the checks of its fields."""

    file: Path
    line: int
    taxonomy: Taxonomy

    def parse(self, text: str) -> Sample:
        try:
            data = json.loads(text)
        except ValueError as exc:
            raise self._error("the line is not valid JSON", "record") from exc
        if not isinstance(data, dict):
            raise self._error("an object is needed", "record")
        for name in sorted(_REQUIRED - data.keys()):
            raise self._error("the field is missing", name)
        for name in sorted(data.keys() - _REQUIRED - _OPTIONAL):
            raise self._error("unknown field", str(name))
        images = self._images(data["image"])
        conversation = self._conversation(data["conversations"])
        if not images and not conversation:
            raise self._error("a record needs a picture, a conversation or both", "conversations")
        return Sample(
            id=self._string(data["id"], "id"),
            images=images,
            conversation=conversation,
            label=self._label(data["safe_type"], data["safe_level"], "safe_type", "safe_level"),
            image_risk=self._surface(data.get("image_risk"), "image_risk"),
            text_risk=self._surface(data.get("text_risk"), "text_risk"),
            source=self._string(data.get("source", "-"), "source"),
            meta=self._object(data.get("meta", {}), "meta"),
            file=str(self.file),
            line=self.line,
        )

    def _error(self, message: str, field: str) -> SampleError:
        return SampleError(message, file=str(self.file), line=self.line, field=field)

    def _string(self, value: object, field: str) -> str:
        if not isinstance(value, str) or not value:
            raise self._error("a non-empty string is needed", field)
        return value

    def _object(self, value: object, field: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._error("an object is needed", field)
        return value

    def _images(self, value: object) -> tuple[Path, ...]:
        if value is None:
            return ()
        listed = value if isinstance(value, list) else [value]
        images = []
        for index, entry in enumerate(listed):
            field = f"image[{index}]" if isinstance(value, list) else "image"
            path = self.file.parent / self._string(entry, field)
            if not path.is_file():
                raise self._error("there is no such file", field)
            images.append(path)
        return tuple(images)

    def _conversation(self, value: object) -> tuple[Turn, ...]:
        if not isinstance(value, list):
            raise self._error("a list of turns is needed", "conversations")
        turns: list[Turn] = []
        for index, entry in enumerate(value):
            field = f"conversations[{index}]"
            turn = self._object(entry, field)
            if turn.keys() != {"from", "value"}:
                raise self._error("exactly the fields 'from' and 'value' are needed", field)
            role = _ROLES.get(turn["from"]) if isinstance(turn["from"], str) else None
            if role != ("user" if index % 2 == 0 else "assistant"):
                raise self._error("turns must alternate between USER and ASSISTANT, USER first", f"{field}.from")
            turns.append(Turn(role=role, text=self._string(turn["value"], f"{field}.value")))
        return tuple(turns)

    def _surface(self, value: object, field: str) -> RiskLabel | None:
        if value is None:
            return None
        label = self._object(value, field)
        if label.keys() != {"type", "level"}:
            raise self._error("exactly the fields 'type' and 'level' are needed", field)
        return self._label(label["type"], label["level"], f"{field}.type", f"{field}.level")

    def _label(self, type_: object, level: object, type_field: str, level_field: str) -> RiskLabel:
        label = RiskLabel(
            type=self._index(type_, len(self.taxonomy.types), type_field),
            level=self._index(level, len(self.taxonomy.levels), level_field),
        )
        if label.type == self.taxonomy.safe_index and label.level > 0:
            raise self._error(f"level {label.level} contradicts the type {self.taxonomy.safe_type!r}", level_field)
        return label

    def _index(self, value: object, count: int, field: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < count:
            raise self._error(f"an integer from 0 to {count - 1} is needed", field)
        return value
