"""Recalibrates the head's probabilities, so that a score means what it says.

Types and levels are softmax outputs p, q. Each classifier has a temperature T (Guo et al., *On Calibration of Modern
Neural Networks*, ICML 2017, arXiv 1706.04599): the probabilities become proportional to p^(1/T). The risk of level k or
worse is then mapped by a logistic function with a common slope and one offset for each level (Platt, 1999)::

    c_k = Σ_{j≥k} q_j ,   log-odds(s_k) = slope · log-odds(c_k) + offset_k      (k = 1 … L-1)

and the levels are the differences of neighbouring s_k. Every s_k is an increasing function of c_k, so the map changes
no ranking and commutes with the maximum over the views of a request; offsets do not increase with k, so s_1 ≥ s_2 ≥ ….
The most probable type stays the same. A score that is not finite stays not finite.

The same function makes the scores that are served, evaluated and calibrated. Plain numpy: the arguments are the head's
probabilities, in 32 bit or more, whose small values are exact enough for their logarithms.
Shapes: B batch · C risk types · L risk levels · K = L - 1.
"""

import math
from dataclasses import asdict, dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from safety_core.errors import ConfigError
from safety_core.strict_json import StrictModel, parse_model

FloatArray = npt.NDArray[np.float64]

_SMALLEST = 1e-45
"""Stands for a probability that was rounded to 0: the smallest number of 32 bit."""

_MAX_FACTOR = 100.0
"""Largest temperature or slope, and the inverse of the smallest."""

_MAX_OFFSET = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreCalibration:
    """How probabilities are recalibrated; by default not at all.

    Raises:
        ConfigError: a temperature or the slope is not within bounds, or the offsets are not finite or increase.
    """

    type_temperature: float = 1.0
    """T of the risk types; above 1, scores become less extreme."""

    level_temperature: float = 1.0
    """T of the risk levels."""

    risk_slope: float = 1.0
    """Slope of the risk in log-odds, the same for all levels."""

    risk_offsets: tuple[float, ...] = ()
    """Offset of s_k in log-odds for k = 1 … L-1, not increasing; empty for none."""

    def __post_init__(self) -> None:
        for name in ("type_temperature", "level_temperature", "risk_slope"):
            value = getattr(self, name)
            if not 1 / _MAX_FACTOR <= value <= _MAX_FACTOR:
                raise ConfigError(f"score_calibration.{name}: a number from 0.01 to 100 is needed, got {value}")
        if not all(math.isfinite(offset) and abs(offset) <= _MAX_OFFSET for offset in self.risk_offsets):
            raise ConfigError("score_calibration.risk_offsets: numbers from -100 to 100 are needed")
        if list(self.risk_offsets) != sorted(self.risk_offsets, reverse=True):
            raise ConfigError("score_calibration.risk_offsets: offsets must not increase with the level")

    @property
    def maps_risk(self) -> bool:
        """Whether the risk is mapped at all."""
        return self.risk_slope != 1.0 or any(self.risk_offsets)

    @classmethod
    def parse(cls, data: object, *, num_levels: int) -> "ScoreCalibration":
        """Parse the JSON form; raises ConfigError if it is malformed or made for another number of levels."""
        fields = dict(parse_model(_Fields, data, where="score_calibration"))
        offsets = fields["risk_offsets"]
        if len(offsets) not in (0, num_levels - 1):
            raise ConfigError(f"score_calibration.risk_offsets: {num_levels - 1} numbers are needed")
        return cls(**fields | {"risk_offsets": tuple(offsets)})

    def to_dict(self) -> dict[str, float | list[float]]:
        """Return the JSON form that :meth:`parse` reads."""
        return asdict(self) | {"risk_offsets": list(self.risk_offsets)}

    def calibrate_types(self, types_BC: FloatArray) -> FloatArray:
        """Recalibrate probabilities of types."""
        return types_BC if self.type_temperature == 1.0 else _soften(types_BC, self.type_temperature)

    def calibrate_levels(self, levels_BL: FloatArray) -> FloatArray:
        """Recalibrate probabilities of levels."""
        if not self.maps_risk:
            return levels_BL if self.level_temperature == 1.0 else _soften(levels_BL, self.level_temperature)
        risk_BK = self.map_risk(compute_log_odds(levels_BL, self.level_temperature))
        rows = len(levels_BL)
        bounds = np.concatenate([np.ones((rows, 1)), risk_BK, np.zeros((rows, 1))], axis=1)
        # Rounding may leave a difference below 0.
        return np.asarray(np.maximum(bounds[:, :-1] - bounds[:, 1:], 0.0), dtype=np.float64)

    def map_risk(self, log_odds_BK: FloatArray) -> FloatArray:
        """Map the log-odds of c_k to s_k."""
        offsets_K = np.array(self.risk_offsets or np.zeros(log_odds_BK.shape[1]))
        return apply_sigmoid(self.risk_slope * log_odds_BK + offsets_K)


def compute_log_odds(levels_BL: FloatArray, temperature: float = 1.0) -> FloatArray:
    """Compute the log-odds of c_k for k = 1 … L-1, from probabilities of levels and after their temperature."""
    log_BL = np.log(np.maximum(levels_BL, _SMALLEST)) / temperature
    return np.stack(
        [_sum_logs(log_BL[:, level:]) - _sum_logs(log_BL[:, :level]) for level in range(1, levels_BL.shape[1])],
        axis=1,
    )


def apply_sigmoid(log_odds: FloatArray) -> FloatArray:
    """Convert log-odds to probabilities, without overflow."""
    small = np.exp(-np.abs(log_odds))
    return np.asarray(np.where(log_odds < 0, small, 1.0) / (1.0 + small), dtype=np.float64)


def _soften(probabilities_BC: FloatArray, temperature: float) -> FloatArray:
    log_BC = np.log(np.maximum(probabilities_BC, _SMALLEST)) / temperature
    return np.asarray(np.exp(log_BC - _sum_logs(log_BC)[:, None]), dtype=np.float64)


def _sum_logs(log_BC: FloatArray) -> FloatArray:
    """Compute the logarithm of each row's sum; unlike ``np.logaddexp.reduce``, without a warning at NaN."""
    most_B = log_BC.max(axis=1)
    return np.asarray(most_B + np.log(np.exp(log_BC - most_B[:, None]).sum(axis=1)), dtype=np.float64)


class _Fields(StrictModel):
    type_temperature: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    level_temperature: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    risk_slope: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    risk_offsets: list[Annotated[float, Field(allow_inf_nan=False)]] = Field(default_factory=list)
