"""Samples with the labels of their data set: categories keep the set's names. Knows no taxonomy and no file format."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safety_core.data.record_place import RecordPlace
from safety_core.errors import SampleError

NamedLabel = tuple[str, int]
"""Risk type by name, and level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSample:
    """One sample of a public data set."""

    id: str
    images: tuple[Path | bytes, ...]
    """Images: paths, or contents if the set stores them inside its own files."""

    turns: tuple[str, ...]
    """Texts of user and assistant, alternating; the first is the user's."""

    category: str | None
    """The set's own name for the risk; a key of the set's label table. ``name/detail`` falls back to ``name``. None if
    the record has no label."""

    level: int | str | None = None
    """Level that the record itself states, by number or name, in place of the table's."""

    text_category: str | None = None
    """Category of the texts alone, if the set names one."""

    image_category: str | None = None
    """Category of the images alone, if the set names one."""

    meta: Mapping[str, Any] = field(default_factory=dict)
    """Further facts for evaluation suites, e.g. ``subset`` and ``typographic``."""

    place: RecordPlace
    """Place of the sample in the set's files."""


RawSamples = Iterator[RawSample | SampleError]
"""Samples of a data set, and an error in the place of each malformed record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """What the user wants of a data set."""

    split: str | None = None
    """The part to read; None for all."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Field → name of its column, for tables whose columns are not fixed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetAdapter:
    """Reads one data set and labels its categories."""

    read: Callable[[Path, ReadOptions], RawSamples]
    """Reads the samples in a folder, or in one file."""

    labels: Mapping[str, NamedLabel]
    """Label of each category."""

    splits: tuple[str, ...] = ()
    """Splits that can be read separately."""

    suffixes: tuple[str, ...] = ()
    """Suffixes of files that can be read alone, instead of a folder."""

    columns: tuple[str, ...] = ()
    """Fields whose columns the user may name."""
