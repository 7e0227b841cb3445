"""Counts the records of a file by label, source and content, one record at a time."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safety_core.data.labelling.drafts import Draft, stream_drafts
from safety_core.errors import SampleError
from safety_core.taxonomy import Taxonomy

_MOST_ERRORS = 20
"""Most errors of malformed records that are kept."""

_MOST_SOURCES = 100
"""Most sources that are counted apart; the others are counted together."""

OTHER_SOURCES = "(others)"


@dataclass(slots=True, kw_only=True)
class FileCounts:
    """What a file holds."""

    file: Path
    taxonomy: Taxonomy
    records: int = 0
    """Well-formed records, with and without a label."""

    labels: Counter[tuple[int, int]] = field(default_factory=Counter)
    """Records by type and level."""

    sources: Counter[str] = field(default_factory=Counter)
    unlabelled: int = 0
    with_images: int = 0
    without_words: int = 0
    with_surfaces: int = 0
    """Records whose images or words have a label of their own."""

    malformed: int = 0
    errors: list[SampleError] = field(default_factory=list)
    """Errors of the first malformed records."""

    @property
    def clean(self) -> int:
        """Records of level 0."""
        return sum(number for (_, level), number in self.labels.items() if level == 0)

    @property
    def risky(self) -> int:
        """Records of a level above 0."""
        return self.labels.total() - self.clean

    @property
    def risky_per_clean(self) -> float | None:
        """Risky records for each clean one; None without clean ones."""
        return self.risky / self.clean if self.clean else None

    def add(self, draft: Draft) -> None:
        """Count one record."""
        sample = draft.sample
        self.records += 1
        if draft.is_labelled:
            self.labels[sample.label.type, sample.label.level] += 1
        else:
            self.unlabelled += 1
        known = sample.source in self.sources or len(self.sources) < _MOST_SOURCES
        self.sources[sample.source if known else OTHER_SOURCES] += 1
        self.with_images += bool(sample.images)
        self.without_words += not sample.turns
        self.with_surfaces += sample.image_risk is not None or sample.text_risk is not None

    def add_error(self, error: SampleError) -> None:
        """Count one malformed record."""
        self.malformed += 1
        if len(self.errors) < _MOST_ERRORS:
            self.errors.append(error)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        taxonomy = self.taxonomy
        return {
            "file": str(self.file),
            "records": self.records,
            "unlabelled": self.unlabelled,
            "malformed": self.malformed,
            "errors": [str(error) for error in self.errors],
            "clean": self.clean,
            "risky": self.risky,
            "risky_per_clean": self.risky_per_clean,
            "labels": {
                kind: {
                    level: number
                    for level_index, level in enumerate(taxonomy.levels)
                    if (number := self.labels[index, level_index])
                }
                for index, kind in enumerate(taxonomy.types)
            },
            "sources": dict(self.sources.most_common()),
            "with_images": self.with_images,
            "without_words": self.without_words,
            "with_surfaces": self.with_surfaces,
        }


def count_file(file: Path, taxonomy: Taxonomy, *, advance: Callable[[int], None] = lambda done: None) -> FileCounts:
    """Count the records of a file; malformed ones are counted apart.

    Args:
        file: the JSONL file.
        taxonomy: bounds of the labels.
        advance: receives the number of records so far, after each.

    Raises:
        SampleError: the file cannot be read.
    """
    counts = FileCounts(file=file, taxonomy=taxonomy)
    for draft in stream_drafts(file, taxonomy):
        if isinstance(draft, SampleError):
            counts.add_error(draft)
        else:
            counts.add(draft)
        advance(counts.records + counts.malformed)
    return counts
