"""The rate and concurrency limits of each key are its own."""

import pytest

from service.access.api_keys import ApiKey, compute_digest
from service.access.rate_limit import RateLimiter


def key(name: str = "a", **fields: object) -> ApiKey:
    return ApiKey.model_validate({"name": name, "sha256": compute_digest("s"), **fields})


def test_a_minute_holds_as_many_requests_as_were_granted() -> None:
    now = 0.0
    rate_limiter = RateLimiter(clock=lambda: now)
    slow = key(requests_per_minute=6)
    assert [rate_limiter.take(slow) for _ in range(6)] == [None] * 6
    assert rate_limiter.take(slow) == pytest.approx(10)
    assert rate_limiter.take(key("b")) is None
    now = 10.0
    assert rate_limiter.take(slow) is None
    assert rate_limiter.take(slow) == pytest.approx(10)
    now = 1000.0
    assert [rate_limiter.take(slow) for _ in range(7)].count(None) == 6


def test_places_are_given_back_whatever_happens() -> None:
    rate_limiter, narrow = RateLimiter(), key(max_concurrent=1)

    def break_inside() -> None:
        with rate_limiter.hold_slot(narrow) as first, rate_limiter.hold_slot(narrow) as second:
            assert (first, second) == (True, False)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        break_inside()
    with rate_limiter.hold_slot(narrow) as third:
        assert third


def test_keys_that_are_gone_are_forgotten() -> None:
    rate_limiter, gone = RateLimiter(), key(requests_per_minute=1)
    assert rate_limiter.take(gone) is None
    rate_limiter.keep_only([])
    assert not rate_limiter._usage
