"""Makes the fingerprints of training records from their JSONL files; keeps hashes, and no words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from safety_core.data.duplicates.near_pictures import hash_picture
from safety_core.data.labelling.drafts import stream_drafts
from safety_core.data.samples import Sample
from safety_core.errors import SampleError
from safety_core.evaluation.benchmarks.training_rows.row_keys import build_id_key, build_picture_key, list_text_keys
from safety_core.files import write_bytes
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy
from safety_core.training_rows_file import TRAINING_ROWS_FILE, Kind, TrainingRows

Report = Callable[[str, int, int], None]
"""Receives a stage, the steps that are done, and all steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltRows:
    """Fingerprints, and what they were made of."""

    rows: TrainingRows
    without_source: int
    """Records whose id was left out, because they do not name their data set."""

    pictures: int
    """Number of different picture files."""


@dataclass(slots=True)
class _Keys:
    ids: set[bytes] = field(default_factory=set)
    texts: set[bytes] = field(default_factory=set)
    pictures: set[bytes] = field(default_factory=set)


def build_training_rows(
    files: Sequence[Path], taxonomy: Taxonomy = DEFAULT_TAXONOMY, *, report: Report | None = None
) -> BuiltRows:
    """Compute the fingerprints of all records of files; labels may be missing.

    Raises:
        ConfigError: there are pictures, and the extra ``data`` is not installed.
        SampleError: a file cannot be read, or a record or a picture is malformed.
    """
    keys = _Keys()
    hashed: set[Path] = set()
    records = without_source = 0
    for number, file in enumerate(files):
        for draft in stream_drafts(file, taxonomy):
            if isinstance(draft, SampleError):
                raise draft
            records += 1
            without_source += not _add_sample(draft.sample, keys, hashed)
        if report is not None:
            report("files", number + 1, len(files))
    by_kind: dict[Kind, set[bytes]] = {"ids": keys.ids, "texts": keys.texts, "pictures": keys.pictures}
    rows = TrainingRows.collect(by_kind, records=records)
    return BuiltRows(rows=rows, without_source=without_source, pictures=len(hashed))


def add_to_checkpoint(checkpoint: Path, content: bytes) -> Path:
    """Add encoded fingerprints to a checkpoint, in place of those that it has, and rewrite its manifest.

    Raises:
        CheckpointError: the checkpoint is damaged.
    """
    from safety_core.model.checkpoint.sha256_manifest import write_manifest  # with torch, which files alone do not need
    from safety_core.model.checkpoint.verification import verify

    file = verify(checkpoint).path / TRAINING_ROWS_FILE
    write_bytes(file, content)
    write_manifest(checkpoint)
    return file


def _add_sample(sample: Sample, keys: _Keys, hashed: set[Path]) -> bool:
    """Add the keys of a record; returns whether it has an id that means something."""
    words = [turn.text for turn in sample.conversation if turn.role == "user"]
    for text in list_text_keys(words) if words else ():
        keys.texts.update(text)
    for picture in sample.images:
        if picture not in hashed:
            hashed.add(picture)
            keys.pictures.add(build_picture_key(hash_picture(picture)))
    id_key = build_id_key(sample.source, sample.id)
    if id_key is not None:
        keys.ids.add(id_key)
    return id_key is not None
