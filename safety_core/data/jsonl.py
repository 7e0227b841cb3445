"""JSONL files of samples: one record per line, validated when it is read.

A malformed record ends the reading with its file, line and field, or is collected if the caller skips bad records.
Knows no fields of a record.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from safety_core.data.record_place import RecordPlace
from safety_core.data.sample_records import parse_sample
from safety_core.data.samples import Sample
from safety_core.errors import SampleError
from safety_core.files import describe_read_error, open_atomically, open_text
from safety_core.taxonomy import Taxonomy


class _Identified(Protocol):
    """A record that was read."""

    @property
    def id(self) -> str:
        """Name of the record, unique within its file."""
        ...


RecordT = TypeVar("RecordT", bound=_Identified)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadResult:
    """Content of one or more JSONL files."""

    samples: tuple[Sample, ...]
    """The well-formed records, in file order."""

    bad: tuple[SampleError, ...]
    """One error for each record that was skipped."""


def read_jsonl(path: Path | str, taxonomy: Taxonomy, *, skip_bad: bool = False) -> ReadResult:
    """Read one JSONL file; image paths are relative to its folder.

    Args:
        path: the file.
        taxonomy: bounds of the labels.
        skip_bad: collect malformed records instead of stopping at the first.

    Raises:
        SampleError: the file cannot be read, or a record is malformed and ``skip_bad`` is off.
    """
    samples: list[Sample] = []
    bad: list[SampleError] = []
    for sample in stream_samples(path, taxonomy):
        if not isinstance(sample, SampleError):
            samples.append(sample)
        elif skip_bad:
            bad.append(sample)
        else:
            raise sample
    return ReadResult(samples=tuple(samples), bad=tuple(bad))


def stream_samples(path: Path | str, taxonomy: Taxonomy) -> Iterator[Sample | SampleError]:
    """Yield the samples of a file one by one, or an error in the place of each malformed record.

    Raises:
        SampleError: the file cannot be read.
    """
    return stream_records(path, lambda text, place: parse_sample(text, place, taxonomy))


def stream_records(path: Path | str, parse: Callable[[str, RecordPlace], RecordT]) -> Iterator[RecordT | SampleError]:
    """Yield what a function makes of each line of a file, or an error in the place of each malformed one.

    Args:
        path: the file.
        parse: reads one line; raises SampleError if it is malformed. Ids must be unique.

    Raises:
        SampleError: the file cannot be read.
    """
    file = Path(path)
    first_line: dict[str, int] = {}
    for line, text in _read_lines(file):
        place = RecordPlace(file, line)
        try:
            record = parse(text, place)
            if record.id in first_line:
                raise place.create_error(f"the same id occurs in line {first_line[record.id]}", "id")
        except SampleError as error:
            yield error
        else:
            first_line[record.id] = line
            yield record


def read_jsonl_files(paths: Iterable[Path | str], taxonomy: Taxonomy, *, skip_bad: bool = False) -> ReadResult:
    """Read several files as one; ids must be unique within each file only. Raises as :func:`read_jsonl`."""
    results = [read_jsonl(path, taxonomy, skip_bad=skip_bad) for path in paths]
    return ReadResult(
        samples=tuple(sample for result in results for sample in result.samples),
        bad=tuple(error for result in results for error in result.bad),
    )


def write_jsonl(path: Path | str, records: Iterable[Mapping[str, Any]]) -> int:
    """Write one record per line, all records or no file; returns the number of records."""
    count = 0
    with open_atomically(Path(path)) as stream:
        for record in records:
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
            count += 1
    return count


def _read_lines(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, with their numbers."""
    try:
        with open_text(file) as stream:
            for line, text in enumerate(stream, start=1):
                if text.strip():
                    yield line, text
    except (OSError, UnicodeDecodeError) as exc:
        raise RecordPlace(file).create_error(f"the file {describe_read_error(exc)}", "file") from exc
