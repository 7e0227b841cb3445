"""Rows of JSON, JSONL and CSV files, with their line; validated and converted one by one.

Knows no data set.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from safety_core.data.raw_samples import RawSample, RawSamples
from safety_core.data.record_place import RecordPlace
from safety_core.errors import SampleError
from safety_core.files import describe_read_error, open_text, read_json
from safety_core.strict_json import ModelT


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One record of a data set's file, not validated yet."""

    place: RecordPlace
    data: object


def convert_rows(
    rows: Iterable[SourceRow | SampleError],
    model: type[ModelT],
    convert: Callable[[ModelT, RecordPlace], Iterable[RawSample]],
) -> RawSamples:
    """Yield the samples of each row; a malformed row yields its error and no sample, and reading continues.

    Args:
        rows: rows, and errors in the place of rows that are malformed already.
        model: the schema of a row.
        convert: converts a validated row to samples; may raise SampleError.
    """
    for row in rows:
        if isinstance(row, SampleError):
            yield row
            continue
        try:
            yield from tuple(convert(model.model_validate(row.data), row.place))
        except ValidationError as exc:
            yield row.place.translate_error(exc)
        except SampleError as error:
            yield error


def read_json_rows(file: Path) -> Iterator[SourceRow]:
    """Yield the entries of a JSON list.

    Raises:
        SampleError: the file cannot be read or holds no list.
    """
    entries = _read_json(file)
    if not isinstance(entries, list):
        raise RecordPlace(file).create_error("a list is needed", "file")
    for number, data in enumerate(entries, start=1):
        yield SourceRow(RecordPlace(file, number), data)


def read_json_fields(file: Path) -> dict[str, SourceRow]:
    """Read the fields of a JSON object, numbered from 1.

    Raises:
        SampleError: the file cannot be read or holds no object.
    """
    fields = _read_json(file)
    if not isinstance(fields, dict):
        raise RecordPlace(file).create_error("an object is needed", "file")
    return {name: SourceRow(RecordPlace(file, number), fields[name]) for number, name in enumerate(fields, start=1)}


def read_jsonl_rows(file: Path) -> Iterator[SourceRow | SampleError]:
    """Yield the lines of a JSONL file that are not blank; an invalid line yields its error.

    Raises:
        SampleError: the file cannot be read.
    """
    try:
        with open_text(file) as stream:
            for number, text in enumerate(stream, start=1):
                place = RecordPlace(file, number)
                if not text.strip():
                    continue
                try:
                    yield SourceRow(place, json.loads(text))
                except ValueError:
                    yield place.create_error("the line is not valid JSON", "record")
    except (OSError, UnicodeDecodeError) as exc:
        raise RecordPlace(file).create_error(f"the file {describe_read_error(exc)}", "file") from exc


def read_csv_rows(file: Path) -> Iterator[SourceRow]:
    """Yield the rows of a CSV file below its header; cells are divided by commas, semicolons or tabs.

    Raises:
        SampleError: the file cannot be read.
    """
    try:
        with open_text(file, newline="") as stream:
            header = stream.readline()
            stream.seek(0)
            # Spreadsheets write semicolons where a comma divides the parts of a number.
            reader = csv.DictReader(stream, delimiter=max(",;\t", key=header.count))
            for data in reader:
                yield SourceRow(RecordPlace(file, reader.line_num), data)
    except (OSError, ValueError, csv.Error) as exc:
        raise RecordPlace(file).create_error(f"the file {describe_read_error(exc, 'CSV')}", "file") from exc


def _read_json(file: Path) -> Any:
    try:
        return read_json(file)
    except (OSError, ValueError) as exc:
        raise RecordPlace(file).create_error(f"the file {describe_read_error(exc, 'JSON')}", "file") from exc
