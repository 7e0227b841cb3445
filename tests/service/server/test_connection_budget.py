"""How many connections are open, and which are closed to make room."""

from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import httpx

from service.access.addresses import TrustedProxies, derive_client_key
from service.server.connection_budget import ConnectionBudget
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.server.raw_http import HEALTH, connect, is_closed, receive_until
from tests.helpers.server.threads import run_bounded_server


def test_connections_that_wait_for_their_client_make_room() -> None:
    with run_bounded_server(FakeGuard(), max_connections=8) as port, ExitStack() as stack:
        idle = [stack.enter_context(connect(port)) for _ in range(4)]
        for connection in idle:
            connection.sendall(HEALTH)
            receive_until(connection, b"}")
        others = [stack.enter_context(connect(port)) for _ in range(40)]
        for connection in others:
            with suppress(ConnectionError):
                connection.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        assert all(is_closed(connection) for connection in [*idle, *others[:32]])
        assert httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200


@dataclass(eq=False)
class Peer:
    """What the budget knows of a connection; its transport is itself."""

    address: str
    is_closed: bool = False

    @property
    def client_key(self) -> str:
        return derive_client_key(self.address)

    @property
    def transport(self) -> "Peer":
        return self

    def abort(self) -> None:
        self.is_closed = True


def _opened(budget: ConnectionBudget, address: str, *, waits: bool) -> tuple[Any, bool]:
    """A new connection, and whether it may be used for more than health checks."""
    peer: Any = Peer(address)
    allowed = budget.add(peer)
    if waits:
        budget.mark_waiting(peer)
    return peer, allowed


def test_connections_that_are_served_are_never_closed_and_a_few_are_kept_for_health_checks() -> None:
    budget = ConnectionBudget(3)
    served = [_opened(budget, "127.0.0.1", waits=False) for _ in range(3)]
    further = [_opened(budget, "127.0.0.1", waits=False) for _ in range(9)]
    assert [allowed for _, allowed in served + further] == [True] * 3 + [False] * 9
    assert budget.is_full
    for peer, _ in further:
        budget.remove(peer)
        budget.remove(peer)
    assert not budget.is_full
    assert not any(peer.is_closed for peer, _ in served)
    budget.mark_waiting(further[0][0])  # it is gone, and makes no room for anybody
    assert not _opened(budget, "127.0.0.1", waits=False)[1]


def test_room_is_made_by_who_was_answered_then_by_the_longest_waiting_of_the_largest_client() -> None:
    budget = ConnectionBudget(5)
    few, _ = _opened(budget, "10.0.0.1", waits=True)
    many = [_opened(budget, "127.0.0.1", waits=True)[0] for _ in range(3)]
    answered, _ = _opened(budget, "10.0.0.1", waits=True)
    budget.mark_lingering(answered)
    for victim in (answered, many[0], many[1]):
        assert not victim.is_closed
        assert _opened(budget, "127.0.0.1", waits=True)[1]
        assert victim.is_closed
    assert not few.is_closed


def test_one_address_gets_half_of_the_connections_unless_it_stands_for_many_clients() -> None:
    budget = ConnectionBudget(8, TrustedProxies(["10.9.0.0/16"]))
    assert [_opened(budget, f"2001:db8::{number}", waits=False)[1] for number in range(6)] == [True] * 4 + [False] * 2
    budget = ConnectionBudget(8, TrustedProxies(["10.9.0.0/16"]))
    assert all(_opened(budget, "10.9.1.1", waits=False)[1] for _ in range(8))
