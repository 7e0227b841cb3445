"""Accounts of worker time: who is charged, and who counts as present."""

from safety_core.engine.serving.queueing.client_accounts import PRESENT_S, ClientAccounts
from tests.helpers.clocks import FakeClock


def test_a_new_client_starts_at_the_level_of_the_client_served_last() -> None:
    accounts = ClientAccounts(FakeClock(), lambda: ())
    accounts.open("first")
    accounts["first"].served_s = 5.0
    accounts.raise_level(accounts["first"])
    assert accounts.get_served_s("unknown") == 5.0
    accounts.charge("second", 1.0)
    assert accounts.get_served_s("second") == 6.0


def test_a_client_that_returns_without_entries_has_no_credit() -> None:
    busy: list[str] = []
    accounts = ClientAccounts(FakeClock(), lambda: busy)
    for client in ("away", "steady"):
        accounts.open(client)
    accounts["steady"].served_s = 9.0
    accounts.raise_level(accounts["steady"])
    busy.append("away")
    accounts.open("away")
    assert accounts["away"].served_s == 0.0, "it has entries, so it was never away"
    busy.clear()
    accounts.open("away")
    assert accounts["away"].served_s == 9.0


def test_a_client_is_present_for_a_while_after_its_last_request() -> None:
    clock = FakeClock()
    accounts = ClientAccounts(clock, lambda: ())
    accounts.open("other")
    assert accounts.has_others("mine")
    assert not accounts.has_others("other")
    clock.now = PRESENT_S
    assert not accounts.has_others("mine")
