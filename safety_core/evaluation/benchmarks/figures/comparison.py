"""Two runs on one suite, compared item by item: paired differences of all figures, and McNemar's exact test.

Items that only one run has are counted and named, and are in no difference. Reads records, and no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.figures.named_figures import (
    Figure,
    list_decision_figures,
    list_judge_figures,
    list_reply_figures,
    list_score_figures,
)
from safety_core.evaluation.benchmarks.figures.result_table import ResultTable, TrainedRule, build_table
from safety_core.evaluation.benchmarks.run_files import ItemResult, JudgementLine, RunInfo
from safety_core.evaluation.statistics.estimates import Bootstrap, Estimate, FloatArray
from safety_core.evaluation.statistics.mcnemar import McNemar, run_mcnemar_test

UTILITY = ("ability", "answered")
"""Figures whose difference is the utility that a guard costs, if one run is guarded and the other bare."""

_JUDGED = " · "


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecords:
    """A run as it was read."""

    run: RunInfo
    results: Sequence[ItemResult]
    judgements: Sequence[JudgementLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedFigure:
    """One figure of two runs, over the items of both."""

    name: str
    first: Estimate
    second: Estimate
    difference: Estimate
    """First less second, over the items that both could score, with a paired interval."""

    test: McNemar | None
    """For shares: the exact test on the items where the two differ; None for other figures."""

    higher_is_better: bool | None
    """None where neither is better in itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparison:
    """Two runs on one suite."""

    first: RunInfo
    second: RunInfo
    common: int
    """Items of both runs, in the figures."""

    groups: int
    only_first: tuple[str, ...]
    """Ids of items that only the first run has."""

    only_second: tuple[str, ...]
    dropped: int
    """Common items that are left out because one of the checkpoints was trained on them."""

    trained: tuple[int, int]
    """Common items that each checkpoint was trained on."""

    figures: tuple[ComparedFigure, ...]
    only_in_one: tuple[str, ...]
    """Figures that only one of the runs has, such as those of verdicts against a system without any."""

    def get(self, name: str) -> ComparedFigure | None:
        """Return a figure, or None if the runs do not both have it."""
        return next((figure for figure in self.figures if figure.name == name), None)


def compare_runs(
    first: RunRecords,
    second: RunRecords,
    *,
    trained: TrainedRule = "mark",
    seed: int = 0,
    resamples: int = 1000,
) -> RunComparison:
    """Compare two runs on the same suite.

    Args:
        first: a run.
        second: the run that it is compared with.
        trained: whether items that either checkpoint was trained on are counted.
        seed: seed of the bootstrap.
        resamples: draws of the bootstrap.

    Raises:
        ConfigError: the suites or taxonomies of the runs differ, they have no item in common, or an item has different
            labels.
    """
    if first.run.suite.digest != second.run.suite.digest:
        raise ConfigError("the runs are on different suites: their digests differ")
    if first.run.taxonomy != second.run.taxonomy:
        raise ConfigError("the runs have different taxonomies")
    by_id = [{item.id: item for item in records.results} for records in (first, second)]
    shared = [item_id for item_id in by_id[0] if item_id in by_id[1]]
    _check_labels(shared, *by_id)
    marks = [[by_id[side][item_id].trained_on is not None for item_id in shared] for side in (0, 1)]
    used = [item_id for item_id, *seen in zip(shared, *marks, strict=True) if trained == "mark" or not any(seen)]
    if not used:
        raise ConfigError("the runs have no item in common" + (" that nothing was trained on" if shared else ""))
    taxonomy = first.run.taxonomy.to_taxonomy()
    tables = [
        build_table([by_id[side][item_id] for item_id in used], records.judgements, taxonomy)
        for side, records in enumerate((first, second))
    ]
    bootstrap = Bootstrap(tables[0].groups, seed=seed, resamples=resamples)
    figures = [_list_figures(table) for table in tables]
    columns = [_list_columns(table) for table in tables]
    return RunComparison(
        first=first.run,
        second=second.run,
        common=len(used),
        groups=len(set(tables[0].groups)),
        only_first=tuple(item_id for item_id in by_id[0] if item_id not in by_id[1]),
        only_second=tuple(item_id for item_id in by_id[1] if item_id not in by_id[0]),
        dropped=len(shared) - len(used),
        trained=(sum(marks[0]), sum(marks[1])),
        figures=tuple(_compare(name, figures, columns, bootstrap) for name in figures[0] if name in figures[1]),
        only_in_one=tuple(sorted(set(figures[0]) ^ set(figures[1]))),
    )


def is_higher_better(name: str) -> bool | None:
    """Find out whether more of a figure is better; None where neither is."""
    base = name.rsplit(_JUDGED, 1)[-1]
    if base in ("false_refusals", "false_alarms", "ece", "latency_median", "latency_p95"):
        return False
    if base in ("attack_success", "unsafe_harmless"):
        return False
    return None if base == "refusal" else True


def _check_labels(shared: Sequence[str], *by_id: Mapping[str, ItemResult]) -> None:
    one, two = by_id
    for item_id in shared:
        if (one[item_id].type, one[item_id].level) != (two[item_id].type, two[item_id].level):
            raise ConfigError("an item has different labels in the two runs")


def _list_figures(table: ResultTable) -> dict[str, Figure]:
    figures = list_decision_figures(table) | list_score_figures(table) | list_reply_figures(table)
    for judge in table.judged:
        named = list_judge_figures(table, judge).items()
        figures |= {_JUDGED.join((*judge, name)): figure for name, figure in named}
    return figures


def _list_columns(table: ResultTable) -> dict[str, FloatArray]:
    """List the outcomes behind the shares, 0 or 1 for each item, that McNemar's test compares."""
    columns = {
        "detection": table.flagged_P,
        "refusal": table.refused_P,
        "false_refusals": table.refused_P,
        "false_alarms": table.flagged_P,
        "right_decision": np.where(np.isnan(table.flagged_P), np.nan, table.flagged_P == table.risky_P),
        "answered": table.answered_P,
        "ability": table.right_P,
    }
    for judge, judged in table.judged.items():
        columns |= {_JUDGED.join((*judge, name)): judged.unsafe_P for name in ("attack_success", "unsafe_harmless")}
    return columns


def _compare(
    name: str,
    figures: Sequence[Mapping[str, Figure]],
    columns: Sequence[Mapping[str, FloatArray]],
    bootstrap: Bootstrap,
) -> ComparedFigure:
    first, second = figures[0][name], figures[1][name]
    test = None
    if name in columns[0]:
        test = run_mcnemar_test(columns[0][name], columns[1][name], first.applies_P & second.applies_P)
    return ComparedFigure(
        name=name,
        first=first.estimate(bootstrap),
        second=second.estimate(bootstrap),
        difference=first.estimate_difference(second, bootstrap),
        test=test,
        higher_is_better=is_higher_better(name),
    )
