"""Merges the labels that a person confirmed on a sheet into the records that they belong to."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safety_core.data.jsonl import write_jsonl
from safety_core.data.labelling.drafts import LEVEL_FIELD, TYPE_FIELD, Draft, stream_drafts
from safety_core.data.labelling.label_sheet import read_sheet
from safety_core.data.samples import RiskLabel
from safety_core.errors import ConfigError, SampleError
from safety_core.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What became of the records."""

    written: int
    """Number of records written."""

    labelled: int
    """Records that had a label before, and are written as they are."""

    confirmed: int
    """Records with a label from the sheet."""

    changed: int
    """Confirmed rows whose label is not the proposed one."""

    left_out: int
    """Records without a label that nobody confirmed; they are not written."""

    unmatched: int
    """Confirmed rows that belong to no record: the file has changed since, or it is another one."""


def confirm_labels(data: Path, sheet: Path, out: Path, taxonomy: Taxonomy) -> Confirmation:
    """Write the records of a file with the labels that a person confirmed; image paths are adapted to the new folder.

    Args:
        data: the file that labels were proposed for.
        sheet: the sheet, as the person left it.
        out: JSONL file to write.
        taxonomy: bounds of the labels.

    Raises:
        ConfigError: no record is left.
        SampleError: a record or a confirmed row is malformed, with file, line and field.
    """
    read = read_sheet(sheet, taxonomy)
    merger = _Merger(labels=dict(read.labels))
    written = write_jsonl(out, merger.merge_records(data, out.parent, taxonomy))
    return Confirmation(
        written=written,
        labelled=written - merger.confirmed,
        confirmed=merger.confirmed,
        changed=read.changed,
        left_out=merger.left_out,
        unmatched=len(merger.labels),
    )


@dataclass(slots=True, kw_only=True)
class _Merger:
    """Merges labels into records, and counts them."""

    labels: dict[str, RiskLabel]
    """Key of a record → its confirmed label; removed once the record was found."""

    confirmed: int = 0
    left_out: int = 0

    def merge_records(self, data: Path, folder: Path, taxonomy: Taxonomy) -> Iterator[dict[str, Any]]:
        """Yield the records that have a label now; raises ConfigError if there are none."""
        found = False
        for draft in stream_drafts(data, taxonomy):
            if isinstance(draft, SampleError):
                raise draft
            label = None if draft.is_labelled else self.labels.pop(draft.compute_key(), None)
            if label is None and not draft.is_labelled:
                self.left_out += 1
                continue
            found = True
            record = {**draft.record, "image": _relocate_images(draft, folder)}
            if label is not None:
                self.confirmed += 1
                record |= {TYPE_FIELD: label.type, LEVEL_FIELD: label.level}
            yield record
        if not found:
            raise ConfigError(f"{data}: no record has a label, and none is confirmed")


def _relocate_images(draft: Draft, folder: Path) -> str | list[str] | None:
    """Return the field ``image`` of a record in another folder, in the form that it had."""
    paths = [os.path.relpath(image, folder) for image in draft.sample.images]
    given = draft.record.get("image")
    if given is None:
        return None
    return paths if isinstance(given, list) else paths[0]
