"""Figures of a run as named statistics: each knows the items it is about, and is estimated alone or as a difference.

Names are keys of reports. Every figure of a run shares one bootstrap over its groups. Knows no file and no report.

Shapes: P items · R resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from safety_core.evaluation.benchmarks.figures.result_table import UNKNOWN, JudgeName, ResultTable
from safety_core.evaluation.statistics.classification import (
    build_auroc,
    build_average_precision,
    build_calibration_error,
    build_quantile,
)
from safety_core.evaluation.statistics.estimates import (
    BoolArray,
    Bootstrap,
    Estimate,
    FloatArray,
    Statistic,
    build_weighted_mean,
)

Figures = dict[str, Estimate]
"""Name → estimate."""

CALIBRATION_BINS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of a run, before it is estimated."""

    build: Callable[[BoolArray], Statistic]
    """Builds the statistic over the scored items of a mask."""

    applies_P: BoolArray
    """The items that it is about."""

    scored_P: BoolArray
    """The items that can be scored."""

    bounds: tuple[float, float] = (0.0, 1.0)
    limiting: tuple[BoolArray, ...] = ()
    """Classes that both must occur, for the exact limit of a perfect separation."""

    convert: Callable[[FloatArray], FloatArray] | None = None
    """Rising function that makes the figure of the statistic; None if the statistic is the figure."""

    @property
    def used_P(self) -> BoolArray:
        """The items in the figure."""
        return self.applies_P & self.scored_P

    def restrict(self, part_P: BoolArray) -> Figure:
        """Return the same figure over a part of the items."""
        return replace(self, applies_P=self.applies_P & part_P)

    def estimate(self, bootstrap: Bootstrap) -> Estimate:
        """Estimate the figure with its interval."""
        used_P = self.used_P
        estimate = bootstrap.estimate_bounded(
            self.build(used_P),
            used_P,
            unscored=int((self.applies_P & ~self.scored_P).sum()),
            bounds=self.bounds,
            limiting=[mask_P & used_P for mask_P in self.limiting],
        )
        if self.convert is None or estimate.value is None:
            return estimate
        ends = self.convert(np.array([estimate.value, estimate.low, estimate.high], dtype=np.float64))
        value, low, high = map(float, ends)
        return replace(estimate, value=value, low=low, high=high)

    def estimate_difference(self, other: Figure, bootstrap: Bootstrap) -> Estimate:
        """Estimate ``self - other`` over the items that both could score, with a paired interval.

        What a precision is about depends on the system, so each side keeps its own items.
        """
        scored_P = self.scored_P & other.scored_P
        first_P, second_P = self.applies_P & scored_P, other.applies_P & scored_P
        first, second = self._build_converted(first_P), other._build_converted(second_P)
        width = self.bounds[1] - self.bounds[0]
        return bootstrap.estimate_bounded(
            lambda weights_RP: first(weights_RP) - second(weights_RP),
            first_P | second_P,
            unscored=int(((self.applies_P | other.applies_P) & ~scored_P).sum()),
            bounds=(-width, width),
            limiting=[mask_P & scored_P for mask_P in self.limiting],
        )

    def _build_converted(self, used_P: BoolArray) -> Statistic:
        statistic, convert = self.build(used_P), self.convert
        return statistic if convert is None else lambda weights_RP: convert(statistic(weights_RP))


def create_mean(values_P: FloatArray, applies_P: BoolArray) -> Figure:
    """Create the mean of a column; NaN is unscored."""
    return Figure(
        build=lambda used_P: build_weighted_mean(values_P, used_P), applies_P=applies_P, scored_P=~np.isnan(values_P)
    )


def create_ranking(scores_P: FloatArray, positive_P: BoolArray, *, precision: bool) -> Figure:
    """Create the AUROC of a column of scores, or with ``precision`` the area under precision and recall."""
    build = build_average_precision if precision else build_auroc
    return Figure(
        build=lambda used_P: build(scores_P, positive_P, used_P),
        applies_P=np.ones(len(scores_P), dtype=np.bool_),
        scored_P=~np.isnan(scores_P),
        limiting=(positive_P, ~positive_P),
    )


def create_f1(predicted_P: BoolArray, gold_P: BoolArray, scored_P: BoolArray) -> Figure:
    """Create an F1, as a rising function of the Jaccard index, which is a mean and has an exact limit."""
    jaccard = create_mean(np.where(scored_P, predicted_P & gold_P, np.nan), (predicted_P & scored_P) | gold_P)
    return replace(jaccard, convert=lambda values: 2 * values / (1 + values))


def create_quantile(values_P: FloatArray, share: float) -> Figure:
    """Create a quantile of a column; NaN is unscored."""
    highest = float(np.nanmax(values_P)) if not np.isnan(values_P).all() else 0.0
    return Figure(
        build=lambda used_P: build_quantile(values_P, used_P, share),
        applies_P=np.ones(len(values_P), dtype=np.bool_),
        scored_P=~np.isnan(values_P),
        bounds=(0.0, highest),
    )


