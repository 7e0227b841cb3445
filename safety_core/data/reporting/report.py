"""The report on data files as a whole, as JSON and as Markdown tables. It names files, lines and labels, no record."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from safety_core.data.reporting.comparison import Place, Report, compare_files
from safety_core.data.reporting.label_counts import FileCounts, count_file
from safety_core.data.reporting.overlaps import (
    MOST_EXAMPLES,
    Overlaps,
    find_contradictions,
    name_places,
    summarize_overlaps,
)
from safety_core.errors import ConfigError
from safety_core.taxonomy import Taxonomy

_KINDS = {
    "texts": "the user's words",
    "pictures": "pictures",
    "records": "words and pictures together",
}
"""Kind of near-duplicates → what is alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReport:
    """Labels of files, and near-duplicates within and between them."""

    counts: tuple[FileCounts, ...]
    """Labels of each file."""

    overlaps: dict[str, Overlaps] | None
    """Kind → near-duplicates; None if they were not looked for."""

    contradictions: list[list[Place]]
    """Groups of near-duplicate records with different labels: two that differ."""

    share: float
    """Share of the records that were compared."""

    unreadable: int
    """Number of pictures that could not be decoded."""

    @property
    def files(self) -> list[str]:
        """Names of the files."""
        return [str(counts.file) for counts in self.counts]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        document: dict[str, Any] = {"files": [counts.to_dict() for counts in self.counts], "near_duplicates": None}
        if self.overlaps is not None:
            document["near_duplicates"] = {
                "share_compared": self.share,
                "unreadable_pictures": self.unreadable,
                **{kind: overlaps.to_dict(self.files) for kind, overlaps in self.overlaps.items()},
                "contradictions": {
                    "groups": len(self.contradictions),
                    "examples": name_places(self.contradictions[:MOST_EXAMPLES], self.files),
                },
            }
        return document


def report_data(
    files: Sequence[Path],
    taxonomy: Taxonomy,
    *,
    duplicates: bool = True,
    max_records: int = 200_000,
    report: Report = lambda stage, done, total: None,
) -> DataReport:
    """Count the labels of files, and look for near-duplicates within and between them.

    Args:
        files: JSONL files, each of them a split.
        taxonomy: bounds of the labels.
        duplicates: whether to look for near-duplicates.
        max_records: number of records that are compared at most, which bounds the memory. Of more records, a sample is
            compared.
        report: receives the progress.

    Raises:
        ConfigError: a file is named twice, or near-duplicates are looked for without the extra ``data``.
        SampleError: a file cannot be read.
    """
    if len({file.resolve() for file in files}) < len(files):
        raise ConfigError("a file is named twice")
    counts = tuple(count_file(file, taxonomy, advance=partial(_report_labels, report, file)) for file in files)
    if not duplicates:
        return DataReport(counts=counts, overlaps=None, contradictions=[], share=0.0, unreadable=0)
    total = sum(one.records for one in counts)
    share = min(1.0, max_records / total) if total else 1.0
    compared = compare_files(files, taxonomy, share=share, total=total, report=report)
    return DataReport(
        counts=counts,
        overlaps={
            "texts": summarize_overlaps(compared.texts),
            "pictures": summarize_overlaps(compared.pictures),
            "records": summarize_overlaps(compared.records),
        },
        contradictions=find_contradictions(compared.records, compared.labels),
        share=share,
        unreadable=compared.unreadable,
    )


def _report_labels(report: Report, file: Path, done: int) -> None:
    report(f"labels of {file}", done, 0)


def format_report(report: DataReport, *, examples: int) -> str:
    """Format a report as Markdown.

    Args:
        report: the report.
        examples: number of places that are shown of each kind of near-duplicates.
    """
    parts = ["## Records", _format_records(report.counts), "## Labels", _format_labels(report.counts)]
    if report.overlaps is not None:
        parts += ["## Near-duplicates", _format_overlaps(report)]
        if report.share < 1:
            parts.append(f"Only {report.share:.1%} of the records were compared: the numbers are lower bounds.")
        if report.unreadable:
            parts.append(f"{report.unreadable} pictures could not be decoded and were not compared.")
        if lines := list(_list_examples(report, examples)):
            parts += ["## Examples", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _format_records(counts: Sequence[FileCounts]) -> str:
    head = (
        "file",
        "records",
        "with images",
        "without words",
        "unlabelled",
        "malformed",
        "clean",
        "risky",
        "clean : risky",
    )
    rows = [
        (
            str(one.file),
            one.records,
            one.with_images,
            one.without_words,
            one.unlabelled,
            one.malformed,
            one.clean,
            one.risky,
            "–" if one.risky_per_clean is None else f"1 : {one.risky_per_clean:.2f}",
        )
        for one in counts
    ]
    return _format_table(head, rows)


def _format_labels(counts: Sequence[FileCounts]) -> str:
    taxonomy = counts[0].taxonomy
    cells = sorted({cell for one in counts for cell in one.labels})
    rows = [
        (f"{taxonomy.types[kind]} {taxonomy.levels[level]}", *(one.labels[kind, level] for one in counts))
        for kind, level in cells
    ]
    return _format_table(("label", *(str(one.file) for one in counts)), rows)


def _format_overlaps(report: DataReport) -> str:
    rows: list[tuple[object, ...]] = []
    for kind, overlaps in (report.overlaps or {}).items():
        for one in overlaps.within:
            rows.append((_KINDS[kind], report.files[one.file], f"{one.items} in {one.groups} groups"))
        for both in overlaps.between:
            first, second = (report.files[file] for file in both.files)
            numbers = f"{both.items[0]} of {first}, {both.items[1]} of {second}"
            rows.append((_KINDS[kind], f"{first} and {second}", numbers))
    if report.contradictions:
        rows.append((_KINDS["records"], "with different labels", f"{len(report.contradictions)} groups"))
    return _format_table(("alike", "where", "number"), rows) if rows else "none"


def _list_examples(report: DataReport, most: int) -> Iterator[str]:
    """List places of near-duplicates: first what matters most, labels that contradict and files that share records."""
    if report.contradictions:
        yield from _list_places("different labels", report.contradictions, report.files, most)
    for kind, overlaps in (report.overlaps or {}).items():
        for both in overlaps.between:
            yield from _list_places(_KINDS[kind], both.examples, report.files, most)
    for kind, overlaps in (report.overlaps or {}).items():
        for one in overlaps.within:
            yield from _list_places(_KINDS[kind], one.examples, report.files, most)


def _list_places(title: str, examples: Sequence[Sequence[Place]], files: Sequence[str], most: int) -> Iterator[str]:
    for places in name_places(examples[:most], files):
        yield f"- {title}: {', '.join(places)}"


def _format_table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in lines)
