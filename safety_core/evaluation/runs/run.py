"""Runs an evaluation: every system over the same pairs, then figures, comparisons, bars and files.

The entry point of ``safevlm evaluate``; loads one system's model at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from safety_core.errors import ConfigError
from safety_core.evaluation.runs.replay import Progress, Replay
from safety_core.evaluation.runs.report import Report, SystemReport, write_report
from safety_core.evaluation.runs.systems import SystemSpec, load_system
from safety_core.evaluation.runs.tables import MARKDOWN_FILE, format_report
from safety_core.evaluation.scoring.judges import Judge, RubricJudge
from safety_core.evaluation.scoring.vision_features import VisionFeatureCache
from safety_core.evaluation.statistics.bars import Bar, Comparison, check_bars
from safety_core.evaluation.statistics.measures import Outcome
from safety_core.evaluation.statistics.metrics import Scoreboard
from safety_core.evaluation.suites.suite import Suite, load_suite
from safety_core.files import write_text

SystemProgress = Callable[[str, int, int], None]
"""Called with a system's name, the number of finished pairs and the number of all pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationConfig:
    """Settings of an evaluation. Only the seed and the number of resamples change results: the intervals."""

    seed: int = 0
    """Seed of the bootstrap. Replies are greedy and need none."""

    resamples: int = 1000
    """Draws of the bootstrap."""

    batch_size: int = 64
    """Pairs in one pass of the head or the language model."""

    device: str = "cpu"
    """Device of the models."""

    cache_bytes: int = 2 << 30
    """Memory in bytes for vision features that systems share."""


def evaluate(
    suite: Suite | Path,
    systems: Sequence[SystemSpec],
    *,
    out: Path | None = None,
    bars: Sequence[Bar] = (),
    config: EvaluationConfig | None = None,
    command: Sequence[str] = (),
    judge: Judge | None = None,
    progress: SystemProgress | None = None,
) -> Report:
    """Evaluate systems on a suite.

    Args:
        suite: a suite or its folder.
        systems: the systems, in the order of the table.
        out: folder for the report's files; None writes nothing.
        bars: requirements to check the figures against.
        config: seed, sizes and device.
        command: the command line, for the record.
        judge: determines the kind of a reply; None for the suite's rubric.
        progress: called after each chunk of a system.

    Raises:
        ConfigError: names repeat, a system is compared with a missing one, or a taxonomy does not match the suite's.
        SampleError: the suite is malformed or an image cannot be read.
        CheckpointError: a checkpoint is damaged or untrained.
    """
    config = EvaluationConfig() if config is None else config
    _check_systems(systems)
    suite = load_suite(suite) if isinstance(suite, Path) else suite
    judge = RubricJudge(suite.spec.rubric) if judge is None else judge
    replay = Replay(suite, judge, batch_size=config.batch_size, cache=VisionFeatureCache(config.cache_bytes))
    scoreboard = Scoreboard(suite, seed=config.seed, resamples=config.resamples)
    outcomes: dict[str, list[Outcome]] = {}
    reports: dict[str, SystemReport] = {}
    for spec in systems:
        started = time.perf_counter()
        system = load_system(spec, device=config.device)
        outcomes[spec.name] = replay.run(system, _name_progress(progress, spec.name))
        reports[spec.name] = SystemReport(
            spec=spec.to_dict(),
            checkpoint_sha256=system.sha256,
            seconds=time.perf_counter() - started,
            figures=scoreboard.compute_figures(outcomes[spec.name]),
        )
    comparisons = {
        (spec.name, against): Comparison(
            differences=scoreboard.compute_differences(outcomes[spec.name], outcomes[against]),
            mcnemar=scoreboard.run_mcnemar_tests(outcomes[spec.name], outcomes[against]),
        )
        for spec in systems
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
        bars=check_bars(bars, {name: report.figures for name, report in reports.items()}, comparisons),
    )
    if out is not None:
        write_report(report, outcomes, out)
        write_text(out / MARKDOWN_FILE, format_report(report))
    return report


def _name_progress(progress: SystemProgress | None, name: str) -> Progress | None:
    return None if progress is None else lambda done, total: progress(name, done, total)


def _check_systems(systems: Sequence[SystemSpec]) -> None:
    names = [system.name for system in systems]
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"systems: at least one is needed and names must differ, got {names}")
    for system in systems:
        if unknown := sorted(set(system.against) - set(names)):
            raise ConfigError(f"system {system.name}: compared with {unknown}, which are not in the table")
