"""CSV files of the user's own, with a header; paths of images are relative to the file."""

from pathlib import Path

from safety_core.data.adapters.tables.columns import FIELDS, TYPE_LABELS, convert_tables
from safety_core.data.raw_samples import DatasetAdapter, RawSamples, ReadOptions
from safety_core.data.readers.files import find_files
from safety_core.data.readers.rows import read_csv_rows


def _read_samples(root: Path, options: ReadOptions) -> RawSamples:
    files = [root] if root.is_file() else find_files(root, "*.csv", "*.tsv")
    return convert_tables(map(read_csv_rows, files), options.columns)


ADAPTER = DatasetAdapter(read=_read_samples, labels=TYPE_LABELS, suffixes=(".csv", ".tsv"), columns=FIELDS)
