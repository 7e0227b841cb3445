"""The tokens that a judge may spend in a run, counted over all its resumptions. Knows no judge."""

from __future__ import annotations

import threading

CHARACTERS_PER_TOKEN = 3
"""Characters of a token, for estimates before a request and of servers that do not count; most have about four."""


class TokenBudget:
    """Counts tokens; may be used by several threads.

    Args:
        limit: most tokens that may be spent; None for no limit.
        spent: tokens that earlier parts of the run spent.
    """

    def __init__(self, limit: int | None, *, spent: int = 0) -> None:
        self._limit = limit
        self._spent = spent
        self._reserved = 0
        self._lock = threading.Lock()

    @property
    def spent(self) -> int:
        """Tokens that were spent."""
        return self._spent

    def reserve(self, tokens: int) -> bool:
        """Reserve tokens for a request; False if they would exceed the limit, so that it must not be sent."""
        with self._lock:
            if self._limit is not None and self._spent + self._reserved + tokens > self._limit:
                return False
            self._reserved += tokens
            return True

    def settle(self, reserved: int, spent: int) -> None:
        """Replace a reservation by what the request really spent."""
        with self._lock:
            self._reserved -= reserved
            self._spent += spent


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of a text, rather too high than too low for English."""
    return len(text) // CHARACTERS_PER_TOKEN + 1
