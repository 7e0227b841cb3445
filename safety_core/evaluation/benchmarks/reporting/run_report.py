"""The report of one run, computed from the run's folder. Knows no format but JSON, and writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from safety_core.evaluation.benchmarks.figures.comparison import UTILITY, ComparedFigure, RunRecords, compare_runs
from safety_core.evaluation.benchmarks.figures.failures import FailureList, list_failures
from safety_core.evaluation.benchmarks.figures.result_table import TrainedRule, build_table, drop_trained
from safety_core.evaluation.benchmarks.figures.run_figures import RunFigures, compute_run_figures
from safety_core.evaluation.benchmarks.reporting.summary import describe_run, list_cautions
from safety_core.evaluation.benchmarks.run_files import ItemResult, RunInfo, read_judgements, read_results, read_run
from safety_core.evaluation.benchmarks.suites.abilities.scores import AbilityScore, Scores, compute_ability_scores
from safety_core.evaluation.benchmarks.suites.catalogue import SUITES
from safety_core.evaluation.statistics.estimates import CONFIDENCE

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """How a report is made."""

    trained: TrainedRule = "mark"
    """Whether items that the checkpoint was trained on are in the figures."""

    bare: Path | None = None
    """Folder of a run of the same model without the guard, for the utility that the guard costs."""

    failures: int = 9
    """Most failures of each kind that the page shows, with prompts, replies and pictures; 0 for none."""

    seed: int = 0
    """Seed of the bootstrap."""

    resamples: int = 1000
    """Draws of the bootstrap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Utility:
    """What the guard costs on harmless items, against the same model without it."""

    bare: str
    """Name of the bare system."""

    figures: Sequence[ComparedFigure]
    only_guarded: int
    only_bare: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """A report before it is written."""

    run: RunInfo
    options: ReportOptions
    figures: RunFigures
    failures: Sequence[FailureList]
    scores: Mapping[str, AbilityScore] = field(default_factory=dict)
    """Scores of an ability suite, as its authors define them."""

    utility: Utility | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form: figures, and nothing that a user wrote."""
        utility = self.utility
        return {
            "format_version": FORMAT_VERSION,
            "run": self.run.model_dump(mode="json"),
            "trained": self.options.trained,
            "seed": self.options.seed,
            "resamples": self.options.resamples,
            "confidence": CONFIDENCE,
            "summary": describe_run(self.run, self.figures),
            "cautions": list_cautions(self.figures),
            "figures": self.figures.to_dict(),
            "scores": {name: asdict(score) for name, score in self.scores.items()},
            "utility": None
            if utility is None
            else {
                "bare": utility.bare,
                "only_guarded": utility.only_guarded,
                "only_bare": utility.only_bare,
                "differences": {one.name: one.difference.to_dict() for one in utility.figures},
            },
            "failures": {one.kind: one.total for one in self.failures},
        }


def read_records(folder: Path) -> RunRecords:
    """Read a run's folder; raises ConfigError if it contains no run or a line is malformed."""
    return RunRecords(run=read_run(folder), results=read_results(folder), judgements=read_judgements(folder))


def compute_report(folder: Path, options: ReportOptions | None = None) -> RunReport:
    """Compute the report of a run's folder.

    Raises:
        ConfigError: the folder contains no run, no item is left, the bare run is on another suite, or the extra
            ``eval`` is not installed.
    """
    options = options or ReportOptions()
    records = read_records(folder)
    figures = compute_run_figures(
        records.run,
        records.results,
        records.judgements,
        trained=options.trained,
        seed=options.seed,
        resamples=options.resamples,
    )
    used = drop_trained(records.results, options.trained)
    table = build_table(used, records.judgements, records.run.taxonomy.to_taxonomy())
    return RunReport(
        run=records.run,
        options=options,
        figures=figures,
        failures=list_failures(table, limit=options.failures),
        scores=_compute_scores(records.run.suite.name, used),
        utility=None if options.bare is None else _measure_utility(records, options.bare, options),
    )


def _compute_scores(suite: str, results: Sequence[ItemResult]) -> Scores:
    is_ability = suite in SUITES and SUITES[suite].kind == "ability"
    return compute_ability_scores(suite, results) if is_ability else {}


def _measure_utility(guarded: RunRecords, bare_folder: Path, options: ReportOptions) -> Utility:
    bare = read_records(bare_folder)
    comparison = compare_runs(guarded, bare, trained=options.trained, seed=options.seed, resamples=options.resamples)
    return Utility(
        bare=bare.run.system.name,
        figures=[one for one in comparison.figures if one.name in UTILITY or one.name.endswith(" · score_harmless")],
        only_guarded=len(comparison.only_first),
        only_bare=len(comparison.only_second),
    )
