"""Converts a public data set to JSONL records: the set's adapter reads it, and its categories become labels.

Images are referenced, not copied; images inside a set's own files are written next to the records.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safety_core.data.image_store import ImageStore, open_image_store
from safety_core.data.jsonl import write_jsonl
from safety_core.data.labels import LabelTable, parse_level
from safety_core.data.raw_samples import DatasetAdapter, NamedLabel, RawSample, RawSamples, ReadOptions
from safety_core.data.record_place import RecordPlace
from safety_core.data.registry import find_adapter
from safety_core.data.samples import RiskLabel
from safety_core.errors import ConfigError, SampleError
from safety_core.files import create_folders
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionReport:
    """Result of :func:`convert`."""

    count: int
    """Number of records written."""

    by_type: Mapping[str, int]
    """Labelled records by risk type, in the taxonomy's order."""

    unlabelled: int = 0
    """Number of records without a label."""

    skipped: tuple[SampleError, ...] = ()
    """Errors of the records that were skipped."""


def convert(
    name: str,
    source: Path | str,
    out: Path | str,
    *,
    taxonomy: Taxonomy = DEFAULT_TAXONOMY,
    labels: Mapping[str, NamedLabel] | None = None,
    split: str | None = None,
    columns: Mapping[str, str] | None = None,
    skip_bad: bool = False,
    allow_unlabelled: bool = False,
) -> ConversionReport:
    """Write the data set in ``source`` as JSONL.

    Args:
        name: name of the set's adapter.
        source: folder in which the set was unpacked; of sets that are one table, also its file.
        out: JSONL file to write; image paths become relative to its folder. Images inside the set's own files
            are written to a folder of the same name with the suffix ``-images``.
        taxonomy: taxonomy whose indices the records carry.
        labels: category → (type name, level), overriding the set's table.
        split: part of the set, if it has several.
        columns: field → name of its column, for tables whose columns are not fixed.
        skip_bad: skip records that are malformed or whose image is missing, instead of stopping at the first.
        allow_unlabelled: write records without a label where there is none, instead of stopping.

    Raises:
        ConfigError: the adapter, source, split or column does not exist, or a category has no label in this taxonomy.
        SampleError: a file of the set is missing or not in the set's format, an image is missing, or no record
            remains.
    """
    adapter, root, target = find_adapter(name), Path(source), Path(out)
    options = ReadOptions(split=split, columns=columns or {})
    _check_request(name, adapter, root, options)
    table = LabelTable(adapter.labels, labels or {}, taxonomy)
    with create_folders(target.parent), open_image_store(target.with_name(f"{target.stem}-images")) as images:
        builder = _RecordBuilder(
            source=name,
            folder=target.parent,
            labels=table,
            taxonomy=taxonomy,
            images=images,
            allow_unlabelled=allow_unlabelled,
        )
        count = write_jsonl(target, builder.build_records(adapter.read(root, options), root, skip_bad=skip_bad))
    by_type = {risk_type: builder.type_counts[index] for index, risk_type in enumerate(taxonomy.types)}
    return ConversionReport(
        count=count,
        by_type={risk_type: number for risk_type, number in by_type.items() if number},
        unlabelled=builder.unlabelled,
        skipped=tuple(builder.skipped),
    )


def _check_request(name: str, adapter: DatasetAdapter, root: Path, options: ReadOptions) -> None:
    """Check that the adapter can do what is asked; raises ConfigError if it cannot."""
    if not root.is_dir() and not (root.is_file() and root.suffix.lower() in adapter.suffixes):
        files = f", and no {' or '.join(adapter.suffixes)} file" if adapter.suffixes else ""
        raise ConfigError(f"{root}: there is no such folder{files}")
    if options.split is not None and options.split not in adapter.splits:
        known = f"must be one of {list(adapter.splits)}" if adapter.splits else f"{name} has none"
        raise ConfigError(f"split: {known}, got {options.split!r}")
    if unknown := sorted(set(options.columns) - set(adapter.columns)):
        known = f"fields are {list(adapter.columns)}" if adapter.columns else f"the columns of {name} are fixed"
        raise ConfigError(f"column: {known}, got {unknown}")


