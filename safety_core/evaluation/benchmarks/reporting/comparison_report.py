"""The comparison of two runs: as JSON with every difference, and as Markdown."""

from __future__ import annotations

import json
from pathlib import Path

from safety_core.evaluation.benchmarks.figures.comparison import RunComparison, compare_runs
from safety_core.evaluation.benchmarks.figures.result_table import TrainedRule
from safety_core.evaluation.benchmarks.reporting.figure_texts import format_number
from safety_core.evaluation.benchmarks.reporting.markdown import escape_markdown, format_markdown_table
from safety_core.evaluation.benchmarks.reporting.report_tables import list_compared_rows
from safety_core.evaluation.benchmarks.reporting.run_report import read_records
from safety_core.evaluation.statistics.estimates import CONFIDENCE
from safety_core.files import write_text

FORMAT_VERSION = 1

JSON_FILE, MARKDOWN_FILE = "comparison.json", "comparison.md"

_MOST_NAMED = 10
"""Ids of items in one run only that Markdown names; JSON has all."""


def compare_folders(
    first: Path, second: Path, *, trained: TrainedRule = "mark", seed: int = 0, resamples: int = 1000
) -> RunComparison:
    """Compare two runs by their folders; raises as :func:`compare_runs`, and if a folder contains no run."""
    return compare_runs(read_records(first), read_records(second), trained=trained, seed=seed, resamples=resamples)


def write_comparison(comparison: RunComparison, folder: Path) -> None:
    """Write ``comparison.json`` and ``comparison.md``; the folder is created if it is missing."""
    text = json.dumps(convert_comparison(comparison), indent=1, ensure_ascii=False, allow_nan=False)
    write_text(folder / JSON_FILE, text + "\n")
    write_text(folder / MARKDOWN_FILE, format_comparison(comparison))


def convert_comparison(comparison: RunComparison) -> dict[str, object]:
    """Return the JSON form of a comparison."""
    return {
        "format_version": FORMAT_VERSION,
        "first": comparison.first.model_dump(mode="json"),
        "second": comparison.second.model_dump(mode="json"),
        "confidence": CONFIDENCE,
        "common": comparison.common,
        "groups": comparison.groups,
        "dropped": comparison.dropped,
        "trained": list(comparison.trained),
        "only_first": list(comparison.only_first),
        "only_second": list(comparison.only_second),
        "only_in_one": list(comparison.only_in_one),
        "figures": [
            {
                "name": one.name,
                "higher_is_better": one.higher_is_better,
                "first": one.first.to_dict(),
                "second": one.second.to_dict(),
                "difference": one.difference.to_dict(),
                "mcnemar": None if one.test is None else one.test.to_dict(),
            }
            for one in comparison.figures
        ],
    }


def format_comparison(comparison: RunComparison) -> str:
    """Format a comparison as Markdown."""
    first, second = (run.system.name for run in (comparison.first, comparison.second))
    if first == second:
        first, second = f"{first} (first)", f"{second} (second)"
    parts = [
        escape_markdown(f"# {first} against {second}, on {comparison.first.suite.name}"),
        " ".join(_describe_items(comparison)),
        format_markdown_table(list_compared_rows(comparison.figures, first, second), titled=False),
        "A difference is the first system less the second, with a paired 95 % interval. p is that of McNemar's exact "
        "test; beside it, the items where only the first and only the second system has the outcome.",
    ]
    if comparison.only_in_one:
        names = ", ".join(escape_markdown(name) for name in comparison.only_in_one)
        parts.append(f"Not compared, since only one of the systems has them: {names}.")
    return "\n\n".join(parts) + "\n"


def _describe_items(comparison: RunComparison) -> list[str]:
    sentences = [
        f"{format_number(comparison.common)} items of both runs are compared, in {format_number(comparison.groups)} "
        "groups that are resampled."
    ]
    if comparison.dropped:
        sentences.append(
            f"{format_number(comparison.dropped)} items are left out, because one of the checkpoints was trained on "
            "them."
        )
    elif any(comparison.trained):
        sentences.append(
            "Trained on: "
            f"{format_number(comparison.trained[0])} of these items in the first run, "
            f"{format_number(comparison.trained[1])} in the second. They are counted."
        )
    for name, ids in (("first", comparison.only_first), ("second", comparison.only_second)):
        if ids:
            named = ", ".join(escape_markdown(item_id) for item_id in ids[:_MOST_NAMED])
            more = " and others" if len(ids) > _MOST_NAMED else ""
            sentences.append(
                f"Only in the {name} run, and in no difference: {format_number(len(ids))} ({named}{more})."
            )
    return sentences
