"""A clock that only the test moves."""

from dataclasses import dataclass


@dataclass
class FakeClock:
    """Satisfies ``time.monotonic``."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now
