"""All figures of one run: overall, per type, per category, per judge, and without the items that were trained on.

Reads the records of a run, and no file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from safety_core.evaluation.benchmarks.figures.curves import Curves, compute_curves
from safety_core.evaluation.benchmarks.figures.named_figures import (
    Figure,
    Figures,
    create_mean,
    list_decision_figures,
    list_judge_figures,
    list_reply_figures,
    list_score_figures,
    list_type_figures,
)
from safety_core.evaluation.benchmarks.figures.result_table import (
    JudgeName,
    ResultTable,
    TrainedRule,
    build_table,
    count_errors,
    drop_trained,
)
from safety_core.evaluation.benchmarks.run_files import ItemResult, JudgementLine, RunInfo
from safety_core.evaluation.statistics.agreement import build_kappa
from safety_core.evaluation.statistics.estimates import BoolArray, Bootstrap, Estimate

MOST_CATEGORIES = 100
"""Categories with figures of their own; of more, the largest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemCounts:
    """How many items the figures are about, and how many they are not about."""

    suite: int
    """Items of the suite."""

    answered: int
    """Items with a line in the results, with or without an error."""

    missing: int
    """Items of the suite that were not asked."""

    used: int
    """Items in the figures."""

    risky: int
    """Risky items in the figures."""

    groups: int
    """Groups of these items, which are resampled."""

    trained_id: int
    """Answered items whose id was trained on."""

    trained_near: int
    """Answered items that are near-duplicates of what was trained on."""

    dropped: int
    """Answered items that the figures leave out because they were trained on."""

    errors: Mapping[str, int]
    """Code of the reason → used items without an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryFigures:
    """Figures of one category of one data set."""

    source: str
    category: str
    items: int
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeFigures:
    """Figures of the replies under one judge and rubric."""

    judge: str
    rubric: str
    figures: Figures
    by_type: Mapping[str, Estimate]
    """Risk type → attack success."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How often two judges gave the same verdict on a reply."""

    rubric: str
    judges: tuple[str, str]
    share: Estimate
    kappa: Estimate
    """Cohen's kappa: 1 for equal verdicts, 0 for those of chance; without a value where it is not defined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """All figures of a run."""

    counts: ItemCounts
    overall: Figures
    by_type: Mapping[str, Figures]
    """Risk type that occurs → its figures."""

    by_category: Sequence[CategoryFigures]
    judges: Sequence[JudgeFigures]
    agreements: Sequence[Agreement]
    unseen: Figures | None
    """The overall figures without the items that were trained on; None if there are none, or none are left."""

    curves: Curves

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "counts": {name: getattr(self.counts, name) for name in ItemCounts.__dataclass_fields__},
            "overall": _convert(self.overall),
            "without_trained_items": None if self.unseen is None else _convert(self.unseen),
            "by_type": {name: _convert(figures) for name, figures in self.by_type.items()},
            "by_category": [
                {"source": one.source, "category": one.category, "items": one.items, "figures": _convert(one.figures)}
                for one in self.by_category
            ],
            "judges": [
                {
                    "judge": one.judge,
                    "rubric": one.rubric,
                    "figures": _convert(one.figures),
                    "attack_success_by_type": _convert(one.by_type),
                }
                for one in self.judges
            ],
            "agreements": [
                {
                    "rubric": one.rubric,
                    "judges": one.judges,
                    "share": one.share.to_dict(),
                    "kappa": one.kappa.to_dict(),
                }
                for one in self.agreements
            ],
            "curves": self.curves.to_dict(),
        }


def compute_run_figures(
    run: RunInfo,
    results: Sequence[ItemResult],
    judgements: Sequence[JudgementLine],
    *,
    trained: TrainedRule = "mark",
    seed: int = 0,
    resamples: int = 1000,
) -> RunFigures:
    """Compute all figures of a run.

    Args:
        run: what was run.
        results: its items, each once.
        judgements: judgements of their replies.
        trained: whether items that were trained on are counted in the figures.
        seed: seed of the bootstrap.
        resamples: draws of the bootstrap.

    Raises:
        ConfigError: no item is left, a label is not of the run's taxonomy, or scikit-learn is not installed.
    """
    used = drop_trained(results, trained)
    table = build_table(used, judgements, run.taxonomy.to_taxonomy())
    bootstrap = Bootstrap(table.groups, seed=seed, resamples=resamples)
    figures = _list_overall(table)
    unseen_P = ~table.trained_P
    return RunFigures(
        counts=_count(run, results, used, table),
        overall=_estimate(figures, bootstrap),
        by_type={
            name: _estimate(list_type_figures(table, name), bootstrap)
            for index, name in enumerate(table.taxonomy.types)
            if name != table.taxonomy.safe_type and (table.risky_P & (table.type_P == index)).any()
        },
        by_category=_estimate_categories(table, figures, bootstrap),
        judges=[_estimate_judge(table, judge, bootstrap) for judge in table.judged],
        agreements=_compare_judges(table, bootstrap),
        unseen=_estimate(figures, bootstrap, unseen_P) if table.trained_P.any() and unseen_P.any() else None,
        curves=compute_curves(table, bootstrap),
    )


def _list_overall(table: ResultTable) -> dict[str, Figure]:
    return list_decision_figures(table) | list_score_figures(table) | list_reply_figures(table)


def _estimate(figures: Mapping[str, Figure], bootstrap: Bootstrap, part_P: BoolArray | None = None) -> Figures:
    """Estimate figures, over a part of the items; figures that are about none of them are left out."""
    chosen = {name: figure if part_P is None else figure.restrict(part_P) for name, figure in figures.items()}
    return {name: figure.estimate(bootstrap) for name, figure in chosen.items() if figure.applies_P.any()}


def _count(run: RunInfo, results: Sequence[ItemResult], used: Sequence[ItemResult], table: ResultTable) -> ItemCounts:
    return ItemCounts(
        suite=run.suite.items,
        answered=len(results),
        missing=max(0, run.suite.items - len(results)),
        used=len(used),
        risky=int(table.risky_P.sum()),
        groups=len(set(table.groups)),
        trained_id=sum(item.trained_on == "id" for item in results),
        trained_near=sum(item.trained_on == "near" for item in results),
        dropped=len(results) - len(used),
        errors=count_errors(used),
    )


def _estimate_categories(
    table: ResultTable, figures: Mapping[str, Figure], bootstrap: Bootstrap
) -> list[CategoryFigures]:
    """Estimate rates per category, the largest first; one category alone is the whole, and has none."""
    names = ("detection", "false_refusals", "false_alarms", "ability", "answered")
    places: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, item in enumerate(table.items):
        places[item.source, item.category].append(place)
    if len(places) < 2:
        return []
    rates = {name: figures[name] for name in names if name in figures}
    for judge in table.judged:  # of several judges, the first that calls replies unsafe
        success = list_judge_figures(table, judge).get("attack_success")
        if success is not None:
            rates["attack_success"] = success
            break
    largest = sorted(places, key=lambda key: (-len(places[key]), key))[:MOST_CATEGORIES]
    parts = []
    for key in largest:
        part_P = np.zeros(table.size, dtype=np.bool_)
        part_P[places[key]] = True
        parts.append(
            CategoryFigures(
                source=key[0], category=key[1], items=len(places[key]), figures=_estimate(rates, bootstrap, part_P)
            )
        )
    return parts


def _estimate_judge(table: ResultTable, judge: JudgeName, bootstrap: Bootstrap) -> JudgeFigures:
    figures = list_judge_figures(table, judge)
    by_type: dict[str, Estimate] = {}
    if "attack_success" in figures:
        for index, name in enumerate(table.taxonomy.types):
            part_P = table.risky_P & (table.type_P == index)
            if part_P.any():
                by_type[name] = figures["attack_success"].restrict(part_P).estimate(bootstrap)
    return JudgeFigures(judge=judge[0], rubric=judge[1], figures=_estimate(figures, bootstrap), by_type=by_type)


def _compare_judges(table: ResultTable, bootstrap: Bootstrap) -> list[Agreement]:
    """Compare the verdicts of each two judges under one rubric, over the replies that both judged."""
    names = [name for name, judged in table.judged.items() if judged.gives_verdicts]
    return [
        _measure_agreement(table, first, second, bootstrap)
        for place, first in enumerate(names)
        for second in names[place + 1 :]
        if first[1] == second[1]
    ]


def _measure_agreement(table: ResultTable, first: JudgeName, second: JudgeName, bootstrap: Bootstrap) -> Agreement:
    has_reply_P = np.array([item.reply is not None for item in table.items])
    one_P, two_P = table.judged[first].unsafe_P, table.judged[second].unsafe_P
    both_P = has_reply_P & ~np.isnan(one_P) & ~np.isnan(two_P)
    same_P = np.where(both_P, one_P == two_P, np.nan)
    applies_P = has_reply_P & table.judged[first].applies_P & table.judged[second].applies_P
    share = create_mean(same_P, applies_P).estimate(bootstrap)
    kappa = bootstrap.estimate_bounded(
        build_kappa(one_P, two_P, both_P), both_P, unscored=share.unscored, bounds=(-1.0, 1.0)
    )
    return Agreement(rubric=first[1], judges=(first[0], second[0]), share=share, kappa=kappa)


def _convert(figures: Mapping[str, Estimate]) -> dict[str, object]:
    return {name: estimate.to_dict() for name, estimate in figures.items()}
