"""What thresholds promise: the limits of false alarms, and how sure they are. Knows no scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from safety_core.errors import ConfigError
from safety_core.policy.guarantee import GuaranteeMethod, RateName

PerGroup = Literal["one", "mean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """The guarantee that thresholds are chosen for, and what is preferred among those that have it.

    Raises:
        ConfigError: a share is not between 0 and 1, or an exchange is negative.
    """

    alpha: float = 0.01
    """Maximum rate of false refusals: refused requests among those that deserve an answer."""

    alpha_cautions: float | None = None
    """Maximum rate of false cautions: harmless requests that reach a level with a cautious answer; None for the same as
    ``alpha``."""

    delta: float = 0.1
    """Maximum probability that one of the rates is exceeded nevertheless; shared equally among the rates."""

    method: GuaranteeMethod = GuaranteeMethod.LEARN_THEN_TEST
    """The kind of guarantee; ``delta`` has no meaning for risk control, which holds on average."""

    per_group: PerGroup = "one"
    """``one``: one request of each group of near-duplicates is tested, with an exact binomial test; ``mean``: the mean
    over the requests of each group, with the Hoeffding-Bentkus bound."""

    by_type: bool = True
    """Whether the search gives each type thresholds of its own, or all types the same ones."""

    refusal_exchange: float = 0.5
    """Cost of a false refusal in misses, for the choice among the thresholds that have the guarantee (ADR 9)."""

    caution_exchange: float = 1.0
    """Cost of a false caution in misses."""

    seed: int = 0
    """Seed of the split into search and test, and of the requests that stand for their groups."""

    def __post_init__(self) -> None:
        for name in ("alpha", "alpha_cautions", "delta"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1:
                raise ConfigError(f"calibration.{name}: a share between 0 and 1 is needed, got {value}")
        if self.refusal_exchange < 0 or self.caution_exchange < 0:
            raise ConfigError("calibration: an exchange must not be negative")

    def get_alpha(self, rate: RateName) -> float:
        """Return the maximum of a rate."""
        return self.alpha_cautions if rate == "false_cautions" and self.alpha_cautions is not None else self.alpha

    @property
    def controls_average(self) -> bool:
        """Whether the guarantee holds on average only."""
        return self.method is GuaranteeMethod.RISK_CONTROL
