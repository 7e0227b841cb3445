"""Estimates come to what this machine needs, for each kind of work."""

import pytest

from safety_core.engine.serving.queueing.work_rates import WorkRates
from safety_core.engine.work import Work

KINDS = (Work(requests=1, tokens=30), Work(requests=1, views=1, tokens=90), Work(tokens=5000), Work(views=2))


@pytest.mark.parametrize("speed", [0.05, 1.0, 30.0])
def test_estimates_come_to_what_was_measured(speed: float) -> None:
    true = {"requests": 0.005 * speed, "views": 0.02 * speed, "tokens": 2e-5 * speed}
    rates = WorkRates()

    def needed(work: Work) -> float:
        return float(sum(seconds * getattr(work, kind) for kind, seconds in true.items()))

    for _ in range(60):
        for work in KINDS:
            rates.record(work, needed(work))
    for work in (*KINDS, Work(requests=1, views=16, tokens=60_000)):
        assert rates.estimate_seconds(work) == pytest.approx(needed(work), rel=0.3)


def test_a_slow_first_pass_is_not_the_machines_speed() -> None:
    rates = WorkRates()
    work = Work(requests=1, views=1)
    rates.record(work, 100 * rates.estimate_seconds(work))
    for _ in range(12):
        rates.record(work, 0.024)
    assert rates.estimate_seconds(work) == pytest.approx(0.024, rel=0.5)


def test_a_clock_that_stood_still_says_nothing() -> None:
    rates = WorkRates()
    before = rates.estimate_seconds(KINDS[1])
    rates.record(KINDS[1], 0.0)
    rates.record(Work(), 1.0)
    assert rates.estimate_seconds(KINDS[1]) == before


def test_replies_that_run_beside_verdicts_stretch_their_time() -> None:
    rates = WorkRates()
    for _ in range(100):
        rates.record_turn(0.06, 0.03)
    assert rates.stretch == pytest.approx(2.0, rel=0.01)
