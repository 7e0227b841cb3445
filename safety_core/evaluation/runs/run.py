"""An evaluation from start to end: every row over the same pairs, figures, comparisons, bars, files.

The one entry that ``safevlm evaluate`` calls; loads one row's model at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from safety_core.errors import ConfigError
from safety_core.evaluation.runs.replay import Progress, Replay
from safety_core.evaluation.runs.report import Report, RowReport, write_report
from safety_core.evaluation.runs.systems import RowSpec, load_row
from safety_core.evaluation.runs.tables import MARKDOWN_FILE, to_markdown
from safety_core.evaluation.scoring.judges import Judge, RubricJudge
from safety_core.evaluation.scoring.vision_features import KeptFeatures
from safety_core.evaluation.statistics.bars import Bar, Comparison, check_bars
from safety_core.evaluation.statistics.measures import Outcome
from safety_core.evaluation.statistics.metrics import Scoreboard
from safety_core.evaluation.suites.suite import Suite, load_suite
from safety_core.files import write_text

RowProgress = Callable[[str, int, int], None]
"""Called with a row's name, the pairs done and the pairs that there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationConfig:
    """How an evaluation runs; none of it changes what the rows say, save the seed its intervals."""

    seed: int = 0
    """Seed of the bootstrap. Replies are greedy and need none."""

    resamples: int = 1000
    """Draws of the bootstrap."""

    batch_size: int = 64
    """Pairs that head and language model take at a time."""

    device: str = "cpu"
    """Where the models run."""

    cache_bytes: int = 2 << 30
    """Memory for vision features that rows share."""


def evaluate(
    suite: Suite | Path,
    rows: Sequence[RowSpec],
    *,
    out: Path | None = None,
    bars: Sequence[Bar] = (),
    config: EvaluationConfig | None = None,
    command: Sequence[str] = (),
    judge: Judge | None = None,
    progress: RowProgress | None = None,
) -> Report:
    """Evaluate rows on a suite.

    Args:
        suite: a suite or its folder.
        rows: the rows, in the order of the table.
        out: folder for the report's files; nothing is written where None.
        bars: what to hold the figures against.
        config: seed and sizes.
        command: the command line, for the record.
        judge: says of which kind a reply is; by the suite's rubric where None.
        progress: told how far each row is.

    Raises:
        ConfigError: names repeat, a row is compared with one that is not there, or a taxonomy does not fit.
        SampleError: the suite is malformed or a picture cannot be read.
        CheckpointError: a checkpoint is damaged or untrained.
    """
    config = EvaluationConfig() if config is None else config
    _check_rows(rows)
    suite = load_suite(suite) if isinstance(suite, Path) else suite
    judge = RubricJudge(suite.spec.rubric) if judge is None else judge
    replay = Replay(suite, judge, batch_size=config.batch_size, cache=KeptFeatures(config.cache_bytes))
    scoreboard = Scoreboard(suite, seed=config.seed, resamples=config.resamples)
    outcomes: dict[str, list[Outcome]] = {}
    reports: dict[str, RowReport] = {}
    for spec in rows:
        started = time.perf_counter()
        row = load_row(spec, device=config.device)
        outcomes[spec.name] = replay.run(row, _named(progress, spec.name))
        reports[spec.name] = RowReport(
            spec=spec.to_dict(),
            checkpoint_sha256=row.sha256,
            seconds=time.perf_counter() - started,
            figures=scoreboard.figures(outcomes[spec.name]),
        )
    comparisons = {
        (spec.name, against): Comparison(
            differences=scoreboard.differences(outcomes[spec.name], outcomes[against]),
            mcnemar=scoreboard.mcnemar(outcomes[spec.name], outcomes[against]),
        )
        for spec in rows
        for against in spec.against
    }
    report = Report(
        suite=suite.spec.name,
        suite_sha256=suite.sha256,
        pairs=len(suite.pairs),
        taxonomy=suite.spec.taxonomy,
        seed=config.seed,
        resamples=config.resamples,
        command=command,
        rows=reports,
        comparisons=comparisons,
        bars=check_bars(bars, {name: row.figures for name, row in reports.items()}, comparisons),
    )
    if out is not None:
        write_report(report, outcomes, out)
        write_text(out / MARKDOWN_FILE, to_markdown(report))
    return report


def _named(progress: RowProgress | None, name: str) -> Progress | None:
    return None if progress is None else lambda done, total: progress(name, done, total)


def _check_rows(rows: Sequence[RowSpec]) -> None:
    names = [row.name for row in rows]
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"rows: at least one is needed and names must differ, got {names}")
    for row in rows:
        if unknown := sorted(set(row.against) - set(names)):
            raise ConfigError(f"row {row.name}: compared with {unknown}, which are not rows")
