"""Estimates how long judging takes on this machine, from measured durations. Knows no queue and no model."""

from __future__ import annotations

from safety_core.engine.work import Work

_PRIOR_S = (0.004, 0.02, 3e-5)
"""Initial estimates of seconds per request, view and head token: the rates of a small model on two CPU cores."""

_LEAST_GAIN = 0.15
"""Minimum weight of the newest measurement."""

_RATIOS = (0.02, 4.0)
"""Bounds on the effect of one measurement: the first run of a model, or a stall of the machine, is an outlier."""


class WorkRates:
    """Running estimates of the seconds that each kind of work takes.

    A measurement corrects each rate in proportion to its share of the estimate, so that measurements of mixed work
    still separate the kinds in the long run.
    """

    def __init__(self) -> None:
        self._rates = list(_PRIOR_S)
        self._count = 0
        self._stretch = 1.0

    def estimate_seconds(self, work: Work) -> float:
        """Estimate the seconds of the model's time that some work takes."""
        return sum(rate * units for rate, units in zip(self._rates, _list_units(work), strict=True))

    @property
    def stretch(self) -> float:
        """Wall-clock seconds for each second of judging while both verdicts and replies need the model; at least 1."""
        return self._stretch

    def record(self, work: Work, seconds: float) -> None:
        """Record the measured duration of some work."""
        expected = self.estimate_seconds(work)
        if expected <= 0 or seconds <= 0:
            return
        ratio = min(max(seconds / expected, _RATIOS[0]), _RATIOS[1])
        gain = max(_LEAST_GAIN, 1 / (self._count + 1.5))
        self._count += 1
        for index, units in enumerate(_list_units(work)):
            share = self._rates[index] * units / expected
            self._rates[index] *= ratio ** (gain * share)

    def record_turn(self, turn_s: float, judging_s: float) -> None:
        """Record the duration of a turn with waiting verdicts, and the part that was spent on judging."""
        if judging_s > 0 and turn_s >= judging_s:
            self._stretch += 0.1 * (min(turn_s / judging_s, 5.0) - self._stretch)


def _list_units(work: Work) -> tuple[int, int, int]:
    return work.requests, work.views, work.tokens
