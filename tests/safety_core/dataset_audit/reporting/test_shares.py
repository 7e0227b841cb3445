import pytest

from bench.reporting.estimates import estimate_share as estimate_measured
from safety_core.dataset_audit.reporting.shares import estimate_share


@pytest.mark.parametrize(("count", "total"), [(0, 10), (3, 10), (10, 10), (1, 100_000)])
def test_intervals_are_wilsons(count: int, total: int) -> None:
    share, other = estimate_share(count, total), estimate_measured(count, total)
    assert (share.value, share.low, share.high) == pytest.approx((other.share, other.low, other.high))


def test_of_nothing_nothing_is_known() -> None:
    share = estimate_share(0, 0)
    assert (share.low, share.high) == (0.0, 1.0)
