"""Checks that calibrated thresholds keep their promise: on repeated splits, and on data sets that were left out.

**Splits.** The groups of the data are split in half at random, many times; thresholds are chosen on one half and
measured. A violation is a rate above its limit. Two rates are measured: on the other half, as an operator would see it,
and on the whole, which is the other half with the tested part of this half, without the part that was searched. The
guarantee is about the whole: of a fixed collection of groups, the tested part is a random sample, so the share of
violations is at most delta (tests for sampling with replacement are conservative for sampling without), and splits are
independent draws. So a one-sided binomial test of that share against delta is valid. The rate on the other half has the
sampling noise of that half on top of it, so thresholds whose true rate is just below the limit exceed it there in some
splits; that share may be above delta even if the guarantee holds.

For risk control, the mean rate on the other half is compared with the limit instead: it is at most alpha on average,
because each group of the other half is as likely as those of the first.

**Shift.** Each data set is left out once; thresholds are chosen on the others and measured on it. No guarantee covers
this; it shows what the promise is worth where requests come from elsewhere. Knows no models.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from safety_core.errors import ConfigError
from safety_core.evaluation.calibration.certification.certified_thresholds import certify_thresholds
from safety_core.evaluation.calibration.certification.measured_rates import ACTIONS, find_flagged, select_negatives
from safety_core.evaluation.calibration.certification.promises import Promise
from safety_core.evaluation.calibration.scores.groups import split_groups
from safety_core.evaluation.calibration.scores.score_table import Risks, ScoreTable, compute_risks
from safety_core.evaluation.statistics.estimates import BoolArray, FloatArray
from safety_core.evaluation.statistics.risk_bounds import bound_rates, compute_excess_p_value
from safety_core.policy.guarantee import RateName
from safety_core.policy.policy import Policy

SIGNIFICANCE = 0.05
"""Significance level of the test against delta."""

_NORMAL_QUANTILE = 1.959964
_FEWEST_GROUPS = 20
"""Data sets with fewer groups are not left out by themselves: their rates would say nothing."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRates:
    """A rate in repeated splits."""

    rate: RateName
    alpha: float
    splits: int
    abstained: int
    """Splits in which nothing could be promised, so that nothing is flagged; never a violation."""

    violations: int
    """Splits in which the rate on the whole exceeds alpha."""

    p_value: float
    """One-sided binomial p-value of violations against the delta of the rate."""

    held_out_violations: int
    """Splits in which the rate on the other half exceeds alpha."""

    held_out_mean: float
    """Mean rate on the other half."""

    low: float
    """Lower end of the 95 % interval of this mean over splits."""

    high: float
    """Upper end of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The promise in repeated splits."""

    promise: Promise
    rates: tuple[SplitRates, ...]
    splits: int
    violations: int
    """Splits in which any rate on the whole exceeds its limit."""

    p_value: float
    """One-sided binomial p-value of these against delta."""

    held_out_violations: int
    """Splits in which any rate on the other half exceeds its limit."""

    held_out_p_value: float
    """One-sided binomial p-value of these; may be small because of the noise of the other half."""

    @property
    def kept(self) -> bool:
        """Whether nothing speaks against the promise at a significance of 5 %."""
        if self.promise.controls_average:
            return all(rate.low <= rate.alpha for rate in self.rates)
        return self.p_value >= SIGNIFICANCE


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRate:
    """A rate on a data set that was left out."""

    source: str
    rate: RateName
    alpha: float
    groups: int
    value: float
    low: float
    """Lower end of the exact 95 % interval."""

    high: float
    """Upper end of it."""

    abstained: bool
    """Whether nothing could be promised with the other data sets."""


