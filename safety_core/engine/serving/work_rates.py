"""Estimates how long judging takes on this machine, from how long it took so far. Knows no queue and no model."""

from __future__ import annotations

from safety_core.engine.messages import Work

_PRIOR_S = (0.004, 0.02, 3e-5)
"""Seconds for each request, view and head token before anything was measured: a small model on two CPU cores."""

_LEAST_GAIN = 0.15
"""Weight of the newest measurement once there are many."""

_RATIOS = (0.02, 4.0)
"""Bounds on the effect of one measurement: the first run of a model and a stalled machine are outliers."""


class WorkRates:
    """Running estimates of the seconds that each kind of work takes.

    A measurement corrects each rate in proportion to its share of the estimate, so that measurements of mixed work
    still separate the kinds in the long run.
    """

    def __init__(self) -> None:
        self._rates = list(_PRIOR_S)
        self._count = 0
        self._stretch = 1.0

    def seconds(self, work: Work) -> float:
        """Seconds of the model's time that this work takes."""
        return sum(rate * units for rate, units in zip(self._rates, _units(work), strict=True))

    @property
    def stretch(self) -> float:
        """Wall-clock seconds for each second of judging while both verdicts and replies need the model; at least 1."""
        return self._stretch

    def record(self, work: Work, seconds: float) -> None:
        """Record how long some work took."""
        expected = self.seconds(work)
        if expected <= 0 or seconds <= 0:
            return
        ratio = min(max(seconds / expected, _RATIOS[0]), _RATIOS[1])
        gain = max(_LEAST_GAIN, 1 / (self._count + 1.5))
        self._count += 1
        for index, units in enumerate(_units(work)):
            share = self._rates[index] * units / expected
            self._rates[index] *= ratio ** (gain * share)

    def record_turn(self, turn_s: float, judging_s: float) -> None:
        """Record the duration of a turn with waiting verdicts, and how much of it was spent on judging."""
        if judging_s > 0 and turn_s >= judging_s:
            self._stretch += 0.1 * (min(turn_s / judging_s, 5.0) - self._stretch)


def _units(work: Work) -> tuple[int, int, int]:
    return work.requests, work.views, work.tokens
