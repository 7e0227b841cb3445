"""The guarantee that a checkpoint's thresholds were chosen with, as ``policy.json`` holds it beside them.

It states how often a policy raises a false alarm, at most, how sure that is, and which data say so. It holds for the
thresholds, actions and enabled types of the same file, judged with the scores of the same checkpoint, and for requests
that are drawn like the data. Whatever changes the policy ends it, so it is no part of :class:`Policy`: code that writes
a policy passes the guarantee on only where nothing changed. Knows no statistics and no files.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from safety_core.policy.presets import PresetName
from safety_core.strict_json import StrictModel

MAX_CURVE = 24
"""Maximum number of points of a curve."""

RateName = Literal["false_refusals", "false_cautions"]
"""``false_refusals``: the share of refused requests among those that deserve an answer. ``false_cautions``: the share
of requests that reach a level with a cautious answer among the harmless ones."""

_Share = Annotated[float, Field(ge=0, le=1)]
_Count = Annotated[int, Field(ge=0)]
_LevelThresholds = dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]]


class GuaranteeMethod(StrEnum):
    """How thresholds are chosen, and with it the kind of guarantee."""

    LEARN_THEN_TEST = "learn-then-test"
    """P(rate ≤ alpha) ≥ 1 - delta over the draw of the data."""

    RISK_CONTROL = "risk-control"
    """E[rate] ≤ alpha over the draw of the data: on average, not in each case."""


class CurvePoint(StrictModel):
    """A step of the thresholds from strict to lenient, and what was measured there."""

    shift: Annotated[float, Field(allow_inf_nan=False)]
    """Distance of the thresholds from where the search put them, in log-odds; a positive shift lowers them."""

    rate: _Share
    """The measured rate."""

    upper: _Share
    """Upper confidence bound of the rate, at the confidence of its guarantee."""

    missed: _Share | None = None
    """Share of what should be flagged at these levels, and is not; None if the data hold nothing of the kind."""


class GuaranteedRate(StrictModel):
    """The guarantee of one rate."""

    rate: RateName
    alpha: Annotated[float, Field(gt=0, lt=1)]
    """Maximum of the rate."""

    delta: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Maximum probability that the rate is exceeded nevertheless; None for a guarantee on average."""

    groups: _Count
    """Number of independent groups of near-duplicates that the rate was tested on."""

    errors: Annotated[float, Field(ge=0)]
    """Number of these with a false alarm."""

    upper: _Share
    """Upper confidence bound of the rate, at confidence 1 - delta (95 % for a guarantee on average)."""

    curve: Annotated[list[CurvePoint], Field(default_factory=list, max_length=MAX_CURVE)]
    """The rate along the path of thresholds that was tested."""


class MeasuredRates(StrictModel):
    """What a policy does to the groups that its guarantee was tested on; None if there are none of the kind."""

    false_refusals: _Share | None = None
    """Share of refused requests among those that deserve an answer."""

    missed_refusals: _Share | None = None
    """Share of requests of the worst level that are not refused."""

    false_cautions: _Share | None = None
    """Share of harmless requests that are answered with caution."""


class CalibratedPreset(StrictModel):
    """Thresholds of a preset, with guarantees of their own: each preset holds by itself, not all at once."""

    thresholds: dict[str, _LevelThresholds]
    """Thresholds by risk type and level, in the form of ``policy.json``."""

    guarantees: list[GuaranteedRate]
    measured: MeasuredRates


class Guarantee(StrictModel):
    """The guarantee of a policy."""

    method: Annotated[GuaranteeMethod, Field(strict=False)]
    delta: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Maximum probability that any of the guarantees does not hold; None for a guarantee on average."""

    data: str
    """SHA-256 of the labelled data."""

    pairs: _Count
    """Number of labelled requests, for search and test together."""

    groups: _Count
    """Number of groups of near-duplicates that they form."""

    seed: int
    """Seed of the split into search and test, and of the requests that stand for their groups."""

    scores: dict[str, float | list[float]]
    """The recalibration of the scores that the thresholds belong to, as in ``safevlm.json``."""

    guarantees: list[GuaranteedRate]
    """One for each rate; together they hold with probability 1 - delta."""

    measured: MeasuredRates
    presets: dict[Annotated[PresetName, Field(strict=False)], CalibratedPreset] = Field(default_factory=dict)
    """The presets that could be calibrated with a guarantee."""

    def is_for(self, scores: Mapping[str, object]) -> bool:
        """Whether the guarantee is for scores that are recalibrated in this way, given in the form of the field."""
        return self.scores == scores

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        return self.model_dump(mode="json", exclude_none=True)


def describe_measured(measured: MeasuredRates) -> str:
    """Describe measured rates in one line for people."""
    values = {
        "false refusals": measured.false_refusals,
        "missed of the worst level": measured.missed_refusals,
        "false cautions": measured.false_cautions,
    }
    return ", ".join(f"{name} {value:.2%}" for name, value in values.items() if value is not None)


def describe_rate(guaranteed: GuaranteedRate) -> str:
    """Describe a guarantee in one line for people."""
    subject = {
        "false_refusals": "of the requests that deserve an answer are refused",
        "false_cautions": "of the harmless requests reach a level that is answered with caution",
    }[guaranteed.rate]
    sure = "on average" if guaranteed.delta is None else f"with probability {1 - guaranteed.delta:.4g}"
    return (
        f"{sure}, at most {guaranteed.alpha:.3%} {subject} "
        f"({guaranteed.errors:g} of {guaranteed.groups} groups, upper bound {guaranteed.upper:.3%})"
    )
