"""Accounts of each client's worker time, which determine the order of entries. Not thread-safe: callers hold a lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

OVERTAKING_S = 0.12
"""Seconds that a client's cheaper entries may take before its oldest entry gets a slice: about three slices."""

PRESENT_S = 60.0
"""Seconds after its last request for which a client counts as present."""

MAX_ACCOUNTS = 4096
"""Maximum number of accounts kept for clients without entries."""


@dataclass(slots=True)
class Account:
    """Account of one client."""

    served_s: float
    """Seconds of worker time used; raised to the level of the other clients if the client returns after an absence."""

    seen: float
    """Time of the client's last request."""

    overtaken_s: float = 0.0
    """Seconds that the client's cheaper entries have run ahead of its oldest entry."""


class ClientAccounts:
    """Accounts of all clients.

    Args:
        clock: returns monotonic time in seconds.
        list_busy: returns the clients that have entries, possibly several times.
    """

    def __init__(self, clock: Callable[[], float], list_busy: Callable[[], Iterable[str]]) -> None:
        self._clock = clock
        self._list_busy = list_busy
        self._accounts: dict[str, Account] = {}
        self._served_s = 0.0

    def __len__(self) -> int:
        return len(self._accounts)

    def __getitem__(self, client: str) -> Account:
        return self._accounts[client]

    def get(self, client: str) -> Account | None:
        """Return the account of a client; None if it has none."""
        return self._accounts.get(client)

    def get_served_s(self, client: str) -> float:
        """Return the worker time that a client has used, for ordering; a new client starts at the others' level."""
        account = self._accounts.get(client)
        return self._served_s if account is None else max(account.served_s, self._served_s)

    def charge(self, client: str, seconds: float) -> None:
        """Charge a client for time on a shared resource other than the worker."""
        if client not in self._accounts:
            self._add(client)
        account = self._accounts[client]
        account.served_s = max(account.served_s, self._served_s) + seconds

    def raise_level(self, account: Account) -> None:
        """Raise the level at which new clients start to the time used by the client that is served next."""
        self._served_s = max(self._served_s, account.served_s)

    def open(self, client: str) -> None:
        """Open a client's account for a new entry; a client earns no credit while it has no entries."""
        now = self._clock()
        account = self._accounts.get(client)
        if account is None:
            self._add(client)
            return
        account.seen = now
        if not any(busy == client for busy in self._list_busy()):
            account.served_s = max(account.served_s, self._served_s)

    def has_others(self, client: str) -> bool:
        """Whether clients other than this one sent requests recently."""
        recently = self._clock() - PRESENT_S
        return any(name != client and account.seen > recently for name, account in self._accounts.items())

    def _add(self, client: str) -> None:
        if len(self._accounts) >= MAX_ACCOUNTS:
            self._forget_idle()
        self._accounts[client] = Account(self._served_s, self._clock())

    def _forget_idle(self) -> None:
        """Remove accounts of clients without entries; those absent for longest go first."""
        busy = set(self._list_busy())
        idle = sorted((name for name in self._accounts if name not in busy), key=lambda one: self._accounts[one].seen)
        for name in idle[: max(1, len(idle) // 2)]:
            del self._accounts[name]
