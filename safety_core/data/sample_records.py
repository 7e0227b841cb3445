"""The JSON schema of a sample's record, and the conversion of a record to a sample.

Images are not opened, but their files must exist. Knows no files of records.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, ValidationInfo

from safety_core.data.record_place import RecordPlace
from safety_core.data.samples import RiskLabel, Sample
from safety_core.inputs.conversation import Turn
from safety_core.strict_json import StrictModel
from safety_core.taxonomy import Taxonomy


def _check_type(index: int, info: ValidationInfo) -> int:
    return _check_index(index, len(_get_taxonomy(info).types))


def _check_level(index: int, info: ValidationInfo) -> int:
    """Check the bounds, and that a level above 0 does not come with the safe type, which is validated before."""
    taxonomy = _get_taxonomy(info)
    _check_index(index, len(taxonomy.levels))
    if index > 0 and taxonomy.safe_index in (info.data.get("type"), info.data.get("safe_type")):
        raise ValueError(f"level {index} contradicts the type {taxonomy.safe_type!r}")
    return index


def _check_index(index: int, count: int) -> int:
    if not 0 <= index < count:
        raise ValueError(f"an integer from 0 to {count - 1} is needed")
    return index


def _get_taxonomy(info: ValidationInfo) -> Taxonomy:
    assert isinstance(info.context, Taxonomy)
    return info.context


def _list_paths(value: object) -> object:
    """Convert the forms of the field ``image`` to a list, whose entries are validated later."""
    if value is None:
        return []
    if isinstance(value, str) and value:
        return [value]
    if isinstance(value, list):
        return value
    raise ValueError("a path, a list of paths or null is needed")


def _check_labelled(index: object) -> object:
    if index is None:
        raise ValueError("the record has no label")
    return index


_Text = Annotated[str, Field(min_length=1)]
_TypeIndex = Annotated[int, AfterValidator(_check_type)]
_LevelIndex = Annotated[int, AfterValidator(_check_level)]


class _RiskRecord(StrictModel):
    """A label of the images or the texts alone."""

    type: _TypeIndex
    level: _LevelIndex


class _TurnRecord(StrictModel):
    """One turn of a conversation."""

    role: Literal["USER", "ASSISTANT"] = Field(alias="from")
    value: _Text


class _SampleRecord(StrictModel):
    """One sample as JSON."""

    id: _Text
    image: Annotated[list[_Text], BeforeValidator(_list_paths)]
    conversations: list[_TurnRecord]
    safe_type: Annotated[_TypeIndex, BeforeValidator(_check_labelled)]
    safe_level: Annotated[_LevelIndex, BeforeValidator(_check_labelled)]
    image_risk: _RiskRecord | None = None
    text_risk: _RiskRecord | None = None
    source: _Text = "-"
    meta: dict[str, Any] = Field(default={})


def parse_sample(text: str, place: RecordPlace, taxonomy: Taxonomy) -> Sample:
    """Validate one record.

    Args:
        text: the record as JSON.
        place: file and line; image paths are relative to the file's folder.
        taxonomy: bounds of the labels.

    Raises:
        SampleError: the record is malformed, or an image does not exist.
    """
    return convert_record(parse_json(text, place), place, taxonomy)


def parse_json(text: str, place: RecordPlace) -> Any:
    """Read a line as JSON; raises SampleError if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:  # brackets may be nested without end
        raise place.create_error("the line is not valid JSON", "record") from exc


def convert_record(data: object, place: RecordPlace, taxonomy: Taxonomy) -> Sample:
    """Validate one record that was read as JSON; arguments and errors are those of :func:`parse_sample`."""
    try:
        record = _SampleRecord.model_validate(data, context=taxonomy)
    except ValidationError as exc:
        raise place.translate_error(exc) from exc
    if not record.image and not record.conversations:
        raise place.create_error("a record needs an image, a conversation or both", "conversations")
    return Sample(
        id=record.id,
        images=_find_images(record, place),
        conversation=_build_conversation(record, place),
        label=RiskLabel(type=record.safe_type, level=record.safe_level),
        image_risk=_build_label(record.image_risk),
        text_risk=_build_label(record.text_risk),
        source=record.source,
        meta=record.meta,
        file=str(place.file),
        line=place.line,
    )


def _find_images(record: _SampleRecord, place: RecordPlace) -> tuple[Path, ...]:
    """Locate the images relative to the file's folder; raises SampleError if one does not exist."""
    images = tuple(place.file.parent / path for path in record.image)
    for index, image in enumerate(images):
        if not image.is_file():
            raise place.create_error("there is no such file", "image" if len(images) == 1 else f"image[{index}]")
    return images


def _build_conversation(record: _SampleRecord, place: RecordPlace) -> tuple[Turn, ...]:
    """Convert the turns; raises SampleError if they do not alternate, the user's first."""
    for index, turn in enumerate(record.conversations):
        if turn.role != ("ASSISTANT" if index % 2 else "USER"):
            raise place.create_error(
                "turns must alternate between USER and ASSISTANT, USER first", f"conversations[{index}].from"
            )
    return tuple(
        Turn(role="user" if turn.role == "USER" else "assistant", text=turn.value) for turn in record.conversations
    )


def _build_label(risk: _RiskRecord | None) -> RiskLabel | None:
    return None if risk is None else RiskLabel(type=risk.type, level=risk.level)