@dataclass(slots=True, kw_only=True)
class _RecordBuilder:
    """Builds the records of one conversion and counts them."""

    source: str
    folder: Path
    """Folder of the JSONL file, to which image paths are relative."""

    labels: LabelTable
    taxonomy: Taxonomy
    images: ImageStore
    allow_unlabelled: bool
    """Whether a record without a label is written instead of being an error."""

    type_counts: Counter[int] = field(default_factory=Counter)
    """Records by the index of their risk type."""

    unlabelled: int = 0
    skipped: list[SampleError] = field(default_factory=list)
    _id_counts: Counter[str] = field(default_factory=Counter)

    def build_records(self, samples: RawSamples, root: Path, *, skip_bad: bool) -> Iterator[dict[str, Any]]:
        """Yield one record for each sample; raises SampleError if a sample is malformed or none is left."""
        for sample in samples:
            try:
                if isinstance(sample, SampleError):
                    raise sample
                record = self._build_record(sample)
            except SampleError as error:
                if not skip_bad:
                    raise
                self.skipped.append(error)
            else:
                yield record
        if not self.type_counts and not self.unlabelled:
            number = f", {len(self.skipped)} were skipped" if self.skipped else ""
            raise RecordPlace(root).create_error(f"no record of {self.source} was found{number}", "file")

    def _build_record(self, sample: RawSample) -> dict[str, Any]:
        label = self._find_label(sample)
        for image in sample.images:
            if isinstance(image, Path) and not image.is_file():
                raise sample.place.create_error(f"the image {image} does not exist", "image")
        record: dict[str, Any] = {
            "id": self._number_id(sample.id),
            "image": self._place_images(sample),
            "conversations": [
                {"from": "ASSISTANT" if index % 2 else "USER", "value": text} for index, text in enumerate(sample.turns)
            ],
            "safe_type": None if label is None else label.type,
            "safe_level": None if label is None else label.level,
            "source": self.source,
        }
        for name, category in (("image_risk", sample.image_category), ("text_risk", sample.text_category)):
            if label is not None and category is not None:
                surface = self.labels.find_label(category)
                record[name] = {"type": surface.type, "level": surface.level}
        if sample.meta:
            record["meta"] = dict(sample.meta)
        if label is None:
            self.unlabelled += 1
        else:
            self.type_counts[label.type] += 1
        return record

    def _find_label(self, sample: RawSample) -> RiskLabel | None:
        """Find the label of a sample; None if it has none and that is allowed."""
        try:
            level = None if sample.level is None else parse_level(sample.level, self.taxonomy)
        except ValueError as exc:
            raise sample.place.create_error(str(exc), "level") from exc
        if sample.category is None:
            if level == 0:
                return RiskLabel(type=self.taxonomy.safe_index, level=0)
            if level is None and self.allow_unlabelled:
                return None
            raise sample.place.create_error("the record has no label", "category")
        if self.allow_unlabelled and not self.labels.has_label(sample.category, level):
            return None
        label = self.labels.find_label(sample.category, level)
        if label.level > 0 and label.type == self.taxonomy.safe_index:
            message = f"level {label.level} contradicts the type {self.taxonomy.safe_type!r}"
            raise sample.place.create_error(message, "level")
        return label

    def _number_id(self, name: str) -> str:
        """Append a number to an id that occurred before."""
        self._id_counts[name] += 1
        number = self._id_counts[name]
        return name if number == 1 else f"{name}~{number}"

    def _place_images(self, sample: RawSample) -> str | list[str] | None:
        """Store the images and format their relative paths for the field ``image``."""
        paths = [os.path.relpath(self.images.store(image), self.folder) for image in sample.images]
        return None if not paths else paths[0] if len(paths) == 1 else paths
