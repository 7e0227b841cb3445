"""Limits the tokens of all accepted chats together, and the share of each client. Use from one event loop only."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from safety_core.engine.serving.queueing.backlog import create_overloaded_error
from safety_core.errors import OverloadedError


class TokenBudget:
    """The positions that accepted chats may need.

    Args:
        max_tokens_in_flight: positions of all accepted chats together; a single chat may exceed it.
        client_share: share of the budget that one client may hold while other clients are present.
        get_backlog_s: returns the seconds until the current judging work is done, for ``retry_after_s``.
    """

    def __init__(self, *, max_tokens_in_flight: int, client_share: float, get_backlog_s: Callable[[], float]) -> None:
        self._max_tokens_in_flight = max_tokens_in_flight
        self._client_share = client_share
        self._get_backlog_s = get_backlog_s
        self._positions: Counter[str] = Counter()
        self._chat_s = 1.0
        """Running mean of the duration of a chat in seconds."""

    @contextmanager
    def reserve(self, positions: int, client: str) -> Iterator[None]:
        """Reserve positions for one chat until the context ends.

        Raises:
            OverloadedError: the budget is used up, or the client already has its share; has ``retry_after_s``.
        """
        held, budget = self._positions.total(), self._max_tokens_in_flight
        if held and held + positions > budget:
            raise self._create_error("the accepted chats have used up the token budget", held + positions - budget)
        own, share = self._positions[client], self._client_share * budget
        if own and own < held and own + positions > share:
            raise self._create_error("this client already has its share of the token budget", own + positions - share)
        self._positions[client] += positions
        began = time.monotonic()
        try:
            yield
        finally:
            self._positions[client] -= positions
            if not self._positions[client]:
                del self._positions[client]
            self._chat_s += 0.2 * (time.monotonic() - began - self._chat_s)

    def _create_error(self, message: str, excess: float) -> OverloadedError:
        """Create an error whose ``retry_after_s`` is estimated from the rate at which accepted chats end."""
        share = min(1.0, excess / max(self._positions.total(), 1))
        return create_overloaded_error(message, self._get_backlog_s() + share * self._chat_s)
