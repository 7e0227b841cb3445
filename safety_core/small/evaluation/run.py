"""``safevlm evaluate --suite real``: every row over the items of a split, then figures, comparisons, bars and files."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from safety_core.errors import ConfigError, InputError
from safety_core.evaluation.runs.registered import RunRequest, RunResult
from safety_core.evaluation.runs.report import Report, SystemReport
from safety_core.evaluation.statistics.bars import Bar, Comparison, check_bars, load_bars
from safety_core.small.corpus.loading import PAIRS_FILE, load_records
from safety_core.small.evaluation.figures.board import Board, Figures
from safety_core.small.evaluation.items.collection import ALL, collect_items, compute_digest
from safety_core.small.evaluation.items.columns import MeasuredSplit
from safety_core.small.evaluation.items.item import Item
from safety_core.small.evaluation.replies.figures import ReplyBoard
from safety_core.small.evaluation.replies.generation import GivenReply, choose_reply_items
from safety_core.small.evaluation.report import RealReport, format_report, write_report
from safety_core.small.evaluation.row_runs import RowRuns
from safety_core.small.evaluation.systems.rows import AGAINST, BARE, SHIPPED, Row, choose_rows
from safety_core.small.evaluation.systems.system import Score
from safety_core.small.evaluation.systems.workbench import hash_manifest
from safety_core.taxonomy import DEFAULT_TAXONOMY

ASSETS = Path(__file__).with_name("assets")
BARS_FILE, GOALS_FILE = ASSETS / "bars.json", ASSETS / "goals.json"

SPLITS: tuple[MeasuredSplit, ...] = ("development", "test")

PICTURES = "pictures"
"""Folder of the rendered pictures, below the build folder."""


def evaluate_real(request: RunRequest) -> RunResult:
    """Measure the rows on a split of the public sets; the registered evaluation ``real``.

    Raises:
        InputError: no folder of sets was named, or it holds none.
        ConfigError: the split or a row is unknown, a checkpoint does not fit, or a package is not installed.
        CheckpointError: a checkpoint is damaged or untrained.
    """
    rows, left_out = choose_rows(request.checkpoint, request.rows, request.only)
    prepared = prepare_run(request, words_only=all(row.takes == "words" for row in rows))
    measured = measure_rows(prepared, rows, request)
    bars = _list_bars(request)
    figures = {name: row.figures for name, row in measured.rows.items()}
    report = RealReport(
        report=Report(
            suite=f"real/{prepared.split}",
            suite_sha256=compute_digest(prepared.items),
            pairs=len(prepared.items),
            taxonomy=DEFAULT_TAXONOMY,
            seed=request.config.seed,
            resamples=request.config.resamples,
            command=hide_paths(request.command),
            rows=measured.rows,
            comparisons=measured.comparisons,
            bars=check_bars(bars, figures, measured.comparisons),
        ),
        goals=check_bars(load_bars(GOALS_FILE), figures, measured.comparisons),
        notes=(*_list_notes(prepared.missing, left_out, request.limit), *prepared.runs.workbench.notes),
        limit=request.limit,
    )
    write_report(report, prepared.items, measured.scores, request.out)
    return RunResult(text=format_report(report), passed=report.report.passed)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRun:
    """What rows are measured on, and what runs them."""

    split: MeasuredSplit
    items: Sequence[Item]
    asked: Sequence[Item]
    """Harmful requests that are replied to."""

    runs: RowRuns
    missing: Sequence[str]
    """Sets that the folder does not hold."""


def prepare_run(request: RunRequest, *, words_only: bool = False) -> PreparedRun:
    """Read the sets, choose the items and render their pictures, if any; raises as :func:`evaluate_real`."""
    data, split = _check_data(request.data), _check_split(request.split)
    build = request.build / "safevlm-small"
    corpus = load_records(data, cache=request.build.parent / PAIRS_FILE)
    limit = ALL if request.limit is None else request.limit
    items = collect_items(corpus, split, None if words_only else build / PICTURES, limit=limit)
    runs = RowRuns(
        items,
        corpus,
        choose_rows(request.checkpoint, {}, (SHIPPED,))[0][0],
        folder=request.out,
        build=build,
        device=request.config.device,
        limit=request.limit,
        progress=request.progress,
    )
    asked = choose_reply_items(items, limit)
    return PreparedRun(split=split, items=items, asked=asked, runs=runs, missing=corpus.missing)


class Measured:
    """Results of all rows."""

    def __init__(self) -> None:
        self.rows: dict[str, SystemReport] = {}
        self.scores: dict[str, Sequence[Score]] = {}
        self.replies: dict[str, Sequence[GivenReply]] = {}
        self.comparisons: dict[tuple[str, str], Comparison] = {}


def measure_rows(prepared: PreparedRun, rows: Sequence[Row], request: RunRequest) -> Measured:
    """Run the rows, the shipped one first, and compute their figures in the order of the table.

    Args:
        prepared: the items and what runs single rows.
        rows: the rows in the order of the table.
        request: seed and draws.
    """
    runs, asked = prepared.runs, prepared.asked
    measured, seconds = Measured(), dict[str, float]()
    for row in sorted(rows, key=lambda row: row.name != SHIPPED):  # the baselines' thresholds need its false alarms
        started = time.perf_counter()
        if row.kind != "bare":
            measured.scores[row.name] = runs.score(row)
        if row.name in (BARE, SHIPPED) and asked:
            measured.replies[row.name] = runs.reply(row, asked)
        seconds[row.name] = time.perf_counter() - started
    sizes = {"seed": request.config.seed, "resamples": request.config.resamples}
    board, replies = Board(prepared.items, **sizes), ReplyBoard(asked, **sizes) if asked else None
    for row in rows:
        measured.rows[row.name] = SystemReport(
            spec=describe_row(row),
            checkpoint_sha256="" if row.checkpoint is None else hash_manifest(row.checkpoint),
            seconds=seconds[row.name],
            figures=_compute_figures(row, measured, board, replies),
        )
    if SHIPPED in measured.scores:
        for name in AGAINST:
            if name in measured.scores:
                measured.comparisons[SHIPPED, name] = board.compare(measured.scores[SHIPPED], measured.scores[name])
    return measured


def _compute_figures(row: Row, measured: Measured, board: Board, replies: ReplyBoard | None) -> Figures:
    figures: Figures = {}
    if row.name in measured.scores:
        figures |= board.compute_figures(measured.scores[row.name])
    if replies is not None and row.name in measured.replies:
        given = measured.replies[row.name]
        figures |= replies.compute_figures(given)
        if row.name != BARE and BARE in measured.replies:
            figures |= replies.compute_ratio(given, measured.replies[BARE])
    return figures


def describe_row(row: Row) -> dict[str, object]:
    """Describe a row for the report, with the names of folders instead of paths."""
    return {
        "name": row.name,
        "content": row.content,
        "checkpoint": None if row.checkpoint is None else row.checkpoint.name,
        "read_pictures": row.read_pictures,
    }


def _check_data(data: Path | None) -> Path:
    if data is None:
        raise InputError(
            "real words and photographs are not part of this repository: name their folder with --data; "
            "docs/safevlm-small-data.md says which public sets they are and how to bring them",
            code="data_missing",
            param="data",
        )
    return data


def _check_split(name: str) -> MeasuredSplit:
    for split in SPLITS:
        if name == split:
            return split
    raise ConfigError(f"--split: one of {', '.join(SPLITS)} is needed, got {name!r}")


def _list_bars(request: RunRequest) -> Sequence[Bar]:
    if request.bars is not None:
        return request.bars
    return load_bars(BARS_FILE) if request.check_bars else ()


def _list_notes(missing: Sequence[str], left_out: Mapping[str, str], limit: int | None) -> list[str]:
    notes = [f"row {name} left out: {reason}" for name, reason in left_out.items()]
    if missing:
        notes.append(f"sets that are missing: {', '.join(missing)}")
    if limit is not None:
        notes.append(f"at most {limit} items of each sort: for a look, not for a result")
    return notes


def hide_paths(command: Sequence[str]) -> list[str]:
    """Reduce the absolute paths in a command line to the names of their files."""
    return ["=".join(Path(part).name if part.startswith("/") else part for part in word.split("=")) for word in command]
