"""Parquet files of the user's own. A column of images holds their content, their paths, or both as Hugging Face's
``datasets`` writes them: ``{"bytes", "path"}``, one or a list.
"""

from pathlib import Path

from safety_core.data.adapters.tables.columns import FIELDS, TYPE_LABELS, convert_tables
from safety_core.data.raw_samples import DatasetAdapter, RawSamples, ReadOptions
from safety_core.data.readers.files import find_files
from safety_core.data.readers.parquet import read_parquet_rows


def _read_samples(root: Path, options: ReadOptions) -> RawSamples:
    files = [root] if root.is_file() else find_files(root, "*.parquet", "*/*.parquet")
    return convert_tables(map(read_parquet_rows, files), options.columns)


ADAPTER = DatasetAdapter(read=_read_samples, labels=TYPE_LABELS, suffixes=(".parquet",), columns=FIELDS)