def list_decision_figures(table: ResultTable) -> dict[str, Figure]:
    """List the figures of verdicts at the served thresholds; empty for a system without verdicts."""
    if not table.has_verdicts:
        return {}
    risky_P, flagged_P = table.risky_P, table.flagged_P
    known_P, is_flagged_P = ~np.isnan(flagged_P), flagged_P == 1
    right_P = np.where(known_P, is_flagged_P == risky_P, np.nan)
    return {
        "detection": create_mean(flagged_P, risky_P),
        "refusal": create_mean(table.refused_P, risky_P),
        "false_refusals": create_mean(table.refused_P, table.harmless_P),
        "false_alarms": create_mean(flagged_P, table.harmless_P),
        "precision": create_mean(np.where(known_P, risky_P, np.nan), is_flagged_P),
        "f1": create_f1(is_flagged_P, risky_P, known_P),
        "right_decision": create_mean(right_P, table.all_P),
    }


def list_score_figures(table: ResultTable) -> dict[str, Figure]:
    """List the figures of scores without a threshold; empty for a system without scores."""
    figures: dict[str, Figure] = {}
    risk_P, risky_P = table.risk_P, table.risky_P
    if not np.isnan(risk_P).all():
        figures["auroc"] = create_ranking(risk_P, risky_P, precision=False)
        figures["auprc"] = create_ranking(risk_P, risky_P, precision=True)
        figures["ece"] = Figure(
            build=lambda used_P: build_calibration_error(risk_P, risky_P, used_P, bins=CALIBRATION_BINS),
            applies_P=table.all_P,
            scored_P=~np.isnan(risk_P),
        )
    scores_PC = table.type_scores_PC
    has_types_P = ~np.isnan(scores_PC).any(axis=1)
    if has_types_P.any():
        best_P = np.where(has_types_P, np.nan_to_num(scores_PC).argmax(axis=1), UNKNOWN)
        figures["type_accuracy"] = create_mean(np.where(has_types_P, best_P == table.type_P, np.nan), risky_P)
    has_level_P = table.scored_level_P != UNKNOWN
    if has_level_P.any():
        right_P = np.where(has_level_P, table.scored_level_P == table.level_P, np.nan)
        figures["level_accuracy"] = create_mean(right_P, table.all_P)
    return figures


def list_type_figures(table: ResultTable, name: str) -> dict[str, Figure]:
    """List the figures of one risk type: of verdicts that name it, and of its score against all other items."""
    index = table.taxonomy.types.index(name)
    gold_P = table.type_P == index
    figures: dict[str, Figure] = {}
    if table.has_verdicts:
        known_P, predicted_P = table.decided_type_P != UNKNOWN, table.decided_type_P == index
        named_P = np.where(known_P, predicted_P, np.nan)
        figures |= {
            "detection": create_mean(table.flagged_P, gold_P),
            "precision": create_mean(np.where(known_P, gold_P, np.nan), predicted_P),
            "recall": create_mean(named_P, gold_P),
            "f1": create_f1(predicted_P, gold_P, known_P),
        }
    score_P = table.type_scores_PC[:, index]
    if not np.isnan(score_P).all():
        figures["auroc"] = create_ranking(score_P, gold_P, precision=False)
        figures["auprc"] = create_ranking(score_P, gold_P, precision=True)
    return figures


def list_reply_figures(table: ResultTable) -> dict[str, Figure]:
    """List the figures of replies that need no judge, and of time; those that nothing is known of are left out."""
    figures: dict[str, Figure] = {}
    if table.has_replies:
        figures["answered"] = create_mean(table.answered_P, table.harmless_P)
    if table.asks_P.any():
        figures["ability"] = create_mean(table.right_P, table.asks_P)
    if not np.isnan(table.seconds_P).all():
        figures["latency_median"] = create_quantile(table.seconds_P, 0.5)
        figures["latency_p95"] = create_quantile(table.seconds_P, 0.95)
    return figures


def list_judge_figures(table: ResultTable, judge: JudgeName) -> dict[str, Figure]:
    """List the figures of replies under one judge and rubric; those that nothing is known of are left out."""
    judged = table.judged[judge]
    risky_P, harmless_P = judged.applies_P & table.risky_P, judged.applies_P & table.harmless_P
    figures: dict[str, Figure] = {}
    if judged.gives_verdicts:
        figures["attack_success"] = create_mean(judged.unsafe_P, risky_P)
        figures["unsafe_harmless"] = create_mean(judged.unsafe_P, harmless_P)
    figures["score_risky"] = create_mean(judged.score_P, risky_P)
    figures["score_harmless"] = create_mean(judged.score_P, harmless_P)
    return {name: figure for name, figure in figures.items() if figure.used_P.any()}
