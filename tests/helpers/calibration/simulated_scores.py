"""Tables of scores drawn from known distributions.

A sample's risk is a normal variable in log-odds: that of level 3 itself, those of levels 2 and 1 a constant above it.
Each sample belongs to a random risk type, which its scores name clearly. Members of a group are equal.
"""

from dataclasses import dataclass

import numpy as np

from safety_core.evaluation.calibration.scores.score_table import ScoreTable
from safety_core.evaluation.statistics.estimates import FloatArray
from safety_core.score_calibration import apply_sigmoid
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy

_LEVEL_GAP = 1.0


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """The distribution of the samples."""

    shares: tuple[float, ...] = (0.5, 0.2, 0.1, 0.2)
    """Share of the samples of each gold level."""

    means: tuple[float, ...] = (-4.0, -3.0, -1.0, 1.5)
    """Mean log-odds of level 3, by gold level."""

    spread: float = 1.5
    sharpness: float = 1.0
    """Factor of the log-odds that the head is wrong by: above 1, it is too sure."""

    group_size: int = 1
    views: int = 1
    """Views of each sample; only one of them has its risk, the others less."""

    decimals: int | None = None
    """Decimals of the log-odds, so that scores are tied."""

    type_shift: float = 0.0
    """Difference of the log-odds between neighbouring types, so that each needs thresholds of its own."""

    taxonomy: Taxonomy = DEFAULT_TAXONOMY

    def draw(self, groups: int, seed: int) -> ScoreTable:
        """Draw a table with this many groups."""
        rng = np.random.default_rng([seed, 7])
        level_G = rng.choice(len(self.shares), size=groups, p=self.shares)
        kind_G = rng.integers(len(self.taxonomy.risky_types), size=groups)
        log_odds_G = rng.normal(np.array(self.means)[level_G], self.spread) + self.type_shift * kind_G
        if self.decimals is not None:
            log_odds_G = np.round(log_odds_G, self.decimals)
        level_P, kind_P, log_odds_P = (np.repeat(values, self.group_size) for values in (level_G, kind_G, log_odds_G))
        samples = len(level_P)
        sample_V = np.repeat(np.arange(samples), self.views)
        lowered_V = np.where(np.arange(len(sample_V)) % self.views, -rng.exponential(2.0, len(sample_V)), 0.0)
        log_odds_V = self.sharpness * (log_odds_P[sample_V] + lowered_V)
        types_VC = np.full((len(sample_V), len(self.taxonomy.types)), 0.01)
        risky = [self.taxonomy.types.index(name) for name in self.taxonomy.risky_types]
        types_VC[np.arange(len(sample_V)), np.array(risky)[kind_P[sample_V]]] = 0.94
        return ScoreTable(
            types_VC=types_VC,
            levels_VL=_build_levels(log_odds_V, len(self.taxonomy.levels), self.sharpness * _LEVEL_GAP),
            sample_V=sample_V,
            label_view_P=np.arange(samples) * self.views,
            gold_type_P=np.where(level_P > 0, np.array(risky)[kind_P], self.taxonomy.safe_index),
            gold_level_P=level_P,
            group_P=np.repeat(np.arange(groups), self.group_size),
            source_P=tuple(f"set{number % 3}" for number in range(samples)),
            novelty_P=np.zeros(samples),
            judged_P=np.ones(samples, dtype=np.bool_),
            taxonomy=self.taxonomy,
        )


def _build_levels(log_odds_V: FloatArray, levels: int, gap: float) -> FloatArray:
    risks = [apply_sigmoid(log_odds_V + gap * (levels - 1 - level)) for level in range(1, levels)]
    bounds = np.stack([np.ones(len(log_odds_V)), *risks, np.zeros(len(log_odds_V))], axis=1)
    return np.asarray(bounds[:, :-1] - bounds[:, 1:], dtype=np.float64)