def validate_splits(
    table: ScoreTable, base: Policy, promise: Promise, *, splits: int, seed: int = 0, progress: Progress | None = None
) -> Validation:
    """Choose and measure thresholds on repeated splits in half by group.

    Args:
        table: raw scores of labelled samples.
        base: the policy whose actions apply.
        promise: the guarantee to check.
        splits: number of splits.
        seed: seed of the splits.
        progress: called with the numbers of finished and of all splits.

    Raises:
        ConfigError: as :func:`certify_thresholds`.
    """
    limits = {rate: promise.get_alpha(rate) for rate in ACTIONS}
    on_whole: dict[RateName, list[float]] = {}
    held_out: dict[RateName, list[float]] = {}
    abstained: dict[RateName, int] = {}
    for number in range(splits):
        chosen_P = split_groups(table.group_P, 0.5, _mix(seed, number))
        certified = certify_thresholds(
            table.select(chosen_P), base, replace(promise, seed=_mix(seed, number)), details=False
        )
        risks = compute_risks(table, certified.scores, base)
        whole_P = np.ones(len(table), dtype=np.bool_)
        whole_P[np.flatnonzero(chosen_P)[certified.searched_P]] = False
        for guaranteed in certified.guarantee.guarantees:
            rate = guaranteed.rate
            on_whole.setdefault(rate, []).append(_measure(risks, certified.policy, rate, whole_P))
            held_out.setdefault(rate, []).append(_measure(risks, certified.policy, rate, ~chosen_P))
            abstained[rate] = abstained.get(rate, 0) + (rate in certified.abstained)
        if progress is not None:
            progress(number + 1, splits)
    exceeded = {rate: np.array(values) > limits[rate] for rate, values in on_whole.items()}
    held_out_exceeded = {rate: np.array(values) > limits[rate] for rate, values in held_out.items()}
    violations, held_out_violations = (
        int(np.any(list(flags.values()), axis=0).sum()) for flags in (exceeded, held_out_exceeded)
    )
    return Validation(
        promise=promise,
        rates=tuple(
            SplitRates(
                rate=rate,
                alpha=limits[rate],
                splits=splits,
                abstained=abstained[rate],
                violations=int(exceeded[rate].sum()),
                p_value=compute_excess_p_value(int(exceeded[rate].sum()), splits, promise.delta / len(on_whole)),
                held_out_violations=int(held_out_exceeded[rate].sum()),
                **_summarise(np.array(held_out[rate])),
            )
            for rate in on_whole
        ),
        splits=splits,
        violations=violations,
        p_value=compute_excess_p_value(violations, splits, promise.delta),
        held_out_violations=held_out_violations,
        held_out_p_value=compute_excess_p_value(held_out_violations, splits, promise.delta),
    )


def measure_shift(
    table: ScoreTable, base: Policy, promise: Promise, *, progress: Progress | None = None
) -> list[SourceRate]:
    """Choose thresholds without each data set in turn, and measure them on it.

    Groups that a data set shares with others are left out with it. The part of a source's name before the first ``/``
    or ``+`` names the data set.

    Raises:
        ConfigError: there are fewer than two data sets, or as :func:`certify_thresholds`.
    """
    sets = np.array([source.split("+", 1)[0].split("/", 1)[0] for source in table.source_P])
    names = sorted(set(sets.tolist()))
    if len(names) < 2:
        raise ConfigError("calibration: at least two data sets are needed; the field source names them")
    results: list[SourceRate] = []
    limits = {rate: promise.get_alpha(rate) for rate in ACTIONS}
    for number, name in enumerate(names):
        own_P = sets == name
        related_P = np.isin(table.group_P, table.group_P[own_P])
        wanted = [
            rate for rate in limits if _count_groups(table, own_P & select_negatives(table, rate)) >= _FEWEST_GROUPS
        ]
        if wanted:
            certified = certify_thresholds(table.select(~related_P), base, promise, details=False)
            risks = compute_risks(table, certified.scores, base)
            for guaranteed in certified.guarantee.guarantees:
                if (rate := guaranteed.rate) in wanted:
                    groups = _count_groups(table, own_P & select_negatives(table, rate))
                    value = _measure(risks, certified.policy, rate, own_P)
                    high = float(bound_rates(np.array([value * groups]), groups, 0.025)[0])
                    low = 1 - float(bound_rates(np.array([(1 - value) * groups]), groups, 0.025)[0])
                    results.append(
                        SourceRate(
                            source=name,
                            rate=rate,
                            alpha=limits[rate],
                            groups=groups,
                            value=value,
                            low=low,
                            high=high,
                            abstained=rate in certified.abstained,
                        )
                    )
        if progress is not None:
            progress(number + 1, len(names))
    return results


def _measure(risks: Risks, policy: Policy, rate: RateName, part_P: BoolArray) -> float:
    """Measure a rate on a part: the mean over groups of the share of their samples with a false alarm."""
    table = risks.table
    applies_P = select_negatives(table, rate) & part_P
    _, place_P, sizes = np.unique(table.group_P[applies_P], return_inverse=True, return_counts=True)
    alarms = np.bincount(place_P, weights=find_flagged(risks, policy, rate)[applies_P], minlength=len(sizes))
    return float((alarms / sizes).mean()) if len(sizes) else math.nan


def _count_groups(table: ScoreTable, mask_P: BoolArray) -> int:
    return len(np.unique(table.group_P[mask_P]))


def _summarise(values: FloatArray) -> dict[str, float]:
    mean = float(values.mean())
    margin = _NORMAL_QUANTILE * float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.inf
    return {"held_out_mean": mean, "low": mean - margin, "high": mean + margin}


def _mix(seed: int, number: int) -> int:
    """Derive the seed of one split; neighbouring seeds share no splits."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
