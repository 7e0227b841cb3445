"""Samples with the labels of their data set: categories keep the set's names. Knows no taxonomy and no file format."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

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

    category: str
    """The set's own name for the risk; a key of the set's label table. ``name/detail`` falls back to ``name``."""

    text_category: str | None = None
    """Category of the texts alone, if the set names one."""

    image_category: str | None = None
    """Category of the images alone, if the set names one."""

    place: RecordPlace
    """Place of the sample in the set's files."""


RawSamples = Iterator[RawSample | SampleError]
"""Samples of a data set, and an error in the place of each malformed record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetAdapter:
    """Reads one data set and labels its categories."""

    read: Callable[[Path, str | None], RawSamples]
    """Reads the samples in a folder, of one split or (None) of any."""

    labels: Mapping[str, NamedLabel]
    """Label of each category."""

    splits: tuple[str, ...] = ()
    """Splits that can be read separately."""
