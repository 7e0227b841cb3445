"""Rows of Parquet files, a few at a time. The library is an optional dependency, so it is imported only here."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from safety_core.data.readers.rows import SourceRow
from safety_core.data.record_place import RecordPlace
from safety_core.errors import ConfigError

_ROWS = 64
"""Rows in memory at a time, because they contain whole images."""


def unwrap_image(cell: object) -> object:
    """Return the content of an image, or else its path: Hugging Face's ``datasets`` wraps both in an object."""
    return cell.get("bytes") or cell.get("path") if isinstance(cell, Mapping) else cell


def read_parquet_rows(file: Path) -> Iterator[SourceRow]:
    """Yield the rows of a Parquet file, numbered from 1.

    Raises:
        ConfigError: the library is not installed.
        SampleError: the file cannot be read.
    """
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as exc:
        raise ConfigError("Parquet files need pyarrow: pip install 'safevlm-guard[data]'") from exc
    number = 0
    try:
        with ParquetFile(file) as content:
            for batch in content.iter_batches(batch_size=_ROWS):
                for data in batch.to_pylist():
                    number += 1
                    yield SourceRow(RecordPlace(file, number), data)
    except (OSError, ValueError, ArrowException) as exc:  # a text that is no UTF-8 is a ValueError
        raise RecordPlace(file, number).create_error("the file cannot be read as Parquet", "file") from exc
