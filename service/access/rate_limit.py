"""Rate and concurrency limits of API keys: a token bucket for each key, and a count of its running requests."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from service.access.api_keys import ApiKey


@dataclass(slots=True)
class _KeyUsage:
    """State of one key."""

    tokens: float
    """Requests that the bucket still allows."""

    refilled_at: float
    """Time of the last refill, by the limiter's clock."""

    running: int = 0
    """Requests in progress."""


@dataclass(slots=True)
class RateLimiter:
    """Limits each key's requests per minute and its concurrent requests. Use from one event loop only.

    A bucket holds the requests of one minute, and a key may spend them in one burst.

    Attributes:
        clock: monotonic time in seconds.
    """

    clock: Callable[[], float] = time.monotonic
    _usage: dict[str, _KeyUsage] = field(default_factory=dict)

    def take(self, key: ApiKey) -> float | None:
        """Take one request from the key's bucket.

        Returns:
            None if a request was available; otherwise the seconds until the next one is.
        """
        if key.requests_per_minute is None:
            return None
        usage, now, rate = self._get_usage(key), self.clock(), key.requests_per_minute / 60
        usage.tokens = min(float(key.requests_per_minute), usage.tokens + (now - usage.refilled_at) * rate)
        usage.refilled_at = now
        if usage.tokens < 1:
            return (1 - usage.tokens) / rate
        usage.tokens -= 1
        return None

    @contextmanager
    def hold_slot(self, key: ApiKey) -> Iterator[bool]:
        """Count a running request of a key until the context ends; yields False if the key has no free slot."""
        usage = self._get_usage(key)
        is_free = key.max_concurrent is None or usage.running < key.max_concurrent
        usage.running += is_free
        try:
            yield is_free
        finally:
            usage.running -= is_free

    def keep_only(self, keys: Sequence[ApiKey]) -> None:
        """Forget all other keys, except those with running requests."""
        names = {key.name for key in keys}
        self._usage = {name: usage for name, usage in self._usage.items() if name in names or usage.running}

    def _get_usage(self, key: ApiKey) -> _KeyUsage:
        capacity = float(key.requests_per_minute or 0)
        return self._usage.setdefault(key.name, _KeyUsage(capacity, self.clock()))
