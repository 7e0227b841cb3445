"""Opens what a user names as a source: recognises its format, and freezes the listing of a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safety_core.data.adapters.tables.columns import FIELDS
from safety_core.dataset_audit.sources.csv_source import CsvSource
from safety_core.dataset_audit.sources.fields import FieldReader
from safety_core.dataset_audit.sources.folder_source import FolderSource, write_listing
from safety_core.dataset_audit.sources.jsonl_source import JsonlSource
from safety_core.dataset_audit.sources.parquet_source import ParquetSource
from safety_core.dataset_audit.sources.source import Source
from safety_core.dataset_audit.sources.webdataset_source import WebDatasetSource
from safety_core.errors import ConfigError
from safety_core.taxonomy import Taxonomy

_SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "webdataset": (".tar",),
    "parquet": (".parquet",),
    "jsonl": (".jsonl",),
    "csv": (".csv", ".tsv"),
}
"""Format → suffixes of its files."""

KINDS = ("auto", "folder", *_SUFFIXES)
"""Formats by their names on the command line; ``auto`` recognises them."""

_IN_FOLDERS = ("webdataset", "parquet")
"""Formats of which a folder usually holds many files: recognised by the files directly in it."""

_CLASSES: Mapping[str, Callable[[tuple[Path, ...], FieldReader], Any]] = {
    "webdataset": WebDatasetSource,
    "parquet": ParquetSource,
    "jsonl": JsonlSource,
    "csv": CsvSource,
}


def open_source(
    path: Path, taxonomy: Taxonomy, listing: Path, *, kind: str = "auto", columns: Mapping[str, str] | None = None
) -> Source:
    """Open a source.

    Args:
        path: a folder or a file.
        taxonomy: bounds of labels.
        listing: file for the names in a folder of pictures and texts; read if it exists, otherwise written.
        kind: one of ``KINDS``.
        columns: field → column, as the user named them.

    Raises:
        ConfigError: there is no such file or folder, its format is unknown, or a field does not exist.
    """
    chosen = dict(columns or {})
    if unknown := sorted(set(chosen) - set(FIELDS)):
        raise ConfigError(f"column: fields are {list(FIELDS)}, got {unknown}")
    if kind not in KINDS:
        raise ConfigError(f"kind: must be one of {list(KINDS)}, got {kind!r}")
    if not path.exists():
        raise ConfigError(f"{path}: there is no such file or folder")
    found = _recognise(path) if kind == "auto" else kind
    fields = FieldReader(root=path if path.is_dir() else path.parent, columns=chosen, taxonomy=taxonomy)
    if found == "folder":
        if not path.is_dir():
            raise ConfigError(f"{path}: a folder is needed")
        if not listing.exists():
            write_listing(path, listing)
        return FolderSource((listing,), fields)
    files = _list_files(path, _SUFFIXES[found]) if path.is_dir() else (path,)
    if not files:
        raise ConfigError(f"{path}: there is no file {' or '.join(_SUFFIXES[found])}")
    source: Source = _CLASSES[found](files, fields)
    return source


def _recognise(path: Path) -> str:
    if path.is_dir():
        return next((kind for kind in _IN_FOLDERS if _list_files(path, _SUFFIXES[kind])), "folder")
    found = next((kind for kind, suffixes in _SUFFIXES.items() if path.suffix.lower() in suffixes), None)
    if found is None:
        compressed = "; unpack it first" if path.suffix.lower() in {".gz", ".zst", ".bz2", ".xz", ".zip"} else ""
        raise ConfigError(f"{path}: the format is not known{compressed}, or name it with --kind")
    return found


def _list_files(folder: Path, suffixes: tuple[str, ...]) -> tuple[Path, ...]:
    return tuple(sorted(file for file in folder.iterdir() if file.suffix.lower() in suffixes and file.is_file()))
