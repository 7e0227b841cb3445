"""Curves behind the figures: receiver operating characteristic, precision and recall, reliability.

Curves are drawn from at most a few hundred points. Needs scikit-learn, of the extra ``eval``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.figures.named_figures import CALIBRATION_BINS, create_mean
from safety_core.evaluation.benchmarks.figures.result_table import ResultTable
from safety_core.evaluation.statistics.estimates import BoolArray, Bootstrap, Estimate, FloatArray

MOST_POINTS = 300

EXTRA_NEEDED = "reports need scikit-learn, matplotlib and jinja2: pip install 'safevlm-guard[eval]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Points of a curve, both coordinates from 0 to 1."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Items whose risk lies within one bin of equal width."""

    low: float
    high: float
    mean_risk: float
    observed: Estimate
    """Share of risky items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Curves of the risk of one run; a curve is None where it is not defined."""

    roc: Curve | None
    """False positive rate → true positive rate."""

    precision_recall: Curve | None
    """Recall → precision."""

    base_rate: float | None
    """Share of risky items: the precision of a system that flags everything."""

    served: tuple[float, float, float] | None
    """False alarm rate, detection rate and precision at the served thresholds, which may differ by type."""

    reliability: tuple[ReliabilityBin, ...]
    """Bins that are not empty."""

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "roc": None if self.roc is None else asdict(self.roc),
            "precision_recall": None if self.precision_recall is None else asdict(self.precision_recall),
            "base_rate": self.base_rate,
            "served": self.served,
            "reliability": [
                {"low": one.low, "high": one.high, "mean_risk": one.mean_risk, "observed": one.observed.to_dict()}
                for one in self.reliability
            ],
        }


def require_libraries() -> None:
    """Raise ConfigError unless the libraries of reports are installed; before a long run rather than after it."""
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError as exc:
        raise ConfigError(EXTRA_NEEDED) from exc


def compute_curves(table: ResultTable, bootstrap: Bootstrap) -> Curves:
    """Compute the curves of a run; raises ConfigError if scikit-learn is not installed."""
    scored_P = ~np.isnan(table.risk_P)
    risk, risky = table.risk_P[scored_P], table.risky_P[scored_P]
    has_both = bool(risky.any() and not risky.all())
    return Curves(
        roc=_compute_roc(risk, risky) if has_both else None,
        precision_recall=_compute_precision_recall(risk, risky) if has_both else None,
        base_rate=float(risky.mean()) if has_both else None,
        served=_find_served(table, scored_P) if has_both else None,
        reliability=_compute_reliability(table, scored_P, bootstrap),
    )


def _compute_roc(risk: FloatArray, risky: BoolArray) -> Curve:
    try:
        from sklearn.metrics import roc_curve
    except ImportError as exc:
        raise ConfigError(EXTRA_NEEDED) from exc
    false_positive, true_positive, _ = roc_curve(risky, risk)
    return _thin(false_positive, true_positive)


def _compute_precision_recall(risk: FloatArray, risky: BoolArray) -> Curve:
    try:
        from sklearn.metrics import precision_recall_curve
    except ImportError as exc:
        raise ConfigError(EXTRA_NEEDED) from exc
    precision, recall, _ = precision_recall_curve(risky, risk, drop_intermediate=True)
    return _thin(recall[::-1], precision[::-1])


def _thin(x: FloatArray, y: FloatArray) -> Curve:
    """Keep at most :data:`MOST_POINTS` points, the first and the last among them."""
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), MOST_POINTS)).round().astype(np.int64))
    return Curve(x=tuple(x[kept].round(5).tolist()), y=tuple(y[kept].round(5).tolist()))


def _find_served(table: ResultTable, scored_P: BoolArray) -> tuple[float, float, float] | None:
    """Find the point of the served thresholds; None without verdicts or if nothing is flagged."""
    known_P = scored_P & ~np.isnan(table.flagged_P)
    flagged, risky = table.flagged_P[known_P] == 1, table.risky_P[known_P]
    if not flagged.any() or not risky.any() or risky.all():
        return None
    return float(flagged[~risky].mean()), float(flagged[risky].mean()), float(risky[flagged].mean())


def _compute_reliability(table: ResultTable, scored_P: BoolArray, bootstrap: Bootstrap) -> tuple[ReliabilityBin, ...]:
    bin_P = np.clip((np.nan_to_num(table.risk_P) * CALIBRATION_BINS).astype(np.int64), 0, CALIBRATION_BINS - 1)
    risky_P = table.risky_P.astype(np.float64)
    bins = []
    for number in range(CALIBRATION_BINS):
        within_P = scored_P & (bin_P == number)
        if within_P.any():
            bins.append(
                ReliabilityBin(
                    low=number / CALIBRATION_BINS,
                    high=(number + 1) / CALIBRATION_BINS,
                    mean_risk=float(table.risk_P[within_P].mean()),
                    observed=create_mean(risky_P, within_P).estimate(bootstrap),
                )
            )
    return tuple(bins)
