"""Amounts of work add up, and a request that was not measured counts by its cost."""

from safety_core.engine.work import PreparedRequest, Work
from tests.helpers.engine.requests import GUARD_REQUEST


def test_work_adds_up_by_its_parts() -> None:
    assert Work(requests=1, views=2, tokens=3) + Work(requests=1, tokens=4) == Work(requests=2, views=2, tokens=7)
    assert sum([Work(views=1)] * 3, Work()) == Work(views=3)


def test_a_request_is_as_much_work_as_was_measured_or_else_as_many_views_as_its_cost() -> None:
    assert PreparedRequest(request=GUARD_REQUEST, cost=4).amount == Work(requests=1, views=4)
    measured = Work(requests=1, tokens=900)
    assert PreparedRequest(request=GUARD_REQUEST, cost=4, work=measured).amount is measured
